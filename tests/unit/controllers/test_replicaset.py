"""Scenarios of ReplicaSets, and the order in which their pods go."""

from datetime import timedelta
from typing import Any

import pytest

from kubelite import errors
from kubelite.controllers.replicaset import ReplicaSetController, ranking
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import START, Cluster, template, workload


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(ReplicaSetController)


def status(cluster: Cluster) -> Obj:
    reported: Obj = cluster.get("replicasets", "default", "web")["status"]
    return reported


def start(cluster: Cluster, **spec: Any) -> None:
    cluster.create("replicasets", workload(**spec))
    cluster.rest()


def scale(cluster: Cluster, replicas: int) -> None:
    cluster.patch("replicasets", "default", "web", {"spec": {"replicas": replicas}})
    cluster.settle()


def test_creates_all_pods_at_once_and_counts_them(cluster: Cluster) -> None:
    cluster.create("replicasets", workload())
    cluster.settle()
    names = cluster.pod_names()
    assert len(names) == 3
    assert all(name.startswith("web-") for name in names)
    assert sorted(cluster.messages("SuccessfulCreate")) == [f"Created pod: {name}" for name in names]
    assert status(cluster) == {"replicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": 1}
    cluster.rest()
    assert status(cluster) == {
        "replicas": 3,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "observedGeneration": 1,
    }


def test_scales_down_the_unready_pod_first(cluster: Cluster) -> None:
    start(cluster)
    victim = cluster.pod_names()[1]
    cluster.set_pod(victim, "Running", ready=False)
    scale(cluster, 2)
    assert meta.is_terminating(cluster.pod(victim))
    assert cluster.messages("SuccessfulDelete") == [f"Deleted pod: {victim}"]
    assert status(cluster)["replicas"] == 2


def test_replaces_pods_that_ended_or_are_leaving(cluster: Cluster) -> None:
    start(cluster, replicas=2)
    failed, leaving = cluster.pod_names()
    cluster.set_pod(failed, "Failed", ready=False)
    cluster.delete("pods", "default", leaving)
    cluster.settle()
    assert len(cluster.pod_names()) == 4


def test_refused_pods_are_told_and_a_condition(cluster: Cluster) -> None:
    cluster.refusals.extend([errors.forbidden("pods", "", "exceeded quota")] * 2)
    cluster.create("replicasets", workload())
    cluster.settle()
    assert cluster.messages("FailedCreate")[0] == "Error creating: pods is forbidden: exceeded quota"
    (condition,) = status(cluster)["conditions"]
    assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
    cluster.advance(2)
    assert "conditions" not in status(cluster)


def test_namespace_that_goes_away_is_no_failure(cluster: Cluster) -> None:
    error = errors.forbidden("pods", "", "it is being terminated")
    error.details["causes"] = [{"reason": "NamespaceTerminating", "message": "", "field": "metadata.namespace"}]
    cluster.refusals.extend([error] * 10)
    cluster.create("replicasets", workload(replicas=1))
    cluster.settle()
    assert cluster.told == []


def test_adopts_orphans_and_removes_the_excess(cluster: Cluster) -> None:
    for number in range(3):
        labels = {"app": "web"}
        cluster.create(
            "pods", {"metadata": {"name": f"old-{number}", "namespace": "default", "labels": labels}, "spec": {}}
        )
    cluster.create("replicasets", workload(replicas=2))
    cluster.settle()
    assert [bool(meta.controller_of(pod)) for pod in cluster.pods()] == [True] * 3
    assert sum(meta.is_terminating(pod) for pod in cluster.pods()) == 1


def test_releases_and_replaces_a_relabelled_pod(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    name = cluster.pod_names()[0]
    cluster.patch("pods", "default", name, {"metadata": {"labels": {"app": "debug"}}})
    cluster.rest()
    assert meta.controller_of(cluster.pod(name)) is None
    assert len(cluster.pod_names()) == 2


def test_available_only_after_the_minimum_ready_time(cluster: Cluster) -> None:
    cluster.create("replicasets", workload(replicas=1, minReadySeconds=5))
    cluster.settle()
    cluster.run_pods()
    cluster.settle()
    assert "availableReplicas" not in status(cluster)
    cluster.advance(5)
    assert status(cluster)["availableReplicas"] == 1


def test_counts_pods_that_lack_a_label_of_the_template(cluster: Cluster) -> None:
    extended = template()
    extended["metadata"]["labels"] = {"app": "web", "tier": "front"}
    start(cluster, replicas=1, template=extended)
    cluster.patch("pods", "default", cluster.pod_names()[0], {"metadata": {"labels": {"tier": None}}})
    cluster.settle()
    assert "fullyLabeledReplicas" not in status(cluster)


def pod(uid: str, *, node: str = "n1", phase: str = "Running", ready: float | None = 3600, **more: Any) -> Obj:
    """`ready`: seconds since it turned so."""
    condition: Obj = {"type": "Ready", "status": "False"}
    if ready is not None:
        stamp = meta.format_time(START - timedelta(seconds=ready))
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": stamp}
    created = meta.format_time(START - timedelta(seconds=more.get("age", 3600)))
    notes = {ranking.COST_ANNOTATION: str(more["cost"])} if "cost" in more else {}
    restarts = [{"name": "main", "restartCount": more.get("restarts", 0)}]
    beside = [{"name": "beside", "restartCount": more.get("sidecar_restarts", 0)}]
    return {
        "metadata": {"name": uid, "uid": uid, "creationTimestamp": created, "annotations": notes},
        "spec": {"nodeName": node, "initContainers": [{"name": "beside", "restartPolicy": "Always"}]},
        "status": {
            "phase": phase,
            "conditions": [condition],
            "containerStatuses": restarts,
            "initContainerStatuses": beside,
        },
    }


BETTER = pod("a")
WORSE = {
    "unassigned": pod("z", node=""),
    "pending": pod("z", phase="Pending"),
    "unknown": pod("z", phase="Unknown"),
    "unready": pod("z", ready=None),
    "cheaper": pod("z", cost=-1),
    "ready for much less time": pod("z", ready=10),
    "restarted": pod("z", restarts=3),
    "restarted beside": pod("z", sidecar_restarts=1),
    "much younger": pod("z", age=10),
}


@pytest.mark.parametrize("why", WORSE)
def test_pod_goes_first_that_is(why: str) -> None:
    chosen = ranking.doomed([BETTER, WORSE[why]], 1, [], START)
    assert chosen == [WORSE[why]]


def test_pod_on_the_crowded_node_goes_first() -> None:
    pods = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    assert [meta.name(it) for it in ranking.doomed(pods, 1, pods, START)] == ["b"]


def test_similar_ages_are_decided_by_uid_alone() -> None:
    pods = [pod("b", ready=3600, restarts=3), pod("a", ready=3700)]
    assert [meta.name(it) for it in ranking.doomed(pods, 1, [], START)] == ["a"]


def test_unreadable_deletion_cost_counts_as_none() -> None:
    assert ranking.deletion_cost(pod("a", cost="much")) == 0
