"""The workload controllers on the real registry: defaults, validation and conflicts included."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.daemonset import DaemonSetController
from kubelite.controllers.deployment import DeploymentController
from kubelite.controllers.garbage import GarbageCollector
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.controllers.statefulset import StatefulSetController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded, clock: Clock) -> Controllers:
    kinds = (StatefulSetController, DeploymentController, ReplicaSetController, DaemonSetController)
    made = [kind(registry, recorded, clock) for kind in kinds]
    registry.create("nodes", {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}})
    return Controllers(registry, *made, GarbageCollector(registry, recorded, registry.kinds))


def template(image: str = "httpd") -> Obj:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}


def workload(**spec: Any) -> Obj:
    base = {"selector": {"matchLabels": {"app": "web"}}, "template": template()}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": base | spec}


CLAIM = {
    "metadata": {"name": "www"},
    "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
}


def kubelet(registry: Registry, clock: Clock) -> bool:
    """Everything runs and is Ready, what terminates is gone; says whether something changed."""
    before = registry.store.revision
    for pod in registry.list("pods", "default"):
        if meta.is_terminating(pod):
            registry.delete("pods", "default", meta.name(pod), grace=0)
            continue
        ready = {"type": "Ready", "status": "True"}
        conditions = meta.with_condition(pod["status"].get("conditions"), ready, clock())
        status = pod["status"] | {"phase": "Running", "conditions": conditions}
        registry.update("pods", pod | {"status": status}, "status")
    return registry.store.revision != before


def rest(registry: Registry, controllers: Controllers, clock: Clock) -> None:
    controllers.settle()
    while kubelet(registry, clock):
        clock.advance(1)
        controllers.settle()


def images(registry: Registry) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in registry.list("pods", "default")]


def test_stateful_set_comes_up_rolls_and_is_undone(registry: Registry, controllers: Controllers, clock: Clock) -> None:
    registry.create("statefulsets", workload(replicas=3, serviceName="svc", volumeClaimTemplates=[CLAIM]))
    controllers.settle()
    assert [meta.name(pod) for pod in registry.list("pods", "default")] == ["web-0"]
    rest(registry, controllers, clock)
    first = registry.get("statefulsets", "default", "web")["status"]
    assert first["availableReplicas"] == 3
    assert len(registry.list("persistentvolumeclaims", "default")) == 3
    for image in ("new", "httpd"):
        registry.patch("statefulsets", "default", "web", {"spec": {"template": template(image)}})
        rest(registry, controllers, clock)
        assert images(registry) == [image] * 3
    assert registry.get("statefulsets", "default", "web")["status"]["currentRevision"] == first["currentRevision"]
    assert sorted(it["revision"] for it in registry.list("controllerrevisions", "default")) == [2, 3]


def test_deployment_comes_up_rolls_and_is_undone(registry: Registry, controllers: Controllers, clock: Clock) -> None:
    registry.create("deployments", workload(replicas=4))
    for image in ("httpd", "new", "httpd"):
        registry.patch("deployments", "default", "web", {"spec": {"template": template(image)}})
        rest(registry, controllers, clock)
        assert images(registry) == [image] * 4
    deployment = registry.get("deployments", "default", "web")
    assert meta.annotations(deployment)["deployment.kubernetes.io/revision"] == "3"
    assert len(registry.list("replicasets", "default")) == 2
    assert deployment["status"]["availableReplicas"] == 4
    assert deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]


def test_recreated_deployment_rolls(registry: Registry, controllers: Controllers, clock: Clock) -> None:
    registry.create("deployments", workload(replicas=2, strategy={"type": "Recreate"}))
    rest(registry, controllers, clock)
    registry.patch("deployments", "default", "web", {"spec": {"template": template("new")}})
    rest(registry, controllers, clock)
    assert images(registry) == ["new"] * 2


def test_daemon_set_runs_on_the_node_and_rolls(registry: Registry, controllers: Controllers, clock: Clock) -> None:
    registry.create("daemonsets", workload())
    for image in ("httpd", "new", "httpd"):
        registry.patch("daemonsets", "default", "web", {"spec": {"template": template(image)}})
        rest(registry, controllers, clock)
        assert images(registry) == [image]
    status = registry.get("daemonsets", "default", "web")["status"]
    assert (status["desiredNumberScheduled"], status["numberAvailable"], status["updatedNumberScheduled"]) == (1, 1, 1)
    assert sorted(it["revision"] for it in registry.list("controllerrevisions", "default")) == [2, 3]


@pytest.mark.parametrize("plural", ["statefulsets", "deployments", "replicasets", "daemonsets"])
def test_settled_workload_costs_no_write(
    registry: Registry, controllers: Controllers, clock: Clock, plural: str
) -> None:
    registry.create(plural, workload())
    rest(registry, controllers, clock)
    before = registry.store.revision
    controllers.settle()
    assert registry.store.revision == before


SCRIBBLES: list[Obj] = [{}, {"type": "Progressing"}, {"type": "ReplicaFailure"}, {"type": "Ready"}]


@pytest.mark.parametrize("plural", ["statefulsets", "deployments", "replicasets", "daemonsets"])
def test_statuses_without_their_usual_fields_hold_nothing_up(
    registry: Registry, controllers: Controllers, clock: Clock, plural: str
) -> None:
    registry.create(plural, workload())
    controllers.settle()
    for each in sorted({plural, "replicasets", "pods"}):
        for obj in registry.list(each, "default"):
            given = {"conditions": SCRIBBLES} | ({"containerStatuses": [{}]} if each == "pods" else {})
            registry.update(each, obj | {"status": obj["status"] | given}, "status")
    controllers.settle()
    registry.patch(plural, "default", "web", {"spec": {"template": template("new")}})
    rest(registry, controllers, clock)
    assert len(images(registry)) == 1
    status = registry.get(plural, "default", "web")["status"]
    assert 1 in (status.get("availableReplicas"), status.get("numberAvailable"))


@pytest.mark.parametrize("plural", ["statefulsets", "deployments", "replicasets", "daemonsets"])
def test_deleted_workload_takes_its_pods_along(
    registry: Registry, controllers: Controllers, clock: Clock, plural: str
) -> None:
    registry.create(plural, workload())
    rest(registry, controllers, clock)
    registry.delete(plural, "default", "web", propagation="Background")
    rest(registry, controllers, clock)
    assert registry.list("pods", "default") == []
    assert registry.list("controllerrevisions", "default") == []


@pytest.mark.parametrize("plural", ["statefulsets", "deployments", "replicasets", "daemonsets"])
def test_orphaned_pods_are_adopted_by_the_next_workload(
    registry: Registry, controllers: Controllers, clock: Clock, plural: str
) -> None:
    registry.create(plural, workload())
    rest(registry, controllers, clock)
    uids = {meta.uid(pod) for pod in registry.list("pods", "default")}
    registry.delete(plural, "default", "web", propagation="Orphan")
    rest(registry, controllers, clock)
    registry.create(plural, workload())
    rest(registry, controllers, clock)
    assert {meta.uid(pod) for pod in registry.list("pods", "default")} == uids
