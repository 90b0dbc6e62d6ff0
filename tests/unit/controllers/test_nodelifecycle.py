"""A cordon and a node's conditions show as taints."""

from __future__ import annotations

import pytest

from kubelite.controllers.nodelifecycle import NodeLifecycle
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded

MINE = {"key": "mine", "value": "yes", "effect": "NoSchedule"}


def test_a_cordon_shows_as_a_taint_and_leaves_with_it(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    registry.create("nodes", {"metadata": {"name": "node"}, "spec": {"unschedulable": True}})
    controllers = Controllers(registry, NodeLifecycle(registry, recorded, clock))
    controllers.settle()
    (found,) = registry.get("nodes", None, "node")["spec"]["taints"]
    assert (found["key"], found["effect"]) == ("node.kubernetes.io/unschedulable", "NoSchedule")
    registry.patch("nodes", None, "node", {"spec": {"unschedulable": None}})
    controllers.settle()
    assert "taints" not in registry.get("nodes", None, "node")["spec"]


def taints(registry: Registry) -> list[tuple[str, str]]:
    found = registry.get("nodes", None, "node")["spec"].get("taints") or ()
    return [(taint["key"].removeprefix("node.kubernetes.io/"), taint["effect"]) for taint in found]


def report(registry: Registry, kind: str, status: str) -> None:
    node = registry.get("nodes", None, "node")
    conditions: list[Obj] = [{"type": kind, "status": status, "reason": "Because", "message": "it is"}]
    registry.update("nodes", {**node, "status": {**(node.get("status") or {}), "conditions": conditions}}, "status")


@pytest.mark.parametrize(
    ("kind", "wrong", "right", "expected"),
    [
        ("Ready", "False", "True", [("not-ready", "NoSchedule")]),
        ("Ready", "Unknown", "True", [("unreachable", "NoSchedule")]),
        ("MemoryPressure", "True", "False", [("memory-pressure", "NoSchedule")]),
        ("DiskPressure", "True", "False", [("disk-pressure", "NoSchedule")]),
    ],
)
def test_condition_that_is_wrong_taints_the_node_while_it_lasts(
    kind: str,
    wrong: str,
    right: str,
    expected: list[tuple[str, str]],
    registry: Registry,
    recorded: Recorded,
    clock: Clock,
) -> None:
    registry.create("nodes", {"metadata": {"name": "node"}, "spec": {"taints": [MINE]}})
    controllers = Controllers(registry, NodeLifecycle(registry, recorded, clock))
    report(registry, kind, wrong)
    controllers.settle()
    assert taints(registry) == [("mine", "NoSchedule"), *expected]
    added = registry.get("nodes", None, "node")["spec"]["taints"][1]["timeAdded"]
    clock.advance(10)
    report(registry, kind, wrong)
    controllers.settle()
    assert registry.get("nodes", None, "node")["spec"]["taints"][1]["timeAdded"] == added
    report(registry, kind, right)
    controllers.settle()
    assert registry.get("nodes", None, "node")["spec"]["taints"] == [MINE]


def test_pods_are_sent_away_only_while_another_node_is_ready(
    registry: Registry, recorded: Recorded, clock: Clock
) -> None:
    controllers = Controllers(registry, NodeLifecycle(registry, recorded, clock))
    registry.create("nodes", {"metadata": {"name": "node"}})
    report(registry, "Ready", "False")
    controllers.settle()
    assert taints(registry) == [("not-ready", "NoSchedule")]
    other = registry.create("nodes", {"metadata": {"name": "other"}})
    for status, expected in (("True", [("not-ready", "NoExecute")]), ("False", [])):
        conditions = [{"type": "Ready", "status": status}]
        other = registry.update("nodes", {**other, "status": {"conditions": conditions}}, "status")
        controllers.settle()
        assert taints(registry) == [("not-ready", "NoSchedule"), *expected]
