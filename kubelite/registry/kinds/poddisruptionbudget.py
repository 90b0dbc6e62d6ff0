"""PodDisruptionBudgets: rules and the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, not_supported
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.conditions import condition_errors
from kubelite.registry.kinds.workload import at_most_all, int_or_percent
from kubelite.registry.kinds.workload_status import counts
from kubelite.registry.printing import age

_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def _default(budget: Obj) -> None:
    budget["spec"] = budget.get("spec") or {}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        errors.append(invalid_value("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for name in ("minAvailable", "maxUnavailable"):
        if spec.get(name) is not None:
            errors += int_or_percent(f"spec.{name}", spec[name]) + at_most_all(f"spec.{name}", spec[name])
    errors += validation.label_selector("spec.selector", spec.get("selector"))
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _POLICIES))
    return errors


def _status_errors(new: Obj, old: Obj) -> list[FieldError]:
    conditions = (new.get("status") or {}).get("conditions") or ()
    return condition_errors("status.conditions", conditions) + counts(*_COUNTS)(new, old)


def _row(budget: Obj, now: datetime) -> list[Any]:
    bounds = (budget["spec"].get(name) for name in ("minAvailable", "maxUnavailable"))
    return [
        meta.name(budget),
        *("N/A" if bound is None else str(bound) for bound in bounds),
        (budget.get("status") or {}).get("disruptionsAllowed", 0),
        age(budget, now),
    ]


POD_DISRUPTION_BUDGET = Kind(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    namespaced=True,
    short_names=("pdb",),
    columns=(
        NAME_COLUMN,
        Column("Min Available", description="How many of its pods have to stay healthy."),
        Column("Max Unavailable", description="How many of its pods may be gone."),
        Column("Allowed Disruptions", "integer", description="How many of its pods may be evicted now."),
        AGE_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": _status_errors},
    initial_status=lambda budget: dict.fromkeys(_COUNTS, 0),
)
