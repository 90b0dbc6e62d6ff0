"""ReplicationControllers: the ReplicaSet's forerunner; its selector is a plain map, by default the template's labels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.go_notation import go_labels
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import workload_warnings
from kubelite.registry.kinds.workload import (
    CONTAINER_COLUMNS,
    MISMATCH,
    SELECTOR_COLUMN,
    container_cells,
    not_negative,
    runs_for_ever,
)
from kubelite.registry.kinds.workload_status import counts
from kubelite.registry.printing import age, format_labels


def _default(workload: Obj) -> None:
    spec = workload["spec"] = workload.get("spec") or {}
    fill(spec, {"replicas": 1})
    if spec.get("template") is None:
        return
    default_template(spec["template"])
    labels = spec["template"]["metadata"].get("labels") or {}
    if labels and not spec.get("selector"):
        spec["selector"] = dict(labels)
    if labels and not meta.labels(workload):
        workload["metadata"] = workload["metadata"] | {"labels": dict(labels)}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = not_negative(spec, "minReadySeconds")
    if not spec.get("selector"):
        errors.append(required("spec.selector"))
    errors += not_negative(spec, "replicas")
    if spec.get("template") is None:
        return [*errors, required("spec.template")]
    labels = spec["template"]["metadata"].get("labels") or {}
    if spec.get("selector") and not spec["selector"].items() <= labels.items():
        errors.append(invalid_value("spec.template.metadata.labels", go_labels(labels or None), MISMATCH))
    return [*errors, *template_spec("spec.template", spec["template"]), *runs_for_ever(spec, "ReplicationController")]


def _warnings(workload: Obj) -> list[str]:
    return workload_warnings(workload) if workload["spec"].get("template") is not None else []


def _row(workload: Obj, now: datetime) -> list[Any]:
    spec, status = workload["spec"], workload.get("status") or {}
    return [
        meta.name(workload),
        spec["replicas"],
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(workload, now),
        *container_cells(spec),
        format_labels(spec.get("selector")),
    ]


REPLICATION_CONTROLLER = Kind(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    namespaced=True,
    short_names=("rc",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer", description="How many pods it wants."),
        Column("Current", "integer", description="How many pods there are."),
        Column("Ready", "integer", description="How many of them are ready."),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status", "scale"}),
    default=_default,
    validate=_validate,
    subresource_rules={
        "status": counts("replicas", parts=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"))
    },
    fields={"status.replicas": lambda workload: str((workload.get("status") or {}).get("replicas", 0))},
    initial_status=lambda workload: {"replicas": 0},
    counts_generations=True,
    orphans_by_default=True,
    warnings=_warnings,
)
