"""HorizontalPodAutoscalers of autoscaling/v1: the stored v2 objects, with one field for the CPU's utilization.

What v1 has no fields for travels in annotations, as upstream's conversion has it, so that nothing is lost on the way.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.horizontalpodautoscaler import HORIZONTAL_POD_AUTOSCALER

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
_CARRIERS = (_METRICS, _BEHAVIOR, _CONDITIONS, _CURRENT_METRICS)


def _is_cpu(metric: Obj) -> bool:
    return bool(metric["type"] == "Resource" and metric["resource"]["name"] == "cpu")


def _encode(scaler: Obj) -> Obj:
    spec, status = dict(scaler["spec"]), dict(scaler.get("status") or {})
    metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    carried = {_BEHAVIOR: spec.pop("behavior", None), _CONDITIONS: status.pop("conditions", None)}
    cpu = next((metric["resource"]["target"] for metric in metrics if _is_utilization(metric)), None)
    carried[_METRICS] = [metric for metric in metrics if not _is_utilization(metric)]
    carried[_CURRENT_METRICS] = current
    if cpu is not None:
        spec["targetCPUUtilizationPercentage"] = cpu["averageUtilization"]
    reached: Obj = next((metric["resource"]["current"] for metric in current if _is_cpu(metric)), {})
    if reached.get("averageUtilization") is not None:
        status["currentCPUUtilizationPercentage"] = reached["averageUtilization"]
    status = {"currentReplicas": 0, "desiredReplicas": 0} | status
    annotations = meta.annotations(scaler) | {key: _text(value) for key, value in carried.items() if value}
    metadata = scaler["metadata"] | ({"annotations": annotations} if annotations else {})
    return {**scaler, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _is_utilization(metric: Obj) -> bool:
    return _is_cpu(metric) and metric["resource"]["target"].get("averageUtilization") is not None


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _decode(scaler: Obj) -> Obj:
    spec, status = dict(scaler.get("spec") or {}), dict(scaler.get("status") or {})
    annotations = dict(meta.annotations(scaler))
    carried = {key: _value(annotations.pop(key, None)) for key in _CARRIERS}
    metrics = list(carried[_METRICS] or [])
    if (utilization := spec.pop("targetCPUUtilizationPercentage", None)) is not None:
        target = {"type": "Utilization", "averageUtilization": utilization}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
    status.pop("currentCPUUtilizationPercentage", None)
    spec |= {name: value for name, value in (("metrics", metrics), ("behavior", carried[_BEHAVIOR])) if value}
    parts = {"spec": spec} if "spec" in scaler else {}
    found = (("conditions", carried[_CONDITIONS]), ("currentMetrics", carried[_CURRENT_METRICS]))
    status |= {name: value for name, value in found if value}
    metadata = {key: value for key, value in scaler["metadata"].items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    parts |= {"status": status} if "status" in scaler else {}
    return {**scaler, "apiVersion": "autoscaling/v2", "metadata": metadata, **parts}


def _value(text: str | None) -> list[Obj] | Obj | None:
    """Unreadable annotations are passed over, as upstream does."""
    if text is None:
        return None
    try:
        value: list[Obj] | Obj = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return value


HORIZONTAL_POD_AUTOSCALER_V1 = replace(
    HORIZONTAL_POD_AUTOSCALER,
    version="v1",
    stored_as=HORIZONTAL_POD_AUTOSCALER,
    encode=_encode,
    decode=_decode,
)
