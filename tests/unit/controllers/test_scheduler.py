"""The scheduler: which pods fit, and what it says of those that don't."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.scheduler.controller import Scheduler
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    return Controllers(registry, Scheduler(registry, recorded))


def node(registry: Registry, **spec: Any) -> Obj:
    created = registry.create("nodes", {"metadata": {"name": "node", "labels": {"disk": "ssd"}}, "spec": spec})
    status = {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "110"}}
    return registry.update("nodes", {**created, "status": status}, "status")


def pod(registry: Registry, name: str = "web", requests: Obj | None = None, **spec: Any) -> Obj:
    container = {"name": "c", "image": "httpd", "resources": {"requests": requests or {}}}
    metadata = {"name": name, "namespace": "default"}
    return registry.create("pods", {"metadata": metadata, "spec": {"containers": [container], **spec}})


def message(registry: Registry, name: str = "web") -> str:
    status = registry.get("pods", "default", name)["status"]
    found = meta.condition(status["conditions"], "PodScheduled")
    assert found is not None
    assert (found["status"], found["reason"]) == ("False", "Unschedulable")
    return str(found["message"])


def where(registry: Registry, name: str = "web") -> str:
    return str(registry.get("pods", "default", name)["spec"].get("nodeName", ""))


def test_a_pod_that_fits_is_bound(registry: Registry, controllers: Controllers, recorded: Recorded) -> None:
    node(registry)
    pod(registry, requests={"cpu": "500m"})
    controllers.settle()
    assert where(registry) == "node"
    assert recorded.events == [("Scheduled", "Successfully assigned default/web to node")]
    conditions = registry.get("pods", "default", "web")["status"]["conditions"]
    assert meta.condition_is_true(conditions, "PodScheduled")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"requests": {"cpu": "3"}}, "1 Insufficient cpu"),
        ({"requests": {"memory": "2Gi", "cpu": "3"}}, "1 Insufficient cpu, 1 Insufficient memory"),
        ({"nodeSelector": {"disk": "hdd"}}, "1 node(s) didn't match Pod's node affinity/selector"),
    ],
)
def test_a_pod_that_does_not_fit_is_told_why(
    registry: Registry, controllers: Controllers, recorded: Recorded, spec: Obj, reason: str
) -> None:
    node(registry)
    pod(registry, **spec)
    controllers.settle()
    assert message(registry).startswith(f"0/1 nodes are available: {reason}.")
    assert recorded.reasons == ["FailedScheduling"]


def test_a_pod_is_bound_once_there_is_room(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, "first", {"cpu": "2"})
    controllers.settle()
    pod(registry, "second", {"cpu": "1"})
    controllers.settle()
    assert where(registry, "second") == ""
    registry.delete("pods", "default", "first", grace=0)
    controllers.settle()
    assert where(registry, "second") == "node"


def test_a_cordoned_node_takes_only_what_tolerates_it(registry: Registry, controllers: Controllers) -> None:
    node(registry, unschedulable=True)
    pod(registry)
    pod(registry, "daemon", tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}])
    controllers.settle()
    assert "1 node(s) were unschedulable" in message(registry)
    assert where(registry, "daemon") == "node"


def test_taints_need_a_toleration(registry: Registry, controllers: Controllers) -> None:
    node(registry, taints=[{"key": "a", "value": "b", "effect": "NoSchedule"}])
    pod(registry)
    pod(registry, "brave", tolerations=[{"key": "a", "value": "b", "effect": "NoSchedule"}])
    controllers.settle()
    assert "1 node(s) had untolerated taint {a: b}" in message(registry)
    assert where(registry, "brave") == "node"


def test_a_missing_claim_keeps_a_pod_waiting_until_it_is_bound(
    registry: Registry, controllers: Controllers, clock: Clock
) -> None:
    node(registry)
    pod(registry, volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    controllers.settle()
    assert message(registry).startswith('0/1 nodes are available: persistentvolumeclaim "data" not found.')
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, "storageClassName": ""}
    claim = registry.create(
        "persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "default"}, "spec": spec}
    )
    clock.advance(5)
    controllers.settle()
    assert "pod has unbound immediate PersistentVolumeClaims" in message(registry)
    source = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Mi"}, "hostPath": {"path": "/data"}}
    registry.create("persistentvolumes", {"metadata": {"name": "v"}, "spec": source})
    claim = registry.update("persistentvolumeclaims", {**claim, "spec": {**claim["spec"], "volumeName": "v"}})
    registry.update("persistentvolumeclaims", {**claim, "status": {"phase": "Bound"}}, "status")
    controllers.settle()
    assert where(registry) == "node"


def test_without_nodes_the_message_says_so(registry: Registry, controllers: Controllers) -> None:
    pod(registry)
    controllers.settle()
    assert message(registry) == "no nodes available to schedule pods"


def test_a_pod_of_another_scheduler_is_left_alone(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, schedulerName="mine")
    controllers.settle()
    assert where(registry) == ""
