"""Scenarios of StatefulSets: creation, scaling, failures; followed step by step."""

import pytest

from kubelite import errors
from kubelite.controllers import pods as podq
from kubelite.controllers.statefulset import StatefulSetController
from kubelite.objects import meta
from tests.unit.controllers.simulated import Cluster
from tests.unit.controllers.statefulsets import CLAIM, change, start, statefulset, status, step


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(StatefulSetController)


def test_creates_pods_one_by_one_when_ordered(cluster: Cluster) -> None:
    cluster.create("statefulsets", statefulset())
    cluster.settle()
    assert cluster.pod_names() == ["web-0"]
    assert step(cluster) == ["web-0", "web-1"]
    assert step(cluster) == ["web-0", "web-1", "web-2"]
    step(cluster)
    assert cluster.messages("SuccessfulCreate") == [
        f"create Pod web-{number} in StatefulSet web successful" for number in range(3)
    ]


def test_creates_all_pods_at_once_when_parallel(cluster: Cluster) -> None:
    cluster.create("statefulsets", statefulset(podManagementPolicy="Parallel"))
    cluster.settle()
    assert cluster.pod_names() == ["web-0", "web-1", "web-2"]


def test_gives_pods_their_identity(cluster: Cluster) -> None:
    start(cluster, ordinals={"start": 5}, replicas=1)
    pod = cluster.pod("web-5")
    revision = meta.name(cluster.list("controllerrevisions")[0])
    assert meta.labels(pod) == {
        "app": "web",
        "statefulset.kubernetes.io/pod-name": "web-5",
        "apps.kubernetes.io/pod-index": "5",
        "controller-revision-hash": revision,
    }
    assert pod["metadata"]["generateName"] == "web-"
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-5", "svc")
    ref = pod["metadata"]["ownerReferences"][0]
    assert (ref["kind"], ref["name"], ref["controller"], ref["blockOwnerDeletion"]) == (
        "StatefulSet",
        "web",
        True,
        True,
    )


def test_keeps_every_status_field_right_on_the_way(cluster: Cluster) -> None:
    cluster.create("statefulsets", statefulset(replicas=2))
    cluster.settle()
    revision = meta.name(cluster.list("controllerrevisions")[0])
    base = {
        "observedGeneration": 1,
        "collisionCount": 0,
        "currentRevision": revision,
        "updateRevision": revision,
    }
    assert status(cluster) == base | {
        "replicas": 1,
        "currentReplicas": 1,
        "updatedReplicas": 1,
        "availableReplicas": 0,
    }
    step(cluster)
    step(cluster)
    assert status(cluster) == base | {
        "replicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }


def test_writes_nothing_when_nothing_changed(cluster: Cluster) -> None:
    start(cluster, volumeClaimTemplates=[CLAIM])
    before = cluster.writes
    for controller in cluster.controllers:
        assert controller.reconcile(("default", "web")) is None
    assert cluster.writes == before


def test_scales_down_from_the_top_one_by_one(cluster: Cluster) -> None:
    start(cluster, volumeClaimTemplates=[CLAIM])
    change(cluster, replicas=1)
    assert step(cluster) == ["web-0", "-web-1"]
    assert step(cluster) == ["web-0"]
    assert len(cluster.list("persistentvolumeclaims")) == 3
    change(cluster, replicas=3)
    cluster.rest()
    assert len(cluster.list("persistentvolumeclaims")) == 3


def test_scale_down_waits_for_an_unhealthy_lower_pod(cluster: Cluster) -> None:
    start(cluster)
    cluster.set_pod("web-0", "Running", ready=False)
    change(cluster, replicas=1)
    assert not any(meta.is_terminating(pod) for pod in cluster.pods())
    cluster.run("web-0")
    cluster.settle()
    assert meta.is_terminating(cluster.pod("web-2"))


@pytest.mark.parametrize(("phase", "ready"), [("Running", False), ("Failed", True)])
def test_scale_down_takes_the_only_unhealthy_pod(cluster: Cluster, phase: str, ready: bool) -> None:
    start(cluster)
    cluster.set_pod("web-2", phase, ready)
    change(cluster, replicas=1)
    assert cluster.messages("SuccessfulDelete")[0] == "delete Pod web-2 in StatefulSet web successful"


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_replaces_a_finished_pod(cluster: Cluster, phase: str, policy: str) -> None:
    start(cluster, podManagementPolicy=policy)
    former = meta.uid(cluster.pod("web-1"))
    cluster.set_pod("web-1", phase, ready=False)
    cluster.rest()
    assert meta.uid(cluster.pod("web-1")) != former
    assert cluster.messages("SuccessfulDelete") == ["delete Pod web-1 in StatefulSet web successful"]


def test_recreates_a_deleted_pod_only_when_it_is_gone(cluster: Cluster) -> None:
    start(cluster)
    cluster.delete("pods", "default", "web-1")
    cluster.settle()
    assert meta.is_terminating(cluster.pod("web-1"))
    cluster.finish("web-1")
    cluster.settle()
    assert not meta.is_terminating(cluster.pod("web-1"))


def test_minimum_ready_time_delays_the_next_pod(cluster: Cluster) -> None:
    cluster.create("statefulsets", statefulset(minReadySeconds=10, replicas=2))
    cluster.settle()
    cluster.run("web-0")
    cluster.settle()
    assert (status(cluster)["readyReplicas"], status(cluster)["availableReplicas"]) == (1, 0)
    cluster.advance(9)
    assert cluster.pod_names() == ["web-0"]
    cluster.advance(1)
    assert cluster.pod_names() == ["web-0", "web-1"]


def test_refused_pod_is_told_and_tried_again(cluster: Cluster) -> None:
    cluster.refusals.extend([errors.forbidden("pods", "web-0", "exceeded quota: small")] * 2)
    cluster.create("statefulsets", statefulset(replicas=1))
    cluster.settle()
    text = 'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: exceeded quota: small'
    assert set(cluster.told) == {("Warning", "FailedCreate", text)}
    assert status(cluster)["observedGeneration"] == 1
    cluster.advance(2)
    assert cluster.pod_names() == ["web-0"]


def test_failure_ends_a_parallel_start_after_its_batch(cluster: Cluster) -> None:
    cluster.refusals.extend([errors.forbidden("pods", "web-0", "no")] * 2)
    cluster.create("statefulsets", statefulset(replicas=8, podManagementPolicy="Parallel"))
    cluster.settle()
    assert cluster.pod_names() == []
    cluster.advance(2)
    assert len(cluster.pod_names()) == 8


def test_set_that_is_being_deleted_is_left_alone(cluster: Cluster) -> None:
    start(cluster, replicas=2)
    cluster.patch("statefulsets", "default", "web", {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    cluster.delete("pods", "default", "web-1", grace=0)
    cluster.settle()
    assert cluster.pod_names() == ["web-0"]
    assert status(cluster)["replicas"] == 1


def test_large_set_is_reconciled_quickly(cluster: Cluster) -> None:
    start(cluster, replicas=200, podManagementPolicy="Parallel", volumeClaimTemplates=[CLAIM])
    assert all(podq.is_running_and_ready(pod) for pod in cluster.pods())
    assert status(cluster)["availableReplicas"] == 200


def test_conditions_of_others_stay_until_the_counts_change(cluster: Cluster) -> None:
    start(cluster)
    set = cluster.get("statefulsets", "default", "web")
    told = [{"type": "Told", "status": "True"}]
    cluster.update("statefulsets", set | {"status": set["status"] | {"conditions": told}}, "status")
    cluster.settle()
    assert status(cluster)["conditions"] == told
    change(cluster, replicas=4)
    assert "conditions" not in status(cluster)
