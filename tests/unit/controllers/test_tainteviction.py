"""Taints that end pods, and the taint of a cordoned node."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.tainteviction import TaintEviction
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded

TAINT = {"key": "evict", "value": "now", "effect": "NoExecute"}


@pytest.fixture
def eviction(registry: Registry, recorded: Recorded, clock: Clock) -> TaintEviction:
    registry.create("nodes", {"metadata": {"name": "node"}, "spec": {}})
    return TaintEviction(registry, recorded, clock)


def pod(registry: Registry, *tolerations: Obj) -> None:
    spec: Obj = {"containers": [{"name": "c", "image": "httpd"}], "nodeName": "node", "tolerations": list(tolerations)}
    registry.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})


def taint(registry: Registry, *taints: Obj) -> None:
    node = registry.get("nodes", None, "node")
    registry.update("nodes", {**node, "spec": {**node["spec"], "taints": list(taints)}})


def stays(registry: Registry) -> bool:
    return not meta.is_terminating(registry.get("pods", "default", "web"))


def toleration(**more: Any) -> Obj:
    return {"key": "evict", "operator": "Equal", "value": "now", "effect": "NoExecute"} | more


def test_a_pod_that_does_not_tolerate_the_taint_ends_at_once(
    registry: Registry, eviction: TaintEviction, recorded: Recorded
) -> None:
    pod(registry)
    controllers = Controllers(registry, eviction)
    controllers.settle()
    assert stays(registry)
    taint(registry, TAINT)
    controllers.settle()
    assert not stays(registry)
    conditions = registry.get("pods", "default", "web")["status"]["conditions"]
    condition = meta.condition(conditions, "DisruptionTarget")
    assert condition is not None
    assert (condition["reason"], condition["status"]) == ("DeletionByTaintManager", "True")
    assert recorded.events == [("TaintManagerEviction", "Marking for deletion Pod default/web")]


def test_a_pod_that_tolerates_the_taint_stays(registry: Registry, eviction: TaintEviction) -> None:
    pod(registry, toleration())
    taint(registry, TAINT, {"key": "other", "effect": "NoSchedule"})
    Controllers(registry, eviction).settle()
    assert stays(registry)


def test_tolerated_for_some_seconds(registry: Registry, eviction: TaintEviction, clock: Clock) -> None:
    pod(registry, toleration(tolerationSeconds=60))
    taint(registry, TAINT)
    assert eviction.reconcile(("default", "web")) == 60
    clock.advance(20)
    assert eviction.reconcile(("default", "web")) == 40
    clock.advance(41)
    assert eviction.reconcile(("default", "web")) is None
    assert not stays(registry)


def test_the_taint_goes_in_time(registry: Registry, eviction: TaintEviction, clock: Clock, recorded: Recorded) -> None:
    pod(registry, toleration(tolerationSeconds=60))
    taint(registry, TAINT)
    eviction.reconcile(("default", "web"))
    taint(registry)
    clock.advance(100)
    assert eviction.reconcile(("default", "web")) is None
    assert stays(registry)
    assert recorded.events == [("TaintManagerEviction", "Cancelling deletion of Pod default/web")]
