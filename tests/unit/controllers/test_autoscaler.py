"""HorizontalPodAutoscalers: what metrics ask for, what the limits make of it, and scenarios on a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubelite.controllers.autoscaler import AutoscalerController
from kubelite.controllers.autoscaler.limits import History, decide
from kubelite.controllers.autoscaler.proposal import Proposal, decimal, propose, target_of
from kubelite.controllers.autoscaler.samples import Unmeasurable
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO, LATELY = "2026-01-01T10:00:00Z", "2026-01-01T11:59:00Z"


@dataclass
class Used:
    cpu: int
    memory: int = 0
    window: float = 15.0
    age: float = 0.0


def pod(name: str, *, request: str = "1", phase: str = "Running", ready: bool = True, since: str = LONG_AGO) -> Obj:
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    return {
        "metadata": {"name": name, "uid": name},
        "spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": request}}}]},
        "status": {"phase": phase, "conditions": [condition], "startTime": since},
    }


def cpu(*milli: int | None) -> dict[str, dict[str, Used]]:
    """Usage of the pods p0, p1, ...; None where it isn't known."""
    return {f"p{at}": {"web": Used(one * 1_000_000)} for at, one in enumerate(milli) if one is not None}


def utilization(percent: int) -> Obj:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def proposed(metric: Obj, pods: list[Obj], measured: Mapping[str, Any], current: int) -> Proposal:
    target = target_of(metric)
    assert target is not None
    return propose(target, pods, measured, current, NOW)


# Cases of upstream's replica_calculator_test: current, usage in thousandths, target in per cent, wanted.
@pytest.mark.parametrize(
    ("used", "percent", "wanted"),
    [
        ((300, 500, 700), 30, 5),
        ((100, 300, 500, 250, 250), 50, 3),
        ((1010, 1030, 1020), 100, 3),
        ((890, 910, 900), 100, 3),
        ((1000, None, None), 60, 3),
        ((100, None), 100, 2),
        ((1200, 1200), 100, 3),
        ((0, 0), 50, 0),
    ],
)
def test_replicas_follow_the_usage(used: tuple[int | None, ...], percent: int, wanted: int) -> None:
    pods = [pod(f"p{at}") for at in range(len(used))]
    assert proposed(utilization(percent), pods, cpu(*used), len(used)).replicas == wanted


@pytest.mark.parametrize(
    ("others", "wanted"),
    [
        ({}, 5),
        ({"ready": False, "since": LATELY}, 4),  # counts as idle
        ({"phase": "Pending"}, 4),
    ],
)
def test_starting_pods_count_as_idle_when_more_are_wanted(others: dict[str, Any], wanted: int) -> None:
    pods = [pod("p0", **others), pod("p1"), pod("p2")]
    assert proposed(utilization(30), pods, cpu(300, 500, 700), 3).replicas == wanted


def test_leaving_and_failed_pods_do_not_count() -> None:
    leaving = pod("p0")
    leaving["metadata"]["deletionTimestamp"] = LATELY
    assert (
        proposed(utilization(50), [leaving, pod("p1"), pod("p2", phase="Failed")], cpu(900, 100, 900), 1).replicas == 1
    )


def test_status_shows_utilization_and_amount() -> None:
    found = proposed(utilization(50), [pod("p0"), pod("p1")], cpu(250, 750), 2)
    current = {"averageUtilization": 50, "averageValue": "500m"}
    assert found.status == {"type": "Resource", "resource": {"name": "cpu", "current": current}}
    assert found.name == "cpu resource utilization (percentage of request)"


def test_average_value_needs_no_requests() -> None:
    target = {"type": "AverageValue", "averageValue": "100Mi"}
    metric = {"type": "Resource", "resource": {"name": "memory", "target": target}}
    one = pod("p0")
    del one["spec"]["containers"][0]["resources"]
    found = proposed(metric, [one], {"p0": {"web": Used(0, 300 << 20)}}, 1)
    assert (found.replicas, found.name) == (3, "memory resource")
    assert found.status["resource"]["current"] == {"averageValue": "314572800"}


@pytest.mark.parametrize(
    ("pods", "measured", "why"),
    [
        ([pod("p0")], {}, "unable to get metrics for resource cpu: no metrics returned from resource metrics API"),
        ([pod("p0", phase="Pending")], cpu(1), "did not receive metrics for targeted pods (pods might be unready)"),
        (
            [{**pod("p0"), "spec": {"containers": [{"name": "web"}]}}],
            cpu(1),
            "missing request for cpu in container web",
        ),
    ],
)
def test_what_cannot_be_measured_is_told(pods: list[Obj], measured: Mapping[str, Any], why: str) -> None:
    with pytest.raises(Unmeasurable) as told:
        proposed(utilization(50), pods, measured, 1)
    assert str(told.value).startswith(why)


@pytest.mark.parametrize(("milli", "text"), [(0, "0"), (12, "12m"), (1500, "1500m"), (2000, "2"), (3_000_000, "3k")])
def test_amounts_are_written_with_the_largest_fitting_suffix(milli: int, text: str) -> None:
    assert decimal(milli) == text


@pytest.mark.parametrize(
    ("current", "asked", "size", "limit"),
    [
        (3, 5, 5, "DesiredWithinRange"),
        (3, 20, 6, "ScaleUpLimit"),
        (1, 20, 4, "ScaleUpLimit"),
        (8, 20, 10, "TooManyReplicas"),
        (3, 1, 2, "TooFewReplicas"),
    ],
)
def test_limits_without_behavior(current: int, asked: int, size: int, limit: str) -> None:
    decided = decide({"minReplicas": 2, "maxReplicas": 10}, current, asked, History(), NOW)
    assert (decided.replicas, decided.limit[0]) == (size, limit)


def test_scaling_down_waits_for_the_window() -> None:
    spec, history = {"minReplicas": 1, "maxReplicas": 10}, History()
    assert decide(spec, 8, 8, history, NOW).stabilized[0] == "ReadyForNewScale"
    early = decide(spec, 8, 2, history, NOW + timedelta(seconds=299))
    assert (early.replicas, early.stabilized[0]) == (8, "ScaleDownStabilized")
    assert decide(spec, 8, 2, history, NOW + timedelta(seconds=301)).replicas == 2


def _rules(*policies: tuple[str, int], select: str = "Max", window: int = 0) -> Obj:
    listed = [{"type": kind, "value": value, "periodSeconds": 60} for kind, value in policies]
    return {"selectPolicy": select, "policies": listed, "stabilizationWindowSeconds": window}


@pytest.mark.parametrize(
    ("up", "down", "asked", "size", "limit"),
    [
        (_rules(("Pods", 1), ("Percent", 50)), _rules(("Percent", 100)), 20, 6, "ScaleUpLimit"),
        (_rules(("Pods", 1), ("Percent", 50), select="Min"), _rules(("Percent", 100)), 20, 5, "ScaleUpLimit"),
        (_rules(("Pods", 1), select="Disabled"), _rules(("Percent", 100)), 20, 4, "ScaleUpLimit"),
        (_rules(("Pods", 1)), _rules(("Pods", 1), ("Percent", 50)), 1, 2, "ScaleDownLimit"),
        (_rules(("Pods", 1)), _rules(("Pods", 1), ("Percent", 50), select="Min"), 1, 3, "ScaleDownLimit"),
        (_rules(("Pods", 1)), _rules(("Percent", 100)), 0, 1, "TooFewReplicas"),
    ],
)
def test_policies_limit_the_speed(up: Obj, down: Obj, asked: int, size: int, limit: str) -> None:
    spec = {"minReplicas": 1, "maxReplicas": 30, "behavior": {"scaleUp": up, "scaleDown": down}}
    decided = decide(spec, 4, asked, History(), NOW)
    assert (decided.replicas, decided.limit[0]) == (size, limit)


def test_policies_count_what_was_done_in_their_period() -> None:
    rules = {"scaleUp": _rules(("Pods", 2)), "scaleDown": _rules(("Pods", 2))}
    spec, history = {"minReplicas": 1, "maxReplicas": 30, "behavior": rules}, History()
    history.scaled(NOW, 1)
    assert decide(spec, 5, 20, history, NOW + timedelta(seconds=30)).replicas == 6
    assert decide(spec, 6, 20, history, NOW + timedelta(seconds=90)).replicas == 8


# scenarios


@dataclass
class Meter:
    """Every pod uses the same."""

    milli: int = 0
    asked: list[str] = field(default_factory=list)

    async def of(self, pods: Iterable[Obj]) -> dict[str, dict[str, Used]]:
        return {meta.uid(pod): {"web": Used(self.milli * 1_000_000)} for pod in pods}


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def look(registry: Registry, recorded: Recorded, clock: Clock, meter: Meter) -> Callable[[], Any]:
    """A Deployment of two running pods that each asked for a tenth of a CPU, and one look of the autoscaler."""
    container = {"name": "web", "image": "httpd", "resources": {"requests": {"cpu": "100m"}}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    registry.create("deployments", {"metadata": {"name": "web"}, "spec": spec})
    for name in ("p0", "p1"):
        made = registry.create("pods", {"metadata": {"name": name, "labels": {"a": "b"}}, "spec": template["spec"]})
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": meta.format_time(clock())}
        status = {"phase": "Running", "conditions": [condition], "startTime": meta.format_time(clock())}
        registry.update("pods", made | {"status": status}, "status")
    clock.advance(600)
    controller = AutoscalerController(registry, recorded, meter, clock)

    async def look() -> Obj:
        assert await controller.reconcile(("default", "web")) == 15.0
        return registry.get("horizontalpodautoscalers", "default", "web")

    return look


def scaler(registry: Registry, kind: str = "Deployment", **spec: Any) -> None:
    ref = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    new = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": ref, "maxReplicas": 5, **spec}}
    registry.create("horizontalpodautoscalers", new)


def reasons(scaler: Obj) -> dict[str, tuple[str, str]]:
    return {found["type"]: (found["status"], found["reason"]) for found in scaler["status"]["conditions"]}


async def test_busy_pods_get_company(
    registry: Registry, look: Callable[[], Any], meter: Meter, recorded: Recorded, clock: Clock
) -> None:
    scaler(registry, metrics=[utilization(50)])
    meter.milli = 75
    found = await look()
    assert registry.get("deployments", "default", "web")["spec"]["replicas"] == 3
    assert (found["status"]["currentReplicas"], found["status"]["desiredReplicas"]) == (2, 3)
    assert found["status"]["lastScaleTime"] == meta.format_time(clock())
    assert found["status"]["currentMetrics"][0]["resource"]["current"] == {
        "averageUtilization": 75,
        "averageValue": "75m",
    }
    assert reasons(found) == {
        "AbleToScale": ("True", "SucceededRescale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    told = "New size: 3; reason: cpu resource utilization (percentage of request) above target"
    assert ("SuccessfulRescale", told) in recorded.events


async def test_sizes_out_of_bounds_need_no_metrics(registry: Registry, look: Callable[[], Any]) -> None:
    scaler(registry, minReplicas=4)
    found = await look()
    assert registry.get("deployments", "default", "web")["spec"]["replicas"] == 4
    assert reasons(found) == {"AbleToScale": ("True", "SucceededRescale")}


async def test_a_target_of_size_zero_is_left_alone(registry: Registry, look: Callable[[], Any]) -> None:
    registry.patch("deployments", "default", "web", {"spec": {"replicas": 0}})
    scaler(registry)
    assert reasons(await look())["ScalingActive"] == ("False", "ScalingDisabled")


async def test_a_missing_target_is_told(registry: Registry, look: Callable[[], Any], recorded: Recorded) -> None:
    scaler(registry, kind="StatefulSet")
    assert reasons(await look()) == {"AbleToScale": ("False", "FailedGetScale")}
    assert recorded.events == [("FailedGetScale", 'statefulsets.apps "web" not found')]


async def test_metrics_of_other_sources_are_told(
    registry: Registry, look: Callable[[], Any], recorded: Recorded
) -> None:
    target = {"type": "AverageValue", "averageValue": "10"}
    scaler(registry, metrics=[{"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": target}}])
    assert reasons(await look())["ScalingActive"] == ("False", "FailedGetPodsMetric")
    assert recorded.reasons == ["FailedGetPodsMetric", "FailedComputeMetricsReplicas"]
    assert registry.get("deployments", "default", "web")["spec"]["replicas"] == 2


async def test_nothing_is_written_when_nothing_changed(
    registry: Registry, look: Callable[[], Any], meter: Meter
) -> None:
    scaler(registry, metrics=[utilization(50)])
    meter.milli = 50
    assert (await look())["metadata"]["resourceVersion"] == (await look())["metadata"]["resourceVersion"]
