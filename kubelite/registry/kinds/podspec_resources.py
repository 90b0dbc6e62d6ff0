"""What containers ask for: rules about requests and limits, rounding, the QoS class.

Used by the defaults, the rules and the status of pods; after upstream's `ValidateResourceRequirements` and QoS helper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, required
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry.validation import qualified_name, quantity, values
from kubelite.schema.scalars import canonical_quantity

_CONTAINER_RESOURCES = {"cpu", "memory", "ephemeral-storage"}
_QUOTA_RESOURCES = {
    *("storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps"),
    *("persistentvolumeclaims", "services.nodeports", "services.loadbalancers"),
    *(f"{bound}.{name}" for bound in ("requests", "limits") for name in ("cpu", "memory", "ephemeral-storage")),
    "requests.storage",
}
_QOS_RESOURCES = ("cpu", "memory")


def round_up_quantities(resources: Obj | None) -> None:
    """Amounts of a resource list are whole thousandths; finer ones are rounded up (wrong ones are left to the rules)."""
    for name, value in (resources or {}).items():
        if not quantity("", value) and (thousandths := quantities.parse(value) * 1000) % 1:
            rounded = thousandths.to_integral_value(ROUND_CEILING)
            resources[name] = canonical_quantity(f"{rounded}m")  # type: ignore[index]


def resource_requirements(path: str, resources: Obj, claim_names: set[str]) -> list[FieldError]:
    """A container's `resources`."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    errors = []
    for name, value in limits.items():
        errors += _amount(f"{path}.limits[{name}]", name, value)
    for name, value in requests.items():
        found = _amount(f"{path}.requests[{name}]", name, value)
        errors += found or _against_limit(path, name, value, limits)
    names = {*limits, *requests}
    if any(map(_is_huge_page, names)) and names.isdisjoint(_QOS_RESOURCES):
        errors.append(forbidden_field(path, "HugePages require cpu or memory"))
    return errors + _claims(f"{path}.claims", resources.get("claims") or (), claim_names)


def _amount(path: str, name: str, value: str | int | float) -> list[FieldError]:
    errors = resource_name(path, name)
    wrong = quantity(path, value)
    if not wrong and _is_extended(name) and quantities.parse(value) % 1:
        wrong = [invalid_value(path, value, "must be an integer")]
    return errors + wrong


def resource_name(path: str, name: str, *, for_containers: bool = True) -> list[FieldError]:
    """A name in a list of resources."""
    errors = values(path, name, qualified_name(name))
    if not for_containers:
        wrong = invalid_value(path, name, "must be a standard resource type or fully qualified")
        return errors or ([] if "/" in name or _is_standard(name) else [wrong])
    if "/" in name:
        if not _is_native(name) and not _is_extended(name):
            errors.append(invalid_value(path, name, "doesn't follow extended resource name standard"))
        return errors
    if name in _CONTAINER_RESOURCES or _is_huge_page(name):
        return errors
    if not errors and not _is_standard(name):
        errors.append(invalid_value(path, name, "must be a standard resource type or fully qualified"))
    return [*errors, invalid_value(path, name, "must be a standard resource for containers")]


def _is_standard(name: str) -> bool:
    huge = name.startswith(("hugepages-", "requests.hugepages-"))
    return huge or name in _CONTAINER_RESOURCES or name in _QUOTA_RESOURCES


def _is_huge_page(name: str) -> bool:
    return name.startswith("hugepages-")


def _is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _is_extended(name: str) -> bool:
    return not _is_native(name) and not name.startswith("requests.")


def _against_limit(path: str, name: str, value: str, limits: Mapping[str, str]) -> list[FieldError]:
    overcommit = _is_native(name) and not _is_huge_page(name)
    if name not in limits:
        if overcommit:
            return []
        return [required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    if quantity(path, limits[name]):
        return []
    asked, limit = quantities.parse(value), quantities.parse(limits[name])
    if asked != limit and not overcommit:
        return [invalid_value(f"{path}.requests", value, f"must be equal to {name} limit of {limits[name]}")]
    if asked > limit:
        return [
            invalid_value(f"{path}.requests", value, f"must be less than or equal to {name} limit of {limits[name]}")
        ]
    return []


def _claims(path: str, claims: Iterable[Obj], known: set[str]) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        name = claim.get("name") or ""
        if not name:
            errors.append(required(f"{path}[{index}]"))
            continue
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        if name not in known:
            which = f": {', '.join(sorted(known))}" if known else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{which}"
            errors.append(FieldError("FieldValueNotFound", f"{path}[{index}]", detail, name))
    return errors


def qos_class(spec: Obj) -> str:
    """Guaranteed: every container limits cpu and memory and asks for just that; BestEffort: none asks for anything."""
    resources = [
        c.get("resources") or {} for c in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    ]
    requests = [_counted(entry.get("requests")) for entry in resources]
    limits = [_counted(entry.get("limits")) for entry in resources]
    if not any(requests) and not any(limits):
        return "BestEffort"
    if all(len(entry) == len(_QOS_RESOURCES) for entry in limits) and requests == limits:
        return "Guaranteed"
    return "Burstable"


def _counted(resources: Obj | None) -> dict[str, Decimal]:
    amounts = {}
    for name in _QOS_RESOURCES:
        value = (resources or {}).get(name)
        if value is not None and not quantity(name, value) and quantities.parse(value):
            amounts[name] = quantities.parse(value)
    return amounts
