"""Scenarios of StatefulSets whose template changes: order, partition, maxUnavailable, history."""

from typing import Any

import pytest

from kubelite.controllers.statefulset import StatefulSetController
from kubelite.objects import meta
from tests.unit.controllers.simulated import Cluster, template
from tests.unit.controllers.statefulsets import change, images, start, status


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(StatefulSetController)


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


def test_status_counts_pods_that_a_failure_kept_from_being_updated(cluster: Cluster) -> None:
    start(cluster, replicas=2, podManagementPolicy="Parallel")
    cluster.delete("pods", "default", "web-0")
    cluster.patch("pods", "default", "web-0", {"metadata": {"ownerReferences": None}})
    change(cluster, template=template("new"))
    assert not meta.is_terminating(cluster.pod("web-1"))
    now = status(cluster)
    assert (now["replicas"], now["currentReplicas"], now.get("updatedReplicas", 0)) == (1, 1, 0)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_update_waits_until_the_pod_before_is_available(cluster: Cluster, policy: str) -> None:
    """As documented; upstream's Parallel sets waited for Ready alone up to a fix after v1.32 (kubernetes#119234)."""
    start(cluster, replicas=2, podManagementPolicy=policy)
    change(cluster, minReadySeconds=10)
    cluster.advance(10)
    change(cluster, template=template("new"))
    cluster.run_pods()
    cluster.settle()
    cluster.run("web-1")
    cluster.settle()
    cluster.advance(9)
    assert not meta.is_terminating(cluster.pod("web-0"))
    cluster.advance(1)
    assert meta.is_terminating(cluster.pod("web-0"))


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


def test_unready_pod_counts_as_stuck_only_after_a_while(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    cluster.set_pod("web-0", "Running", ready=False)
    change(cluster, template=template("good"))
    assert cluster.messages("RolloutBlocked") == []
    cluster.advance(60)
    assert len(cluster.messages("RolloutBlocked")) == 1


def test_parallel_rollout_replaces_a_broken_pod(cluster: Cluster) -> None:
    start(cluster, podManagementPolicy="Parallel")
    cluster.set_pod("web-0", "Running", ready=False)
    change(cluster, template=template("good"))
    assert meta.is_terminating(cluster.pod("web-2"))


def test_revision_name_collision_is_counted(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    (revision,) = cluster.list("controllerrevisions")
    cluster.delete("statefulsets", "default", "web")
    cluster.delete("pods", "default", "web-0", grace=0)
    cluster.patch("controllerrevisions", "default", meta.name(revision), {"data": {"spec": {"other": True}}})
    start(cluster, replicas=1)
    assert status(cluster)["collisionCount"] == 1
    assert status(cluster)["updateRevision"] != meta.name(revision)
    other = cluster.get("controllerrevisions", "default", status(cluster)["updateRevision"])
    assert meta.labels(other) == meta.labels(revision)
    change(cluster, replicas=2)
    assert len(cluster.list("controllerrevisions")) == 2


def test_former_sets_revision_is_used_until_the_garbage_collector_takes_it(cluster: Cluster) -> None:
    start(cluster, replicas=1)
    name = status(cluster)["currentRevision"]
    cluster.delete("statefulsets", "default", "web")
    cluster.delete("pods", "default", "web-0", grace=0)
    start(cluster, replicas=1)
    assert (status(cluster)["currentRevision"], status(cluster)["collisionCount"]) == (name, 0)
    cluster.collect()
    change(cluster, replicas=2)
    (revision,) = cluster.list("controllerrevisions")
    assert (meta.name(revision), revision["revision"]) == (name, 1)
    assert meta.is_controlled_by(revision, cluster.get("statefulsets", "default", "web"))
