"""PriorityClasses: rules, the Table. What they give to pods is in `pod_admission`; the scheduler goes by it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden, forbidden_field
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Reader
from kubelite.registry.printing import age

SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_HIGHEST_USER_PRIORITY = 1_000_000_000


def _default(priority: Obj) -> None:
    priority["preemptionPolicy"] = priority.get("preemptionPolicy") or "PreemptLowerPriority"
    priority.setdefault("value", 0)


def _admit(new: Obj, old: Obj | None, reader: Reader) -> None:
    """One class at most is everybody's."""
    others = [found for found in reader.list("priorityclasses") if found.get("globalDefault")]
    if new.get("globalDefault") and others and (old is None or meta.name(others[0]) != meta.name(new)):
        text = f"PriorityClass {meta.name(others[0])} is already marked as default. Only one default can exist"
        raise forbidden("priorityclasses", meta.name(new), text, "scheduling.k8s.io")


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    errors = []
    name, value = meta.name(new), new["value"]
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only"
            errors.append(forbidden_field("metadata.name", text))
    elif value > _HIGHEST_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_HIGHEST_USER_PRIORITY}"
        errors.append(forbidden_field("value", text))
    if old is not None:
        if value != old.get("value", 0):
            errors.append(forbidden_field("value", "may not be changed in an update."))
        errors += validation.unchanged("preemptionPolicy", new["preemptionPolicy"], old.get("preemptionPolicy"))
    return errors


def _row(priority: Obj, now: datetime) -> list[Any]:
    return [
        meta.name(priority),
        priority.get("value", 0),
        bool(priority.get("globalDefault")),
        age(priority, now),
        priority.get("preemptionPolicy", ""),
    ]


PRIORITY_CLASS = Kind(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    singular="priorityclass",
    namespaced=False,
    short_names=("pc",),
    columns=(
        NAME_COLUMN,
        Column("Value", "integer", description="The priority; higher goes first."),
        Column("Global-Default", "boolean", description="Whether pods without a class get this one."),
        AGE_COLUMN,
        Column("PreemptionPolicy", description="Whether its pods may push others away."),
    ),
    row=_row,
    default=_default,
    admit=_admit,
    validate=_validate,
    counts_generations=True,
)
