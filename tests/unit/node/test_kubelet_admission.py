"""Pods that the kubelet turns away, and those that make room for others."""

from __future__ import annotations

import asyncio

from kubelite.node.node_status import register_node
from kubelite.objects import meta
from tests.unit.conftest import Clock
from tests.unit.node.fake_node import Node, register
from tests.unit.node.pods import container


async def test_pod_whose_host_port_is_taken_fails_and_nothing_of_it_runs(node: Node) -> None:
    register(node)
    publishing = container(ports=[{"containerPort": 80, "hostPort": 8080}])
    node.create("first", publishing)
    await node.ready("first")
    node.create("second", publishing)
    await node.until(lambda: node.status("second").get("phase") == "Failed")
    assert node.status("second")["reason"] == "NodePorts"
    assert not node.status("second").get("containerStatuses")
    assert [c.pod_name for c in node.runtime.found.values() if c.pod_name == "second"] == []
    await node.restart()
    assert node.status("second")["reason"] == "NodePorts"
    node.delete("second")
    await node.gone("second")


async def test_pod_of_a_name_turned_away_a_moment_ago_waits_and_is_taken_once_it_fits(node: Node) -> None:
    register(node)
    publishing = container(ports=[{"containerPort": 80, "hostPort": 8080}])
    node.create("first", publishing)
    await node.ready("first")
    node.create("second", publishing)
    await node.until(lambda: node.status("second").get("phase") == "Failed")
    node.delete("second", grace=0)
    node.create("second", publishing)
    await asyncio.sleep(0)
    assert node.status("second")["phase"] == "Pending"
    node.delete("first")
    await node.gone("first")
    await node.ready("second")


async def test_pod_that_runs_is_not_asked_again_after_a_restart(node: Node) -> None:
    register(node)
    node.create("web-0", container(resources={"requests": {"cpu": "1"}}))
    await node.ready()
    name = node.registry.settings.node_name
    made = node.registry.get("nodes", None, name)
    node.registry.update("nodes", {**meta.copy(made), "status": {"allocatable": {"cpu": "0"}}}, "status")
    await node.restart()
    await node.ready()
    assert node.status()["phase"] == "Running"


async def test_critical_pod_pushes_others_away(node: Node, clock: Clock) -> None:
    register_node(node.registry, node.registry.settings, await node.runtime.info(), "v1.32.0", clock())
    all_of_it = {"resources": {"requests": {"cpu": "2"}}}
    node.create("web-0", container(**all_of_it))
    await node.ready("web-0")
    node.runtime.deaf = {"web"}
    node.create("web-1", container(**all_of_it), priorityClassName="system-node-critical")
    await node.until(lambda: "SIGTERM web" in node.runtime.calls)
    node.advance(29)
    await asyncio.sleep(0.01)
    assert node.runtime.named("web", "web-1") == []
    node.advance(2)
    await node.ready("web-1")
    assert node.status("web-0")["phase"] == "Failed"
    assert node.status("web-0")["reason"] == "Preempting"
    condition = meta.condition(node.status("web-0")["conditions"], "DisruptionTarget") or {}
    assert (condition["status"], condition["reason"]) == ("True", "TerminationByKubelet")
    assert ("Preempting", "Preempted in order to admit critical pod") in node.recorded.events
