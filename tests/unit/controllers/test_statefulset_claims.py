"""Scenarios of StatefulSets: their claims, and the pods that they adopt, mend and let go."""

import pytest

from kubelite.controllers.statefulset import StatefulSetController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, template
from tests.unit.controllers.statefulsets import CLAIM, change, start, statefulset


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(StatefulSetController)


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


DELETE = {"whenScaled": "Delete", "whenDeleted": "Delete"}
CONFLICT = (
    "PersistentVolumeClaim www-web-0 has a conflicting OwnerReference that acts as a manging controller, "
    "the retention policy is ignored for this claim"
)


def own(cluster: Cluster, claim: str, *refs: Obj) -> None:
    cluster.patch("persistentvolumeclaims", "default", claim, {"metadata": {"ownerReferences": list(refs)}})


def owned(cluster: Cluster, claim: str) -> list[Obj]:
    return meta.owner_references(cluster.get("persistentvolumeclaims", "default", claim))


def test_claim_that_another_controls_keeps_its_owner_and_its_set_is_told_when_the_pod_comes(cluster: Cluster) -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": "7", "controller": True}
    start(cluster, replicas=1, volumeClaimTemplates=[CLAIM])
    own(cluster, "www-web-0", other)
    change(cluster, persistentVolumeClaimRetentionPolicy=DELETE)
    assert owned(cluster, "www-web-0") == [other]
    assert cluster.messages("ConflictingController") == []
    change(cluster, replicas=0)
    cluster.rest()
    assert owned(cluster, "www-web-0") == [other]
    change(cluster, replicas=1)
    cluster.rest()
    assert owned(cluster, "www-web-0") == [other]
    assert set(cluster.messages("ConflictingController")) == {CONFLICT}


def test_set_gives_up_a_claim_that_another_controls(cluster: Cluster) -> None:
    start(cluster, replicas=1, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=DELETE)
    (ours,) = owned(cluster, "www-web-0")
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": "7", "controller": True}
    own(cluster, "www-web-0", ours | {"controller": False}, other)
    change(cluster, minReadySeconds=1)
    assert owned(cluster, "www-web-0") == [other]
    assert cluster.messages("ConflictingController") == [CONFLICT]


def test_claims_owners_besides_the_controller_stay_and_the_sets_flag_is_put_right(cluster: Cluster) -> None:
    start(cluster, replicas=1, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=DELETE)
    (ours,) = owned(cluster, "www-web-0")
    friend = {"apiVersion": "v1", "kind": "ConfigMap", "name": "friend", "uid": "7"}
    own(cluster, "www-web-0", ours | {"controller": False}, friend)
    change(cluster, minReadySeconds=1)
    assert owned(cluster, "www-web-0") == [friend, ours]


def test_claim_of_a_former_set_of_the_name_is_left_to_the_garbage_collector(cluster: Cluster) -> None:
    stale = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "former", "controller": True}
    claim = {"metadata": {"name": "www-web-0", "namespace": "default", "ownerReferences": [stale]}}
    cluster.create("persistentvolumeclaims", claim)
    start(cluster, replicas=1, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=DELETE)
    assert owned(cluster, "www-web-0") == [stale]
    assert set(cluster.messages("ConflictingController")) == {CONFLICT}


def test_orphans_claims_get_their_owner_again_when_the_pod_is_adopted(cluster: Cluster) -> None:
    start(cluster, replicas=2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=DELETE)
    cluster.patch("pods", "default", "web-1", {"metadata": {"ownerReferences": None}})
    own(cluster, "www-web-1")
    cluster.settle()
    assert meta.controller_of(cluster.pod("web-1"))
    assert owner_kind(cluster, "www-web-1") == "StatefulSet"


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


def test_pod_whose_name_no_set_gives_can_not_be_mended(cluster: Cluster) -> None:
    start(cluster, replicas=1, podManagementPolicy="Parallel")
    labels = {"app": "web", "statefulset.kubernetes.io/pod-name": "web-1"}
    cluster.create("pods", {"metadata": {"name": "web-01", "namespace": "default", "labels": labels}, "spec": {}})
    change(cluster, replicas=2)
    text = 'update Pod web-1 in StatefulSet web failed error: pods "web-1" not found'
    assert set(cluster.messages("FailedUpdate")) == {text}
    assert cluster.messages("SuccessfulUpdate") == []


def test_name_taken_by_a_foreign_pod_is_retried_without_an_event(cluster: Cluster) -> None:
    cluster.create("pods", {"metadata": {"name": "web-0", "namespace": "default"}, "spec": {}})
    cluster.create("statefulsets", statefulset(replicas=1))
    cluster.settle()
    assert cluster.told == []
    cluster.delete("pods", "default", "web-0", grace=0)
    cluster.settle()
    assert meta.controller_of(cluster.pod("web-0"))


def test_pending_pods_claims_are_made_again_when_they_vanish(cluster: Cluster) -> None:
    cluster.create("statefulsets", statefulset(replicas=1, volumeClaimTemplates=[CLAIM]))
    cluster.settle()
    cluster.delete("persistentvolumeclaims", "default", "www-web-0")
    cluster.settle()
    assert [meta.name(claim) for claim in cluster.list("persistentvolumeclaims")] == ["www-web-0"]
    cluster.run("web-0")
    cluster.delete("persistentvolumeclaims", "default", "www-web-0")
    cluster.settle()
    assert cluster.list("persistentvolumeclaims") == []
