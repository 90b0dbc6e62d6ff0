"""Scenarios of StatefulSets: their claims, and the pods that they adopt, mend and let go."""

import pytest

from kubelite.controllers.statefulset import StatefulSetController
from kubelite.objects import meta
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
    cluster.settle()
    assert meta.controller_of(cluster.pod("web-0"))
