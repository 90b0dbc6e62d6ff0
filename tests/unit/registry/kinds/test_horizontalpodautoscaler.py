"""HorizontalPodAutoscalers: defaults, rules, the Table, and the older version of the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.horizontalpodautoscaler import HORIZONTAL_POD_AUTOSCALER
from kubelite.registry.kinds.horizontalpodautoscaler_v1 import HORIZONTAL_POD_AUTOSCALER_V1
from tests.unit.registry.kinds.conftest import Cluster

REF = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}


def scaler(**spec: Any) -> Obj:
    return {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": REF, "maxReplicas": 5} | spec}


def test_defaults(cluster: Cluster) -> None:
    made = cluster.create(HORIZONTAL_POD_AUTOSCALER, scaler(behavior={"scaleDown": {"selectPolicy": "Min"}}))
    target = {"type": "Utilization", "averageUtilization": 80}
    assert made["spec"]["minReplicas"] == 1
    assert made["spec"]["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert made["spec"]["behavior"] == {
        "scaleDown": {"selectPolicy": "Min", "policies": [percent]},
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, percent],
        },
    }


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"maxReplicas": 0}, "spec.maxReplicas: Invalid value: 0: must be greater than 0"),
        ({"minReplicas": 0}, "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
        ({"minReplicas": 6}, "spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`"),
        ({"scaleTargetRef": {"kind": "Deployment"}}, "spec.scaleTargetRef.name: Required value"),
        (
            {"metrics": [{"type": "Resource"}]},
            "spec.metrics[0].resource: Required value: must populate information for the given metric source",
        ),
        (
            {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]},
            "spec.metrics[0].resource.target.averageUtilization: Required value: "
            "must set either a target raw value or a target utilization",
        ),
        (
            {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}}},
            "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
        ),
    ],
)
def test_what_is_refused(cluster: Cluster, refused: Callable[..., list[str]], spec: Obj, problem: str) -> None:
    assert problem in refused(lambda: cluster.create(HORIZONTAL_POD_AUTOSCALER, scaler(**spec)))


@pytest.mark.parametrize(
    ("metrics", "current", "shown"),
    [
        ([CPU], [], "cpu: <unknown>/50%"),
        (
            [CPU],
            [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}],
            "cpu: 7%/50%",
        ),
        ([CPU, MEMORY, CPU], [], "cpu: <unknown>/50%, memory: <unknown>/1Gi + 1 more..."),
    ],
)
def test_row(now: datetime, metrics: list[Obj], current: list[Obj], shown: str) -> None:
    made = scaler(minReplicas=2, metrics=metrics) | {"status": {"currentReplicas": 3, "currentMetrics": current}}
    made["metadata"]["creationTimestamp"] = "2026-11-23T12:00:00Z"
    assert HORIZONTAL_POD_AUTOSCALER.row is not None
    assert HORIZONTAL_POD_AUTOSCALER.row(made, now) == ["web", "Deployment/web", shown, "2", 5, 3, "10s"]


def test_v1_has_a_field_for_the_cpu_and_annotations_for_the_rest() -> None:
    stored = scaler(minReplicas=1, metrics=[CPU, MEMORY], behavior={"scaleUp": {}})
    stored |= {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    stored["status"] = {"desiredReplicas": 0, "conditions": [{"type": "AbleToScale", "status": "True"}]}
    shown = HORIZONTAL_POD_AUTOSCALER_V1.encode(stored)
    assert shown["apiVersion"] == "autoscaling/v1"
    assert shown["spec"] == {
        "scaleTargetRef": REF,
        "maxReplicas": 5,
        "minReplicas": 1,
        "targetCPUUtilizationPercentage": 50,
    }
    back = HORIZONTAL_POD_AUTOSCALER_V1.decode(shown)
    assert sorted(back["spec"]["metrics"], key=str) == sorted([CPU, MEMORY], key=str)
    assert (back["spec"]["behavior"], back["status"]["conditions"]) == ({"scaleUp": {}}, stored["status"]["conditions"])
    assert "annotations" not in back["metadata"]
