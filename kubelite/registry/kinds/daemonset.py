"""DaemonSets: defaults, rules, the template's own generation, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.go_notation import go_int_or_string, go_strategy
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import template_warnings
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
from kubelite.registry.printing import age, format_labels

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"

_STATUS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")


def _default(workload: Obj) -> None:
    spec = workload["spec"] = workload.get("spec") or {}
    fill(spec, {"revisionHistoryLimit": 10})
    strategy = spec["updateStrategy"] = spec.get("updateStrategy") or {}
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = strategy.get("rollingUpdate") or {}
        fill(strategy["rollingUpdate"], {"maxUnavailable": 1, "maxSurge": 0})
    template = spec["template"] = spec.get("template") or {}
    default_template(template)


def _prepare(new: Obj, old: Obj | None) -> None:
    """Upstream keeps a count of the template's changes in an annotation; the creator may set its start."""
    if old is None:
        generation = max(_generation(new), 1)
    else:
        generation = _generation(old) + (new["spec"]["template"] != old["spec"]["template"])
    annotations = meta.annotations(new) | {TEMPLATE_GENERATION: str(generation)}
    new["metadata"] = new["metadata"] | {"annotations": annotations}


def _generation(workload: Obj) -> int:
    text = meta.annotations(workload).get(TEMPLATE_GENERATION, "")
    return int(text) if text.isdigit() else 0


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = selector_and_labels(spec, "daemonset", needs_selector=False)
    errors += template_spec("spec.template", spec["template"])
    errors += runs_for_ever(spec, "DaemonSet")
    errors += not_negative(spec, "minReadySeconds")
    errors += _strategy("spec.updateStrategy", spec["updateStrategy"])
    errors += not_negative(spec, "revisionHistoryLimit")
    if old is not None:
        errors += unchanged_selector(spec, old["spec"])
    return errors


def _strategy(path: str, strategy: Obj) -> list[FieldError]:
    if strategy["type"] == "OnDelete":
        return []
    if strategy["type"] != "RollingUpdate":
        shown = go_strategy("DaemonSetUpdateStrategy", "RollingUpdateDaemonSet", strategy)
        return [not_supported(path, shown, ("RollingUpdate", "OnDelete"))]
    unavailable, surge = (strategy["rollingUpdate"][name] for name in ("maxUnavailable", "maxSurge"))
    paths = [f"{path}.rollingUpdate.{name}" for name in ("maxUnavailable", "maxSurge")]
    errors = int_or_percent(paths[0], unavailable) + int_or_percent(paths[1], surge)
    errors += at_most_all(paths[0], unavailable) + at_most_all(paths[1], surge)
    if amount(unavailable) and amount(surge):
        text = "may not be set when maxUnavailable is non-zero"
        errors.append(invalid_value(paths[1], go_int_or_string(surge), text))
    elif not amount(unavailable) and not amount(surge):
        errors.append(required(paths[0], "cannot be 0 when maxSurge is 0"))
    return errors


def _row(workload: Obj, now: datetime) -> list[Any]:
    spec, status = workload["spec"], workload.get("status") or {}
    return [
        meta.name(workload),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        format_labels(spec["template"]["spec"].get("nodeSelector")),
        age(workload, now),
        *container_cells(spec),
        selector_cell(spec.get("selector")),
    ]


DAEMON_SET = Kind(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    namespaced=True,
    short_names=("ds",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer", description="On how many nodes its pod should run."),
        Column("Current", "integer", description="On how many of them there is one."),
        Column("Ready", "integer", description="On how many of them it is ready."),
        Column("Up-to-date", "integer", description="On how many of them it is of the newest template."),
        Column("Available", "integer", description="On how many of them it has been ready for long enough."),
        Column("Node Selector", description="The labels of the nodes that it is for."),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    prepare=_prepare,
    validate=_validate,
    subresource_rules={"status": counts(*_STATUS, "updatedNumberScheduled", "numberAvailable", "numberUnavailable")},
    initial_status=lambda workload: dict.fromkeys(_STATUS, 0),
    warnings=lambda workload: template_warnings(workload["spec"]["template"]),
)
