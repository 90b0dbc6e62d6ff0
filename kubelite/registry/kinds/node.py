"""Nodes: validation of taints and addresses, the wide Table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import NONE, UNKNOWN, age

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"
_TAINT_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = _taint_errors(spec.get("taints") or [])
    status = new.get("status") or {}
    for field in ("capacity", "allocatable"):
        for name, amount in (status.get(field) or {}).items():
            errors += validation.quantity(f"status.{field}.{name}", amount)
    return errors + (_fixed_errors(spec, old.get("spec") or {}) if old is not None else [])


def _taint_errors(taints: list[Obj]) -> list[FieldError]:
    errors = []
    seen = set()
    for index, taint in enumerate(taints):
        path = f"metadata.taints[{index}]"  # upstream's path, though taints are in the spec
        key, value, effect = (taint.get(field) or "" for field in ("key", "value", "effect"))
        errors += validation.values(f"{path}.key", key, validation.qualified_name(key))
        if messages := validation.label_value(value):
            errors.append(invalid_value(f"{path}.value", value, ";".join(messages)))
        if not effect:
            errors.append(required(f"{path}.effect"))
        elif effect not in _TAINT_EFFECTS:
            errors.append(not_supported(f"{path}.effect", effect, ("NoSchedule", "PreferNoSchedule", "NoExecute")))
        if (key, effect) in seen:
            errors.append(duplicate(path, taint))
        seen.add((key, effect))
    return errors


def _fixed_errors(spec: Obj, old: Obj) -> list[FieldError]:
    return [
        forbidden_field(f"spec.{field}", f'node updates may not change {field} except from "" to valid')
        for field in ("podCIDR", "providerID")
        if old.get(field) and old[field] != spec.get(field)
    ]


def _readiness(node: Obj) -> str:
    ready = meta.condition((node.get("status") or {}).get("conditions"), "Ready")
    if ready is None:
        return "Unknown"
    return "Ready" if ready["status"] == "True" else "NotReady"


def _is_unschedulable(node: Obj) -> bool:
    return bool((node.get("spec") or {}).get("unschedulable"))


def _status(node: Obj) -> str:
    return _readiness(node) + (",SchedulingDisabled" if _is_unschedulable(node) else "")


def _roles(node: Obj) -> Iterator[str]:
    for key, value in meta.labels(node).items():
        if key.startswith(_ROLE_PREFIX) and key != _ROLE_PREFIX:
            yield key.removeprefix(_ROLE_PREFIX)
        elif key == _ROLE_LABEL and value:
            yield value


def _address(status: Obj, kind: str) -> str:
    found = (entry["address"] for entry in status.get("addresses") or () if entry["type"] == kind)
    return next(found, NONE)


def _row(node: Obj, now: datetime) -> list[Any]:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    return [
        meta.name(node),
        _status(node),
        ",".join(sorted(set(_roles(node)))) or NONE,
        age(node, now),
        info.get("kubeletVersion") or "",
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _default(node: Obj) -> None:
    """Whoever makes a node by hand may leave its spec out."""
    node["spec"] = node.get("spec") or {}


NODE = Kind(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    short_names=("no",),
    columns=(
        NAME_COLUMN,
        Column("Status", description="Whether the node takes and runs pods."),
        Column("Roles", description="Roles from the node's labels."),
        AGE_COLUMN,
        Column("Version", description="Version that the kubelet reports."),
        Column("Internal-IP", description="Address within the cluster.", priority=1),
        Column("External-IP", description="Address for the outside.", priority=1),
        Column("OS-Image", description="Operating system.", priority=1),
        Column("Kernel-Version", description="Kernel.", priority=1),
        Column("Container-Runtime", description="Engine that runs the containers.", priority=1),
    ),
    row=_row,
    subresources=frozenset({"status", "proxy"}),
    default=_default,
    validate=_validate,
    fields={"spec.unschedulable": lambda node: str(_is_unschedulable(node)).lower()},
    initial_status=lambda node: node.get("status"),
)
