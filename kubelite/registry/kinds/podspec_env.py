"""Rules about env, envFrom and the downward API's references; after upstream's `ValidateEnv` and its kin."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kubelite.errors import invalid_value, not_supported, required
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_rules import Errors
from kubelite.registry.validation import config_key, dns_subdomain, qualified_name, values

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")

_ALL_FIELDS = {*ENV_FIELDS, *FILE_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"}
_RESOURCES = tuple(
    f"{bound}.{name}" for bound in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_BYTE_DIVISORS = ("1", *(f"1{unit}" for unit in ("k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")))
_SUBSCRIPTED = re.compile(r"(?P<path>[^\[]+)\['(?P<key>.*)'\]")
_ONE_AT_A_TIME = "may not have more than one field specified at a time"


def env_name(value: str) -> list[str]:
    if not value:
        return ["environment variable name must be non-empty"]
    if re.fullmatch(r"[ -<>-~]+", value):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def env(path: str, variables: Sequence[Obj]) -> Errors:
    errors: Errors = []
    for index, variable in enumerate(variables):
        at = f"{path}[{index}]"
        name = variable.get("name") or ""
        errors += values(f"{at}.name", name, env_name(name)) if name else [required(f"{at}.name")]
        if (source := variable.get("valueFrom")) is not None:
            errors += _value_from(f"{at}.valueFrom", source, variable.get("value") or "")
    return errors


def _value_from(path: str, source: Obj, value: str) -> Errors:
    errors: Errors = []
    given = [name for name in _VALUE_SOURCES if source.get(name) is not None]
    for name in given:
        errors += _VALUE_SOURCES[name](f"{path}.{name}", source[name])
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        errors.append(invalid_value(path, "", text))
    elif value:
        errors.append(invalid_value(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid_value(path, "", _ONE_AT_A_TIME))
    return errors


def _key_selector(path: str, selector: Obj) -> Errors:
    name, key = selector.get("name") or "", selector.get("key") or ""
    errors = values(f"{path}.name", name, dns_subdomain(name))
    return errors + (values(f"{path}.key", key, config_key(key)) if key else [required(f"{path}.key")])


_VALUE_SOURCES: dict[str, Callable[[str, Obj], Errors]] = {
    "fieldRef": lambda path, reference: field_reference(path, reference, ENV_FIELDS),
    "resourceFieldRef": lambda path, reference: resource_reference(path, reference, in_volume=False),
    "configMapKeyRef": _key_selector,
    "secretKeyRef": _key_selector,
}


def env_from(path: str, sources: Sequence[Obj]) -> Errors:
    errors: Errors = []
    for index, source in enumerate(sources):
        at = f"{path}[{index}]"
        if prefix := source.get("prefix"):
            errors += values(f"{at}.prefix", prefix, env_name(prefix))
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for kind in given:
            name = source[kind].get("name") or ""
            where = f"{at}.{kind}.name"
            errors += values(where, name, dns_subdomain(name)) if name else [required(where)]
        if not given:
            errors.append(invalid_value(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid_value(path, "", _ONE_AT_A_TIME))
    return errors


def field_reference(path: str, reference: Obj, supported: Sequence[str]) -> Errors:
    """An ObjectFieldSelector; `supported` fields depend on whether it feeds a variable or a file."""
    version, field_path = reference.get("apiVersion") or "", reference.get("fieldPath") or ""
    for name, value in (("apiVersion", version), ("fieldPath", field_path)):
        if not value:
            return [required(f"{path}.{name}")]
    if trouble := _conversion_trouble(version, field_path):
        return [invalid_value(f"{path}.fieldPath", field_path, f"error converting fieldPath: {trouble}")]
    if found := _SUBSCRIPTED.fullmatch(field_path):
        key = found["key"].lower() if found["path"] == "metadata.annotations" else found["key"]
        return values(path, key, qualified_name(key))
    field_path = "spec.nodeName" if field_path == "spec.host" else field_path
    return [] if field_path in supported else [not_supported(f"{path}.fieldPath", field_path, supported)]


def _conversion_trouble(version: str, field_path: str) -> str:
    if version != "v1":
        return f"unsupported pod version: {version}"
    if found := _SUBSCRIPTED.fullmatch(field_path):
        subscripts = found["path"] in ("metadata.annotations", "metadata.labels")
        return "" if subscripts else f"field label does not support subscript: {field_path}"
    known = field_path in _ALL_FIELDS or field_path == "spec.host"
    return "" if known else f"field label not supported: {field_path}"


def resource_reference(path: str, reference: Obj, *, in_volume: bool) -> Errors:
    """A ResourceFieldSelector; in a volume it must name the container."""
    resource = reference.get("resource") or ""
    errors: Errors = []
    if in_volume and not reference.get("containerName"):
        errors.append(required(f"{path}.containerName"))
    elif not resource:
        errors.append(required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        errors.append(not_supported(f"{path}.resource", resource, _RESOURCES))
    return errors + _divisor(f"{path}.divisor", resource, reference.get("divisor") or "0")


def _divisor(path: str, resource: str, divisor: str) -> Errors:
    try:
        if not quantities.parse(divisor):
            return []
    except ValueError as error:
        return [invalid_value(path, divisor, str(error))]
    if resource.endswith(".cpu"):
        text = "only divisor's values 1m and 1 are supported with the cpu resource"
        return [] if divisor in ("1m", "1") else [invalid_value(path, resource, text)]
    names = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
    name = names.get(resource.partition(".")[2], "hugepages" if resource.startswith(_HUGE_PAGES) else "")
    if not name or divisor in _BYTE_DIVISORS:
        return []
    text = f"only divisor's values {', '.join(_BYTE_DIVISORS)} are supported with the {name} resource"
    return [invalid_value(path, resource, text)]


def downward_file(path: str, item: Obj) -> Errors:
    """Where a downward API file's content comes from."""
    if item.get("fieldRef") is not None:
        errors = field_reference(f"{path}.fieldRef", item["fieldRef"], FILE_FIELDS)
        if item.get("resourceFieldRef") is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(invalid_value(path, "resource", text))
        return errors
    if item.get("resourceFieldRef") is not None:
        return resource_reference(f"{path}.resourceFieldRef", item["resourceFieldRef"], in_volume=True)
    return [required(path, "one of fieldRef and resourceFieldRef is required")]
