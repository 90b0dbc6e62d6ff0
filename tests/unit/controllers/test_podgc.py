"""Pods that nobody else removes."""

from __future__ import annotations

from typing import Any

from kubelite.controllers.podgc import PodGarbageCollector, superfluous
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded

ROUND = (None, "round")


def pod(registry: Registry, name: str, **spec: Any) -> Obj:
    containers = [{"name": "c", "image": "httpd"}]
    made = {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": containers, **spec}}
    return registry.create("pods", made)


def collector(registry: Registry, recorded: Recorded, clock: Clock) -> PodGarbageCollector:
    return PodGarbageCollector(registry, recorded, clock)


def test_pods_of_a_node_that_is_gone_go_after_a_while(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    registry.create("nodes", {"metadata": {"name": "node"}, "spec": {}})
    pod(registry, "stays", nodeName="node")
    pod(registry, "goes", nodeName="other")
    found = collector(registry, recorded, clock)
    assert found.reconcile(ROUND) == 20
    clock.advance(39)
    found.reconcile(ROUND)
    assert registry.find("pods", "default", "goes") is not None
    clock.advance(1)
    found.reconcile(ROUND)
    assert [meta.name(left) for left in registry.list("pods")] == ["stays"]


def test_orphan_is_told_to_have_failed_before_it_goes(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    orphan = pod(registry, "goes", nodeName="other")
    orphan["metadata"]["finalizers"] = ["test/held"]
    registry.update("pods", orphan)
    found = collector(registry, recorded, clock)
    found.reconcile(ROUND)
    clock.advance(40)
    found.reconcile(ROUND)
    left = registry.get("pods", "default", "goes")
    condition = meta.condition(left["status"]["conditions"], "DisruptionTarget")
    assert condition is not None
    assert (left["status"]["phase"], condition["reason"]) == ("Failed", "DeletionByPodGC")
    assert meta.is_terminating(left)


def test_pod_that_goes_and_never_had_a_node_has_failed(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    waiting = pod(registry, "goes")
    waiting["metadata"]["finalizers"] = ["test/held"]
    registry.update("pods", waiting)
    registry.delete("pods", "default", "goes")
    collector(registry, recorded, clock).reconcile(ROUND)
    left = registry.get("pods", "default", "goes")
    assert left["status"]["phase"] == "Failed"
    assert meta.condition(left["status"].get("conditions"), "DisruptionTarget") is None


def test_node_that_comes_back_keeps_its_pods(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    pod(registry, "web", nodeName="node")
    found = collector(registry, recorded, clock)
    found.reconcile(ROUND)
    registry.create("nodes", {"metadata": {"name": "node"}, "spec": {}})
    clock.advance(60)
    found.reconcile(ROUND)
    assert registry.find("pods", "default", "web") is not None


def test_evicted_and_oldest_of_too_many_finished_pods_are_superfluous() -> None:
    def finished(name: str, created: str, phase: str = "Succeeded", **status: str) -> Obj:
        return {"metadata": {"name": name, "creationTimestamp": created}, "status": {"phase": phase, **status}}

    pods = [
        finished("newest", "2026-01-03T00:00:00Z"),
        finished("evicted", "2026-01-04T00:00:00Z", "Failed", reason="Evicted"),
        finished("oldest", "2026-01-01T00:00:00Z"),
        finished("running", "2026-01-01T00:00:00Z", "Running"),
    ]
    assert [meta.name(found) for found in superfluous(pods, 1)] == ["evicted", "oldest"]
    assert superfluous(pods, 3) == []
