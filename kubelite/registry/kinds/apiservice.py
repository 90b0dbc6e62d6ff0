"""APIServices (apiregistration.k8s.io/v1): one for every group and version that is served.

After kube-aggregator's `apis/apiregistration/validation` and `registry/apiservice`. One with a service is answered by
another API server.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.webhookconfiguration import default_client
from kubelite.registry.printing import age

_Faults = Iterator[FieldError]
_MOST_GROUP, _MOST_VERSION = 20000, 1000
_STATUSES = ("True", "False", "Unknown")


def _default(service: Obj) -> None:
    default_client(service.get("spec") or {})


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    return [*_name_errors(meta.name(new), spec), *_group_errors(spec), *_priority_errors(spec), *_remote_errors(spec)]


def _name_errors(name: str, spec: Obj) -> _Faults:
    wanted = f"{spec.get('version', '')}.{spec.get('group', '')}"
    if name != wanted and not validation.path_segment_name(name):
        yield invalid_value("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"')


def _group_errors(spec: Obj) -> _Faults:
    group, version = spec.get("group") or "", spec.get("version") or ""
    if not group and version != "v1":
        yield required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    if group:
        yield from validation.values("spec.group", group, validation.dns_subdomain(group))
    yield from validation.values("spec.version", version, validation.dns_1035_label(version))


def _priority_errors(spec: Obj) -> _Faults:
    for field, most in (("groupPriorityMinimum", _MOST_GROUP), ("versionPriority", _MOST_VERSION)):
        given = spec.get(field) or 0
        if not 0 < given <= most:
            yield invalid_value(f"spec.{field}", given, f"must be positive and less than {most}")


def _remote_errors(spec: Obj) -> _Faults:
    service, bundle, skips = spec.get("service"), spec.get("caBundle"), spec.get("insecureSkipTLSVerify")
    if service is None:
        if bundle:
            yield invalid_value("spec.caBundle", f"{len(bundle)} bytes", "local APIServices may not have a caBundle")
        if skips:
            text = "local APIServices may not have insecureSkipTLSVerify"
            yield invalid_value("spec.insecureSkipTLSVerify", skips, text)
        return
    for field in ("namespace", "name"):
        if not service.get(field):
            yield required(f"spec.service.{field}")
    yield from validation.values("spec.service.port", service["port"], validation.port_number(service["port"]))
    if skips and bundle:
        yield invalid_value("spec.insecureSkipTLSVerify", skips, "may not be true if caBundle is present")


def _status_rules(new: Obj, old: Obj) -> list[FieldError]:
    return [
        not_supported(f"status.conditions[{index}].status", condition.get("status"), _STATUSES)
        for index, condition in enumerate((new.get("status") or {}).get("conditions") or ())
        if condition.get("status") not in _STATUSES
    ]


def _row(service: Obj, now: datetime) -> list[Any]:
    remote = service["spec"].get("service")
    available = meta.condition((service.get("status") or {}).get("conditions"), "Available")
    shown = available["status"] if available else "Unknown"
    if available and shown != "True" and available.get("reason"):
        shown = f"{shown} ({available['reason']})"
    where = f"{remote['namespace']}/{remote['name']}" if remote else "Local"
    return [meta.name(service), where, shown, age(service, now)]


API_SERVICE = Kind(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    singular="apiservice",
    namespaced=False,
    categories=("api-extensions",),
    columns=(
        NAME_COLUMN,
        Column("Service", description="The reference to the service that hosts this API endpoint."),
        Column("Available", description="Whether this service is available."),
        AGE_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": _status_rules},
    name_rule="path",
    counts_generations=False,
)
