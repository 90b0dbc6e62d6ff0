"""ReplicationControllers: the ReplicaSet's forerunner; its selector is a plain map, by default the template's labels."""

from __future__ import annotations

from kubelite.errors import FieldError, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.go_notation import go_labels
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import workload_warnings
from kubelite.registry.kinds.replicaset import COLUMNS, STATUS_RULES, cells, status_replicas
from kubelite.registry.kinds.workload import (
    MISMATCH,
    not_negative,
    runs_for_ever,
)
from kubelite.registry.printing import format_labels


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


REPLICATION_CONTROLLER = Kind(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    namespaced=True,
    short_names=("rc",),
    categories=("all",),
    columns=COLUMNS,
    row=lambda workload, now: cells(workload, now, format_labels(workload["spec"].get("selector"))),
    subresources=frozenset({"status", "scale"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": STATUS_RULES},
    fields={"status.replicas": status_replicas},
    initial_status=lambda workload: {"replicas": 0},
    counts_generations=True,
    orphans_by_default=True,
    warnings=_warnings,
)
