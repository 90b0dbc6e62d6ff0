"""ReplicaSets: defaults, rules, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import workload_warnings
from kubelite.registry.kinds.workload import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    not_negative,
    runs_for_ever,
    selector_and_labels,
    selector_cell,
    unchanged_selector,
)
from kubelite.registry.kinds.workload_status import counts
from kubelite.registry.printing import age


def _default(workload: Obj) -> None:
    spec = workload["spec"] = workload.get("spec") or {}
    fill(spec, {"replicas": 1})
    template = spec["template"] = spec.get("template") or {}
    default_template(template)


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = not_negative(spec, "replicas", "minReadySeconds")
    errors += selector_and_labels(spec, "deployment")  # sic: upstream says so for ReplicaSets too
    errors += template_spec("spec.template", spec["template"])
    errors += runs_for_ever(spec, "ReplicaSet")
    if old is not None:
        errors += unchanged_selector(spec, old["spec"])
    return errors


def cells(workload: Obj, now: datetime, selector: str) -> list[Any]:
    """The row of a set of replicas, a ReplicationController's too."""
    spec, status = workload["spec"], workload.get("status") or {}
    return [
        meta.name(workload),
        spec["replicas"],
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(workload, now),
        *container_cells(spec),
        selector,
    ]


COLUMNS = (
    NAME_COLUMN,
    Column("Desired", "integer", description="How many pods it wants."),
    Column("Current", "integer", description="How many pods there are."),
    Column("Ready", "integer", description="How many of them are ready."),
    AGE_COLUMN,
    *CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
)
STATUS_RULES = counts("replicas", parts=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"))


def status_replicas(workload: Obj) -> str:
    """What the field selector `status.replicas` looks at."""
    return str((workload.get("status") or {}).get("replicas", 0))


REPLICA_SET = Kind(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    namespaced=True,
    short_names=("rs",),
    categories=("all",),
    columns=COLUMNS,
    row=lambda workload, now: cells(workload, now, selector_cell(workload["spec"].get("selector"))),
    subresources=frozenset({"status", "scale"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": STATUS_RULES},
    fields={"status.replicas": status_replicas},
    initial_status=lambda workload: {"replicas": 0},
    warnings=workload_warnings,
)
