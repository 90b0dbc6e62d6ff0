"""The node's Ready condition is what the engine is."""

from __future__ import annotations

import pytest

from kubelite.node import node_health
from kubelite.node.node_health import NodeHealth
from kubelite.node.node_status import register_node
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded
from tests.unit.node.fake_runtime import FakeRuntime


@pytest.fixture
def runtime(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    monkeypatch.setattr(node_health, "SETTLE", 0.0)
    return FakeRuntime(clock)


@pytest.fixture
async def health(registry: Registry, recorded: Recorded, runtime: FakeRuntime, clock: Clock) -> NodeHealth:
    register_node(registry, registry.settings, await runtime.info(), "v1.32.0", clock())

    async def renewed() -> None:
        runtime.calls.append("renewed")

    return NodeHealth(registry, recorded, runtime, registry.settings, clock, renewed)


def ready(registry: Registry) -> Obj:
    node = registry.get("nodes", None, registry.settings.node_name)
    found = meta.condition(node["status"]["conditions"], "Ready")
    assert found is not None
    return {key: found[key] for key in ("status", "reason", "message")}


async def test_node_is_not_ready_while_the_engine_is_away(
    registry: Registry, recorded: Recorded, runtime: FakeRuntime, health: NodeHealth
) -> None:
    before = registry.get("nodes", None, registry.settings.node_name)
    runtime.gone = True
    await health.check()
    down = {"status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}
    assert ready(registry) == down
    await health.check()
    runtime.gone = False
    await health.check()
    assert ready(registry)["reason"] == "KubeletReady"
    name = registry.settings.node_name
    assert recorded.events == [
        ("NodeNotReady", f"Node {name} status is now: NodeNotReady"),
        ("NodeReady", f"Node {name} status is now: NodeReady"),
    ]
    after = registry.get("nodes", None, name)
    assert after["status"]["nodeInfo"] == before["status"]["nodeInfo"]


async def test_network_that_is_gone_is_made_anew_or_its_trouble_told(
    registry: Registry, runtime: FakeRuntime, health: NodeHealth
) -> None:
    runtime.network_missing = True
    await health.check()
    await health.check()
    assert runtime.calls == ["renewed"]
    assert ready(registry)["status"] == "True"
    runtime.network_refused = "its range is taken"
    await health.check()
    assert ready(registry)["message"] == (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:its range is taken"
    )


async def test_heartbeat_comes_every_five_minutes(registry: Registry, health: NodeHealth, clock: Clock) -> None:
    name = registry.settings.node_name
    before = registry.get("nodes", None, name)
    clock.advance(200)
    await health.check()
    assert registry.get("nodes", None, name) == before
    clock.advance(100)
    await health.check()
    conditions = registry.get("nodes", None, name)["status"]["conditions"]
    assert {condition["lastHeartbeatTime"] for condition in conditions} >= {meta.format_time(clock())}
    assert all(
        condition["lastTransitionTime"] == meta.format_time(clock.at.replace(minute=4, second=5))
        for condition in conditions
    )


async def test_node_that_was_deleted_is_not_made_anew(registry: Registry, health: NodeHealth) -> None:
    registry.delete("nodes", None, registry.settings.node_name)
    await health.check()
    assert registry.find("nodes", None, registry.settings.node_name) is None


async def test_an_extended_resource_of_the_capacity_can_be_had(registry: Registry, health: NodeHealth) -> None:
    name = registry.settings.node_name
    registry.patch("nodes", None, name, {"status": {"capacity": {"example.com/dongle": "4"}}}, "status")
    await health.check()
    status = registry.get("nodes", None, name)["status"]
    assert status["allocatable"]["example.com/dongle"] == status["capacity"]["example.com/dongle"] == "4"
    registry.patch("nodes", None, name, {"status": {"capacity": {"example.com/dongle": None}}}, "status")
    await health.check()
    assert "example.com/dongle" not in registry.get("nodes", None, name)["status"]["allocatable"]
