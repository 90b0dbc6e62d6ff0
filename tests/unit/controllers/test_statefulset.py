"""Scenarios of StatefulSets, each followed step by step with the invariants checked."""

from typing import Any

import pytest

from kubelite import errors
from kubelite.controllers import pods as podq
from kubelite.controllers.statefulset import StatefulSetController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, template, workload

CLAIM = {"metadata": {"name": "www", "labels": {"kind": "data"}}, "spec": {"accessModes": ["ReadWriteMany"]}}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def statefulset(**spec: Any) -> Obj:
    return workload(**({"serviceName": "svc", "updateStrategy": ROLLING, "podManagementPolicy": "OrderedReady"} | spec))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(StatefulSetController)


def start(cluster: Cluster, **spec: Any) -> None:
    cluster.create("statefulsets", statefulset(**spec))
    cluster.rest()


def change(cluster: Cluster, **spec: Any) -> None:
    cluster.patch("statefulsets", "default", "web", {"spec": spec})
    cluster.settle()


def status(cluster: Cluster) -> Obj:
    return cluster.get("statefulsets", "default", "web")["status"]


def images(cluster: Cluster) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in cluster.pods()]


def step(cluster: Cluster) -> list[str]:
    """What the kubelet does once, and what follows; the pods after it, a `-` before terminating ones."""
    cluster.run_pods()
    cluster.settle()
    return [("-" if meta.is_terminating(pod) else "") + meta.name(pod) for pod in cluster.pods()]


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
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-5", "svc")
    ref = pod["metadata"]["ownerReferences"][0]
    assert (ref["kind"], ref["name"], ref["controller"], ref["blockOwnerDeletion"]) == (
        "StatefulSet",
        "web",
        True,
        True,
    )


def test_creates_claims_before_the_pod_and_mounts_them(cluster: Cluster) -> None:
    spec = template(volumes=[{"name": "www", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}])
    start(cluster, replicas=1, volumeClaimTemplates=[CLAIM], template=spec)
    claim = cluster.get("persistentvolumeclaims", "default", "www-web-0")
    assert meta.labels(claim) == {"kind": "data", "app": "web"}
    assert "ownerReferences" not in claim["metadata"]
    assert cluster.pod("web-0")["spec"]["volumes"] == [
        {"name": "www", "persistentVolumeClaim": {"claimName": "www-web-0"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert cluster.messages("SuccessfulCreate") == [
        "create Claim www-web-0 Pod web-0 in StatefulSet web success",
        "create Pod web-0 in StatefulSet web successful",
    ]


def test_waits_for_a_claim_that_is_being_deleted(cluster: Cluster) -> None:
    claim = {"metadata": {"name": "www-web-0", "namespace": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    cluster.create("persistentvolumeclaims", claim)
    cluster.create("statefulsets", statefulset(volumeClaimTemplates=[CLAIM]))
    cluster.settle()
    assert cluster.pod_names() == []
    assert set(cluster.told) == {
        ("Warning", "FailedCreate", "create Pod web-0 in StatefulSet web failed error: pvc www-web-0 is being deleted")
    }
    cluster.delete("persistentvolumeclaims", "default", "www-web-0")
    cluster.settle()
    assert cluster.pod_names() == ["web-0"]


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


def test_scale_down_takes_the_only_unhealthy_pod(cluster: Cluster) -> None:
    start(cluster)
    cluster.set_pod("web-2", "Running", ready=False)
    change(cluster, replicas=1)
    assert meta.is_terminating(cluster.pod("web-2"))


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


def test_rolls_from_the_highest_ordinal(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, template=template("new"))
    assert meta.is_terminating(cluster.pod("web-2"))
    cluster.run_pods()
    cluster.settle()
    assert images(cluster) == ["httpd", "httpd", "new"]
    now = status(cluster)
    assert (now["currentReplicas"], now["updatedReplicas"]) == (2, 1)
    assert now["currentRevision"] != now["updateRevision"]
    cluster.rest()
    assert images(cluster) == ["new"] * 3
    assert status(cluster)["currentRevision"] == now["updateRevision"]


def test_respects_the_partition_and_recreates_below_it_at_the_current_revision(cluster: Cluster) -> None:
    start(cluster, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    change(cluster, template=template("new"))
    cluster.rest()
    assert images(cluster) == ["httpd", "httpd", "new"]
    cluster.delete("pods", "default", "web-0")
    cluster.rest()
    assert images(cluster) == ["httpd", "httpd", "new"]
    change(cluster, updateStrategy={"rollingUpdate": {"partition": 0}})
    cluster.rest()
    assert images(cluster) == ["new"] * 3


def test_partition_counts_from_the_first_ordinal(cluster: Cluster) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    start(cluster, ordinals={"start": 5}, updateStrategy=strategy)
    change(cluster, template=template("new"))
    cluster.rest()
    assert cluster.pod_names() == ["web-5", "web-6", "web-7"]
    assert images(cluster) == ["httpd", "httpd", "new"]


def test_on_delete_waits_for_the_user(cluster: Cluster) -> None:
    start(cluster, updateStrategy={"type": "OnDelete"})
    change(cluster, template=template("new"))
    cluster.rest()
    assert images(cluster) == ["httpd"] * 3
    cluster.delete("pods", "default", "web-1")
    cluster.rest()
    assert images(cluster) == ["httpd", "new", "httpd"]


@pytest.mark.parametrize(("limit", "leaving"), [(2, 2), ("50%", 2), ("10%", 1), (None, 1)])
def test_rolls_as_many_at_once_as_max_unavailable_says(cluster: Cluster, limit: Any, leaving: int) -> None:
    rolling = {"partition": 0} | ({} if limit is None else {"maxUnavailable": limit})
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    start(cluster, replicas=5, podManagementPolicy="Parallel", updateStrategy=strategy)
    change(cluster, template=template("new"))
    assert [meta.is_terminating(pod) for pod in cluster.pods()] == [False] * (5 - leaving) + [True] * leaving
    cluster.rest()
    assert images(cluster) == ["new"] * 5


def test_max_unavailable_does_not_count_on_pods_that_are_already_broken(cluster: Cluster) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 2}}
    start(cluster, replicas=4, podManagementPolicy="Parallel", updateStrategy=strategy)
    for name in ("web-0", "web-1"):
        cluster.set_pod(name, "Running", ready=False)
    change(cluster, template=template("new"))
    assert [meta.is_terminating(pod) for pod in cluster.pods()] == [True, True, False, False]


def test_undo_uses_the_former_revision_again(cluster: Cluster) -> None:
    start(cluster)
    first = status(cluster)["currentRevision"]
    change(cluster, template=template("new"))
    cluster.rest()
    change(cluster, template=template())
    cluster.rest()
    assert status(cluster)["currentRevision"] == first
    numbers = {meta.name(it) == first: it["revision"] for it in cluster.list("controllerrevisions")}
    assert numbers == {True: 3, False: 2}


def test_history_is_cut_to_the_limit(cluster: Cluster) -> None:
    start(cluster, revisionHistoryLimit=2)
    for number in range(5):
        change(cluster, template=template(f"v{number}"))
        cluster.rest()
    assert sorted(it["revision"] for it in cluster.list("controllerrevisions")) == [4, 5, 6]


def test_ordered_rollout_is_blocked_by_a_broken_pod_and_says_so(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    change(cluster, template=template("broken"))
    cluster.finish("web-0")
    cluster.settle()
    waiting = [{"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    cluster.set_pod("web-0", "Pending", ready=False, containerStatuses=waiting)
    change(cluster, template=template("good"))
    assert images(cluster) == ["broken"]
    assert not meta.is_terminating(cluster.pod("web-0"))
    (message, *_) = cluster.messages("RolloutBlocked")
    assert "kubectl delete pod web-0" in message
    cluster.delete("pods", "default", "web-0", grace=0)
    cluster.rest()
    assert images(cluster) == ["good"]


def test_parallel_rollout_replaces_a_broken_pod(cluster: Cluster) -> None:
    start(cluster, podManagementPolicy="Parallel")
    cluster.set_pod("web-0", "Running", ready=False)
    change(cluster, template=template("good"))
    assert meta.is_terminating(cluster.pod("web-2"))


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


RETENTION = [
    ("Retain", "Retain", None, None),
    ("Retain", "Delete", "StatefulSet", "StatefulSet"),
    ("Delete", "Retain", None, "Pod"),
    ("Delete", "Delete", "StatefulSet", "Pod"),
]


def owner_kind(cluster: Cluster, claim: str) -> str | None:
    ref = meta.controller_of(cluster.get("persistentvolumeclaims", "default", claim))
    return ref["kind"] if ref else None


@pytest.mark.parametrize(("scaled", "deleted", "kept", "condemned"), RETENTION)
def test_retention_policy_sets_the_owners_of_claims(
    cluster: Cluster, scaled: str, deleted: str, kept: str | None, condemned: str | None
) -> None:
    policy = {"whenScaled": scaled, "whenDeleted": deleted}
    start(cluster, replicas=2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
    assert [owner_kind(cluster, f"www-web-{number}") for number in range(2)] == [kept, kept]
    change(cluster, replicas=1)
    assert [owner_kind(cluster, f"www-web-{number}") for number in range(2)] == [kept, condemned]


def test_retention_policy_change_mends_existing_claims(cluster: Cluster) -> None:
    start(cluster, replicas=1, volumeClaimTemplates=[CLAIM])
    change(cluster, persistentVolumeClaimRetentionPolicy={"whenScaled": "Retain", "whenDeleted": "Delete"})
    assert owner_kind(cluster, "www-web-0") == "StatefulSet"
    change(cluster, persistentVolumeClaimRetentionPolicy={"whenScaled": "Retain", "whenDeleted": "Retain"})
    assert owner_kind(cluster, "www-web-0") is None


def test_new_pod_waits_until_the_claim_of_its_scaled_away_predecessor_is_gone(cluster: Cluster) -> None:
    policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
    start(cluster, replicas=2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
    change(cluster, replicas=1)
    cluster.rest()
    change(cluster, replicas=2)
    assert cluster.pod_names() == ["web-0"]
    cluster.collect()
    cluster.rest()
    assert cluster.pod_names() == ["web-0", "web-1"]


def test_adopts_matching_orphans_and_leaves_foreign_pods(cluster: Cluster) -> None:
    start(cluster, replicas=2)
    cluster.patch("statefulsets", "default", "web", {"metadata": {"finalizers": ["orphan"]}})
    for pod in cluster.pods():
        cluster.patch("pods", "default", meta.name(pod), {"metadata": {"ownerReferences": None}})
    cluster.settle()
    assert all(meta.controller_of(pod) for pod in cluster.pods())
    stranger = {"metadata": {"name": "other-0", "namespace": "default", "labels": {"app": "web"}}, "spec": {}}
    cluster.create("pods", stranger)
    cluster.settle()
    assert meta.controller_of(cluster.pod("other-0")) is None


def test_releases_a_pod_that_no_longer_matches(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    cluster.patch("pods", "default", "web-0", {"metadata": {"labels": {"app": "debug"}}})
    cluster.settle()
    assert meta.controller_of(cluster.pod("web-0")) is None


def test_mends_a_lost_identity_label(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    cluster.patch("pods", "default", "web-0", {"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": None}}})
    cluster.settle()
    assert meta.labels(cluster.pod("web-0"))["statefulset.kubernetes.io/pod-name"] == "web-0"
    assert cluster.messages("SuccessfulUpdate") == ["update Pod web-0 in StatefulSet web successful"]


def test_name_taken_by_a_foreign_pod_is_retried_without_an_event(cluster: Cluster) -> None:
    cluster.create("pods", {"metadata": {"name": "web-0", "namespace": "default"}, "spec": {}})
    cluster.create("statefulsets", statefulset(replicas=1))
    cluster.settle()
    assert cluster.told == []
    cluster.delete("pods", "default", "web-0", grace=0)
    cluster.advance(2)
    assert meta.controller_of(cluster.pod("web-0"))


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


def test_revision_name_collision_is_counted(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    (revision,) = cluster.list("controllerrevisions")
    cluster.delete("statefulsets", "default", "web")
    cluster.delete("pods", "default", "web-0", grace=0)
    cluster.patch("controllerrevisions", "default", meta.name(revision), {"data": {"spec": {"other": True}}})
    start(cluster, replicas=1)
    assert status(cluster)["collisionCount"] == 1
    assert status(cluster)["updateRevision"] != meta.name(revision)


def test_large_set_is_reconciled_quickly(cluster: Cluster) -> None:
    start(cluster, replicas=200, podManagementPolicy="Parallel", volumeClaimTemplates=[CLAIM])
    assert all(podq.is_running_and_ready(pod) for pod in cluster.pods())
    assert status(cluster)["availableReplicas"] == 200
