"""HorizontalPodAutoscalers of autoscaling/v2: defaults and the Table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.horizontalpodautoscaler_rules import SOURCES, spec_errors
from kubelite.registry.kinds.podspec_defaults import fill
from kubelite.registry.kinds.workload_status import counts
from kubelite.registry.printing import UNKNOWN, UNSET, age

_CPU: Obj = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}
_SCALE_UP: Obj = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _PERCENT],
}
_SCALE_DOWN: Obj = {"selectPolicy": "Max", "policies": [_PERCENT]}
_SHOWN = 2


def _default(scaler: Obj) -> None:
    spec = scaler["spec"] = scaler.get("spec") or {}
    fill(spec, {"minReplicas": 1})
    if not spec.get("metrics"):
        spec["metrics"] = [meta.copy(_CPU)]
    if spec.get("behavior") is None:
        return
    for direction, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
        spec["behavior"][direction] = spec["behavior"].get(direction) or {}
        fill(spec["behavior"][direction], meta.copy(rules))


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    return spec_errors("spec", new["spec"])


def _row(scaler: Obj, now: datetime) -> list[Any]:
    spec, status = scaler["spec"], scaler.get("status") or {}
    target = spec["scaleTargetRef"]
    return [
        meta.name(scaler),
        f"{target['kind']}/{target['name']}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        str(spec["minReplicas"]) if spec.get("minReplicas") is not None else UNSET,
        spec["maxReplicas"],
        status.get("currentReplicas", 0),
        age(scaler, now),
    ]


def _targets(metrics: list[Obj], current: list[Obj]) -> str:
    if not metrics:
        return "<none>"
    shown = list(_each_target(metrics, current))
    listed = ", ".join(shown[:_SHOWN])
    return f"{listed} + {len(shown) - _SHOWN} more..." if len(shown) > _SHOWN else listed


def _each_target(metrics: list[Obj], current: list[Obj]) -> Iterator[str]:
    for index, metric in enumerate(metrics):
        field = SOURCES[metric["type"]]
        measured = (current[index].get(field) or {}).get("current") or {} if index < len(current) else {}
        target = metric[field]["target"]
        if field in ("resource", "containerResource"):
            yield f"{metric[field]['name']}: {_of_resource(target, measured)}"
        elif target.get("averageValue") is not None:
            note = "" if field == "pods" else " (avg)"
            yield f"{measured.get('averageValue', UNKNOWN)}/{target['averageValue']}{note}"
        else:
            yield f"{measured.get('value', UNKNOWN)}/{target.get('value')}"


def _of_resource(target: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    if target.get("averageValue") is not None:
        return f"{measured.get('averageValue', UNKNOWN)}/{target['averageValue']}"
    reached, wanted = measured.get("averageUtilization"), target.get("averageUtilization")
    return f"{UNKNOWN if reached is None else f'{reached}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"


HORIZONTAL_POD_AUTOSCALER = Kind(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Reference", description="Whose replicas it sets."),
        Column("Targets", description="What it measures, and what that should be."),
        Column("MinPods", description="The least replicas that it sets."),
        Column("MaxPods", description="The most replicas that it sets."),
        Column("Replicas", description="How many replicas there were when it last looked."),
        AGE_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": counts("currentReplicas", "desiredReplicas")},
    initial_status=lambda scaler: {"currentMetrics": None, "desiredReplicas": 0},
    counts_generations=False,
)
