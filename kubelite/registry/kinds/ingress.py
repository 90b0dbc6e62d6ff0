"""Ingresses and their classes: kept as manifests bring them; what serves them is a pod of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import msgspec

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported, required, too_long
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Reader
from kubelite.registry.printing import NONE, age, first_three

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_ENDS = ("/..", "/.")
_SCOPES = ("Cluster", "Namespace")
_LONGEST_CONTROLLER = 250
_NARROW = 16  # what fits in the Address column


def _admit(new: Obj, old: Obj | None, reader: Reader) -> None:
    """Only a new one gets the default class; who names a class in the old annotation has made a choice too."""
    spec = new.get("spec") or {}
    if old is not None or spec.get("ingressClassName") is not None or _CLASS_ANNOTATION in meta.annotations(new):
        return
    classes = reader.list("ingressclasses")
    chosen = meta.newest(one for one in classes if meta.annotations(one).get(_DEFAULT_ANNOTATION) == "true")
    if chosen is not None:
        new["spec"] = {**spec, "ingressClassName": meta.name(chosen)}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    rules, backend = spec.get("rules") or (), spec.get("defaultBackend")
    found = [] if backend is None else list(_backend_errors("spec.defaultBackend", backend))
    if not rules and backend is None:
        nothing = msgspec.Raw(b"[]networking.IngressRule(nil)")
        found.append(invalid_value("spec", nothing, "either `defaultBackend` or `rules` must be specified"))
    for index, rule in enumerate(rules):
        found += _rule_errors(f"spec.rules[{index}]", rule)
    for index, tls in enumerate(spec.get("tls") or ()):
        for at, host in enumerate(tls.get("hosts") or ()):
            found += validation.values(f"spec.tls[{index}].hosts[{at}]", host, validation.domain_name(host))
        if secret := tls.get("secretName"):
            found += validation.values(f"spec.tls[{index}].secretName", secret, validation.dns_subdomain(secret))
    if name := spec.get("ingressClassName"):
        found += validation.values("spec.ingressClassName", name, validation.dns_subdomain(name))
        given = meta.annotations(new).get(_CLASS_ANNOTATION, name)
        if old is None and given != name:
            text = "must match `ingressClassName` when both are specified"
            found.append(invalid_value(f"annotations.{_CLASS_ANNOTATION}", given, text))
    return found


def _rule_errors(path: str, rule: Obj) -> Iterator[FieldError]:
    if host := rule.get("host"):
        if _is_address(host):
            yield invalid_value(f"{path}.host", host, "must be a DNS name, not an IP address")
        yield from validation.values(f"{path}.host", host, validation.domain_name(host))
    http = rule.get("http")
    if http is not None and not http.get("paths"):
        yield required(f"{path}.http.paths")
    for index, entry in enumerate((http or {}).get("paths") or ()):
        yield from _path_errors(f"{path}.http.paths[{index}]", entry)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _path_errors(path: str, entry: Obj) -> Iterator[FieldError]:
    kind, prefix = entry.get("pathType"), entry.get("path") or ""
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_TYPES:
        yield not_supported(f"{path}.pathType", kind, _PATH_TYPES)
    elif not prefix.startswith("/") and (prefix or kind != "ImplementationSpecific"):
        yield invalid_value(f"{path}.path", prefix, "must be an absolute path")
    if kind in ("Exact", "Prefix"):
        wrong = [f"must not contain '{part}'" for part in _NOT_IN_PATHS if part in prefix]
        wrong += [f"cannot end with '{end}'" for end in _NOT_AT_ENDS if prefix.endswith(end)]
        yield from validation.values(f"{path}.path", prefix, wrong)
    yield from _backend_errors(f"{path}.backend", entry.get("backend") or {})


def _backend_errors(path: str, backend: Obj) -> Iterator[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield invalid_value(path, "", "cannot set both resource and service backends")
    elif service is not None:
        yield from _service_errors(path, service)
    elif resource is not None:
        yield from _reference_errors(f"{path}.resource", resource)
    else:
        yield invalid_value(path, "", "resource or service backend is required")


def _service_errors(path: str, service: Obj) -> Iterator[FieldError]:
    name, port = service.get("name") or "", service.get("port") or {}
    if name:
        yield from validation.values(f"{path}.service.name", name, validation.dns_1035_label(name))
    else:
        yield required(f"{path}.service.name")
    port_name, number = port.get("name") or "", port.get("number") or 0
    if port_name and number:
        yield invalid_value(path, "", "cannot set both port name & port number")
    elif port_name:
        yield from validation.values(f"{path}.service.port.name", port_name, validation.port_name(port_name))
    elif number:
        yield from validation.values(f"{path}.service.port.number", number, validation.port_number(number))
    else:
        yield required(path, "port name or number is required")


def _reference_errors(path: str, reference: Obj) -> Iterator[FieldError]:
    if (group := reference.get("apiGroup")) is not None:
        yield from validation.values(f"{path}.apiGroup", group, validation.dns_subdomain(group))
    for field in ("kind", "name"):
        if value := reference.get(field):
            yield from validation.values(f"{path}.{field}", value, validation.path_segment_name(value))
        else:
            yield required(f"{path}.{field}")


def _row(ingress: Obj, now: datetime) -> list[Any]:
    spec = ingress.get("spec") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    return [
        meta.name(ingress),
        spec.get("ingressClassName") or NONE,
        first_three(hosts) or "*",
        _address(ingress.get("status") or {}),
        "80, 443" if spec.get("tls") else "80",
        age(ingress, now),
    ]


def _address(status: Mapping[str, Any]) -> str:
    entries = (status.get("loadBalancer") or {}).get("ingress") or ()
    shown = ",".join(sorted({entry.get("ip") or entry.get("hostname") or "" for entry in entries}))
    return shown if len(shown) <= _NARROW else f"{shown[: _NARROW - 3]}..."


INGRESS = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    singular="ingress",
    namespaced=True,
    short_names=("ing",),
    columns=(
        NAME_COLUMN,
        Column("Class", description="The class whose controller serves it."),
        Column("Hosts", description="Hosts that its rules name."),
        Column("Address", description="Where its controller says that it is reached."),
        Column("Ports", description="Ports that it is served at."),
        AGE_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    admit=_admit,
    validate=_validate,
    initial_status=lambda ingress: {"loadBalancer": {}},
)


def _default_class(ingress_class: Obj) -> None:
    spec = ingress_class["spec"] = dict(ingress_class.get("spec") or {})
    if spec.get("parameters") is not None:
        spec["parameters"] = {"scope": "Cluster"} | spec["parameters"]


def _validate_class(new: Obj, old: Obj | None) -> list[FieldError]:
    controller = new["spec"].get("controller") or ""
    path = "spec.controller"
    errors = [] if old is None else validation.unchanged(path, controller, old["spec"].get("controller"))
    errors += _controller_errors(path, controller)
    parameters = new["spec"].get("parameters")
    return errors if parameters is None else [*errors, *_parameters_errors("spec.parameters", parameters)]


def _controller_errors(path: str, controller: str) -> list[FieldError]:
    if not controller:
        return [required(path)]
    errors = [too_long(path, _LONGEST_CONTROLLER)] if len(controller) > _LONGEST_CONTROLLER else []
    domain, slash, rest = controller.partition("/")
    if not slash or not domain or not rest:
        text = 'must be a domain-prefixed path (such as "acme.io/foo")'
        return [*errors, invalid_value(path, controller, text)]
    return errors + validation.values(path, controller, validation.dns_subdomain(domain))


def _parameters_errors(path: str, parameters: Obj) -> Iterator[FieldError]:
    yield from _reference_errors(path, parameters)
    scope, namespace = parameters["scope"], parameters.get("namespace")
    if scope not in _SCOPES:
        yield not_supported(f"{path}.scope", scope, _SCOPES)
    elif scope == "Cluster" and namespace is not None:
        yield forbidden_field(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'")
    elif namespace is None and scope == "Namespace":
        yield required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")
    elif namespace is not None:
        yield from validation.values(f"{path}.namespace", namespace, validation.dns_label(namespace))


def _class_row(ingress_class: Obj, now: datetime) -> list[Any]:
    spec = ingress_class["spec"]
    parameters, shown = spec.get("parameters"), NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        shown = f"{parameters['kind']}{group}/{parameters['name']}"
    return [meta.name(ingress_class), spec.get("controller") or "", shown, age(ingress_class, now)]


INGRESS_CLASS = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    singular="ingressclass",
    namespaced=False,
    columns=(
        NAME_COLUMN,
        Column("Controller", description="Who serves Ingresses of the class."),
        Column("Parameters", description="What that controller reads more of."),
        AGE_COLUMN,
    ),
    row=_class_row,
    default=_default_class,
    validate=_validate_class,
    counts_generations=True,
)
