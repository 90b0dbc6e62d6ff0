"""Deployments: defaults, rules, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.go_notation import go_int_or_string, go_strategy
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import workload_warnings
from kubelite.registry.kinds.workload import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    amount,
    at_most_all,
    container_cells,
    int_or_percent,
    not_negative,
    runs_for_ever,
    selector_and_labels,
    selector_cell,
    unchanged_selector,
)
from kubelite.registry.kinds.workload_status import counts
from kubelite.registry.printing import age

_SPEC = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
_ROLLING_UPDATE = {"maxUnavailable": "25%", "maxSurge": "25%"}


def _default(workload: Obj) -> None:
    spec = workload["spec"] = workload.get("spec") or {}
    fill(spec, _SPEC)
    strategy = spec["strategy"] = spec.get("strategy") or {}
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        fill(strategy["rollingUpdate"], _ROLLING_UPDATE)
    template = spec["template"] = spec.get("template") or {}
    default_template(template)


def _prepare(new: Obj, old: Obj | None) -> None:
    """A change of annotations counts as a new generation too."""
    if old is not None and meta.annotations(new) != meta.annotations(old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = not_negative(spec, "replicas")
    errors += selector_and_labels(spec, "deployment")
    errors += template_spec("spec.template", spec["template"])
    errors += runs_for_ever(spec, "ReplicaSet")
    errors += _strategy("spec.strategy", spec["strategy"])
    errors += not_negative(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    if spec["progressDeadlineSeconds"] <= (spec.get("minReadySeconds") or 0):
        text = "must be greater than minReadySeconds"
        errors.append(invalid_value("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], text))
    if old is not None:
        errors += unchanged_selector(spec, old["spec"])
    return errors


def _strategy(path: str, strategy: Obj) -> list[FieldError]:
    if strategy["type"] == "Recreate":
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [] if strategy.get("rollingUpdate") is None else [forbidden_field(f"{path}.rollingUpdate", text)]
    if strategy["type"] != "RollingUpdate":
        shown = go_strategy("DeploymentStrategy", "RollingUpdateDeployment", strategy)
        return [not_supported(path, shown, ("Recreate", "RollingUpdate"))]
    unavailable, surge = (strategy["rollingUpdate"][name] for name in ("maxUnavailable", "maxSurge"))
    at = f"{path}.rollingUpdate.maxUnavailable"
    errors = int_or_percent(at, unavailable) + int_or_percent(f"{path}.rollingUpdate.maxSurge", surge)
    if amount(unavailable) == 0 and amount(surge) == 0:
        errors.append(invalid_value(at, go_int_or_string(unavailable), "may not be 0 when `maxSurge` is 0"))
    return errors + at_most_all(at, unavailable)


def _row(workload: Obj, now: datetime) -> list[Any]:
    spec, status = workload["spec"], workload.get("status") or {}
    return [
        meta.name(workload),
        f"{status.get('readyReplicas', 0)}/{spec['replicas']}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(workload, now),
        *container_cells(spec),
        selector_cell(spec.get("selector")),
    ]


DEPLOYMENT = Kind(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    singular="deployment",
    namespaced=True,
    short_names=("deploy",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Ready", description="How many of its pods are ready, of how many that it wants."),
        Column("Up-to-date", description="How many of its pods are of the newest template."),
        Column("Available", description="How many of its pods have been ready for long enough."),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status", "scale"}),
    default=_default,
    prepare=_prepare,
    validate=_validate,
    subresource_rules={
        "status": counts(
            "replicas",
            "unavailableReplicas",
            parts=("updatedReplicas", "readyReplicas", "availableReplicas"),
        )
    },
    status_metadata=("annotations",),
    warnings=workload_warnings,
)
