"""Requests and limits as the engine has them, and who is killed first when the memory is all."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.node.resources import resources_of
from kubelite.node.runtime import Resources
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod

GIB = 1024**3


def limits_of(resources: Obj, quality: str = "Burstable", **spec: Any) -> Resources:
    of = pod(container(resources=resources), status={"qosClass": quality}, **spec)
    return resources_of(of, of["spec"]["containers"][0], 8 * GIB)


@pytest.mark.parametrize(
    ("resources", "quality", "expected"),
    [
        ({}, "BestEffort", Resources(cpu_shares=2, oom_score_adj=1000)),
        (
            {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "500m", "memory": "64Mi"}},
            "Guaranteed",
            Resources(cpu_shares=512, cpu_quota=50_000, memory=64 * 1024**2),
        ),
        ({"requests": {"cpu": "250m"}}, "Burstable", Resources(cpu_shares=256, oom_score_adj=999)),
        ({"requests": {"memory": "4Gi"}}, "Burstable", Resources(cpu_shares=2, oom_score_adj=500)),
        ({"limits": {"memory": "1Mi"}}, "Burstable", Resources(cpu_shares=2, memory=6 * 1024**2, oom_score_adj=999)),
        ({"limits": {"cpu": "1m"}}, "Burstable", Resources(cpu_shares=2, cpu_quota=1000, oom_score_adj=999)),
        ({"requests": {"cpu": "300"}}, "Burstable", Resources(cpu_shares=262_144, oom_score_adj=999)),
    ],
)
def test_resources_become_engine_limits(resources: Obj, quality: str, expected: Resources) -> None:
    assert limits_of(resources, quality) == expected


@pytest.mark.parametrize(
    ("requests", "score"),
    [({}, 999), ({"memory": "1"}, 999), ({"memory": "2Gi"}, 750), ({"memory": "8Gi"}, 3), ({"memory": "80Gi"}, 3)],
)
def test_burstable_pods_are_killed_by_the_share_that_they_asked_for(requests: Obj, score: int) -> None:
    assert limits_of({"requests": requests}).oom_score_adj == score


def test_container_of_a_burstable_pod_is_judged_by_its_request_though_it_has_limits_for_all() -> None:
    full = {"cpu": "1", "memory": "2Gi"}
    assert limits_of({"requests": full, "limits": full}).oom_score_adj == 750


def test_pod_that_the_node_needs_is_not_among_the_first() -> None:
    assert limits_of({}, "BestEffort", priorityClassName="system-node-critical").oom_score_adj is None
