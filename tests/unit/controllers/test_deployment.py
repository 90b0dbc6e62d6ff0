"""Scenarios of Deployments with the ReplicaSet controller beside them."""

from typing import Any

import pytest

from kubelite import errors
from kubelite.controllers.deployment import DeploymentController, rollback
from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.replicaset import ReplicaSetController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, template, workload


def rolling(surge: Any = "25%", unavailable: Any = "25%") -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def deployment(**spec: Any) -> Obj:
    base: Obj = {"strategy": rolling(), "progressDeadlineSeconds": 600}
    return workload(**(base | spec))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(DeploymentController, ReplicaSetController)


def start(cluster: Cluster, **spec: Any) -> None:
    cluster.create("deployments", deployment(**spec))
    cluster.rest()


def change(cluster: Cluster, **spec: Any) -> None:
    cluster.patch("deployments", "default", "web", {"spec": spec})
    cluster.settle()


def current(cluster: Cluster) -> Obj:
    return cluster.get("deployments", "default", "web")


def status(cluster: Cluster) -> Obj:
    reported: Obj = current(cluster)["status"]
    return reported


def condition(cluster: Cluster, kind: str) -> tuple[str, str, str]:
    found = meta.condition(status(cluster)["conditions"], kind) or {}
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def sizes(cluster: Cluster) -> dict[str, int]:
    """Image -> size of its ReplicaSet."""
    return {
        rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
        for rs in cluster.list("replicasets")
    }


def replica_set(cluster: Cluster, image: str) -> Obj:
    return next(
        rs for rs in cluster.list("replicasets") if rs["spec"]["template"]["spec"]["containers"][0]["image"] == image
    )


@pytest.mark.parametrize("given", [{}, {"status": "True"}, {"status": "True", "reason": "Why"}])
def test_a_clients_condition_of_progress_without_details_is_overcome(cluster: Cluster, given: Obj) -> None:
    start(cluster)
    wrong = current(cluster) | {"status": status(cluster) | {"conditions": [{"type": "Progressing"} | given]}}
    cluster.update("deployments", wrong, "status")
    change(cluster, replicas=4)
    cluster.rest()
    assert status(cluster)["availableReplicas"] == 4
    assert condition(cluster, "Progressing")[:2] == ("True", "NewReplicaSetAvailable")


def test_creates_a_replica_set_with_hash_owner_and_annotations(cluster: Cluster) -> None:
    cluster.create("deployments", deployment())
    cluster.settle()
    (rs,) = cluster.list("replicasets")
    digest = meta.labels(rs)["pod-template-hash"]
    assert meta.name(rs) == f"web-{digest}"
    assert rs["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": digest}}
    assert rs["spec"]["template"]["metadata"]["labels"] == {"app": "web", "pod-template-hash": digest}
    assert meta.annotations(rs) == {sets.REVISION: "1", sets.DESIRED: "3", sets.MAXIMUM: "4"}
    assert meta.is_controlled_by(rs, current(cluster))
    assert meta.annotations(current(cluster))[sets.REVISION] == "1"
    assert cluster.messages("ScalingReplicaSet") == [f"Scaled up replica set {meta.name(rs)} from 0 to 3"]


def test_status_and_conditions_of_a_first_rollout(cluster: Cluster) -> None:
    cluster.create("deployments", deployment())
    cluster.settle()
    name = meta.name(cluster.list("replicasets")[0])
    assert condition(cluster, "Available")[:2] == ("False", "MinimumReplicasUnavailable")
    assert condition(cluster, "Progressing") == ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    cluster.rest()
    assert condition(cluster, "Available") == (
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
    )
    assert condition(cluster, "Progressing") == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name}" has successfully progressed.',
    )
    counts = {key: value for key, value in status(cluster).items() if key != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }


def test_writes_nothing_when_nothing_changed(cluster: Cluster) -> None:
    start(cluster)
    before = cluster.writes
    for controller in cluster.controllers:
        for key in controller.initial():
            controller.reconcile(key)
    assert cluster.writes == before


def test_rolls_within_its_limits(cluster: Cluster) -> None:
    start(cluster, replicas=4, strategy=rolling(1, 1))
    change(cluster, template=template("new"))
    seen = [sizes(cluster)]
    for _ in range(20):
        cluster.run_pods()
        cluster.settle()
        seen.append(sizes(cluster))
        available = sum(not meta.is_terminating(pod) for pod in cluster.pods())
        assert 3 <= available <= 5
    assert seen[0] == {"httpd": 3, "new": 2}
    assert seen[-1] == {"httpd": 0, "new": 4}
    assert all(sum(each.values()) <= 5 for each in seen)


def test_both_limits_zero_still_moves(cluster: Cluster) -> None:
    start(cluster, replicas=2, strategy=rolling("0%", "1%"))
    change(cluster, template=template("new"))
    cluster.rest()
    assert sizes(cluster) == {"httpd": 0, "new": 2}


def test_broken_rollout_keeps_the_old_pods_and_times_out(cluster: Cluster) -> None:
    start(cluster, progressDeadlineSeconds=30)
    change(cluster, template=template("broken"))
    assert sizes(cluster) == {"httpd": 3, "broken": 1}
    cluster.advance(20)
    assert condition(cluster, "Progressing")[1] == "ReplicaSetUpdated"
    cluster.advance(20)
    name = meta.name(replica_set(cluster, "broken"))
    assert condition(cluster, "Progressing") == (
        "False",
        "ProgressDeadlineExceeded",
        f'ReplicaSet "{name}" has timed out progressing.',
    )
    assert sizes(cluster) == {"httpd": 3, "broken": 1}


def test_rolling_over_takes_the_sick_pods_first(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, template=template("broken"))
    change(cluster, template=template("good"))
    assert sizes(cluster)["broken"] == 0
    cluster.rest()
    assert sizes(cluster) == {"httpd": 0, "broken": 0, "good": 3}


def test_undo_uses_the_old_replica_set_under_a_new_revision(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, template=template("new"))
    cluster.rest()
    change(cluster, template=template())
    cluster.rest()
    notes = meta.annotations(replica_set(cluster, "httpd"))
    assert (notes[sets.REVISION], notes[sets.HISTORY]) == ("3", "1")
    assert meta.annotations(current(cluster))[sets.REVISION] == "3"
    assert sizes(cluster) == {"httpd": 3, "new": 0}


def test_change_cause_is_copied_and_last_applied_is_not(cluster: Cluster) -> None:
    new = deployment()
    cause, applied = "kubernetes.io/change-cause", "kubectl.kubernetes.io/last-applied-configuration"
    new["metadata"]["annotations"] = {cause: "first", applied: "{}"}
    cluster.create("deployments", new)
    cluster.settle()
    notes = meta.annotations(cluster.list("replicasets")[0])
    assert notes[cause] == "first"
    assert applied not in notes
    cluster.patch("deployments", "default", "web", {"metadata": {"annotations": {cause: "second"}}})
    cluster.settle()
    assert meta.annotations(cluster.list("replicasets")[0])[cause] == "second"


def test_paused_deployment_scales_but_does_not_roll(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, paused=True, template=template("new"), replicas=5)
    cluster.rest()
    assert sizes(cluster) == {"httpd": 5}
    assert condition(cluster, "Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    change(cluster, paused=False)
    assert condition(cluster, "Progressing")[1] in ("DeploymentResumed", "NewReplicaSetCreated", "ReplicaSetUpdated")
    cluster.rest()
    assert sizes(cluster) == {"httpd": 0, "new": 5}


def test_recreate_waits_until_every_old_pod_is_gone(cluster: Cluster) -> None:
    start(cluster, strategy={"type": "Recreate"})
    change(cluster, template=template("new"))
    assert sizes(cluster) == {"httpd": 0}
    for name in cluster.pod_names()[:2]:
        cluster.finish(name)
    cluster.settle()
    assert sizes(cluster) == {"httpd": 0}
    cluster.finish(cluster.pod_names()[0])
    cluster.settle()
    assert sizes(cluster) == {"httpd": 0, "new": 3}
    cluster.rest()
    assert condition(cluster, "Progressing")[1] == "NewReplicaSetAvailable"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(20, {"httpd": 15, "broken": 10}), (5, {"httpd": 4, "broken": 3}), (0, {"httpd": 0, "broken": 0})],
)
def test_scaling_in_a_rollout_is_proportional(cluster: Cluster, wanted: int, expected: dict[str, int]) -> None:
    start(cluster, replicas=10, strategy=rolling("25%", "25%"))
    change(cluster, template=template("broken"))
    assert sizes(cluster) == {"httpd": 8, "broken": 5}
    change(cluster, replicas=wanted)
    assert sizes(cluster) == expected


def test_scaling_writes_the_sizes_on_the_replica_set(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, replicas=5)
    (rs,) = cluster.list("replicasets")
    assert (meta.annotations(rs)[sets.DESIRED], meta.annotations(rs)[sets.MAXIMUM]) == ("5", "7")
    assert cluster.messages("ScalingReplicaSet")[-1] == f"Scaled up replica set {meta.name(rs)} from 3 to 5"


def test_old_replica_sets_are_kept_to_the_limit(cluster: Cluster) -> None:
    start(cluster, revisionHistoryLimit=2)
    for number in range(5):
        change(cluster, template=template(f"v{number}"))
        cluster.rest()
    revisions = sorted(meta.annotations(rs)[sets.REVISION] for rs in cluster.list("replicasets"))
    assert revisions == ["4", "5", "6"]


def test_refused_pods_show_as_replica_failure(cluster: Cluster) -> None:
    cluster.refusals.extend([errors.forbidden("pods", "", "exceeded quota")] * 50)
    cluster.create("deployments", deployment())
    cluster.settle()
    assert condition(cluster, "ReplicaFailure") == ("True", "FailedCreate", "pods is forbidden: exceeded quota")
    cluster.refusals.clear()
    cluster.advance(5)
    cluster.rest()
    assert condition(cluster, "ReplicaFailure") == ("", "", "")


def test_taken_name_is_avoided_by_the_collision_count(cluster: Cluster) -> None:
    start(cluster)
    (rs,) = cluster.list("replicasets")
    name = meta.name(rs)
    cluster.delete("deployments", "default", "web")
    cluster.patch("replicasets", "default", name, {"metadata": {"labels": {"app": "other"}, "ownerReferences": None}})
    cluster.create("deployments", deployment())
    cluster.settle()
    cluster.advance(2)
    assert status(cluster)["collisionCount"] == 1
    assert len(cluster.list("replicasets")) == 2


def test_adopts_an_orphaned_replica_set_of_its_template(cluster: Cluster) -> None:
    start(cluster)
    cluster.delete("deployments", "default", "web")
    (rs,) = cluster.list("replicasets")
    cluster.patch("replicasets", "default", meta.name(rs), {"metadata": {"ownerReferences": None}})
    start(cluster)
    (rs,) = cluster.list("replicasets")
    assert meta.is_controlled_by(rs, current(cluster))


def test_without_deadline_there_is_no_progress_condition(cluster: Cluster) -> None:
    start(cluster, progressDeadlineSeconds=2**31 - 1)
    assert condition(cluster, "Progressing") == ("", "", "")


def test_selector_of_everything_is_refused(cluster: Cluster) -> None:
    cluster.create("deployments", deployment(selector={}))
    cluster.settle()
    assert cluster.told == [
        ("Warning", "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.")
    ] * len(cluster.told)
    assert cluster.list("replicasets") == []


def test_minimum_ready_time_is_passed_on(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, minReadySeconds=7)
    assert cluster.list("replicasets")[0]["spec"]["minReadySeconds"] == 7


@pytest.mark.parametrize(
    ("wish", "image", "reason"),
    [
        ("0", "httpd", "DeploymentRollback"),
        ("1", "httpd", "DeploymentRollback"),
        ("2", "new", "DeploymentRollbackTemplateUnchanged"),
        ("7", "new", "DeploymentRollbackRevisionNotFound"),
    ],
)
def test_annotation_of_former_clients_rolls_back(cluster: Cluster, wish: str, image: str, reason: str) -> None:
    start(cluster)
    change(cluster, template=template("new"))
    cluster.rest()
    cluster.patch("deployments", "default", "web", {"metadata": {"annotations": {rollback.ANNOTATION: wish}}})
    cluster.rest()
    assert rollback.ANNOTATION not in meta.annotations(current(cluster))
    assert current(cluster)["spec"]["template"] == template(image)
    assert sizes(cluster)[image] == 3
    assert len(cluster.messages(reason)) == 1


def test_first_revision_has_none_before_it(cluster: Cluster) -> None:
    start(cluster)
    cluster.patch("deployments", "default", "web", {"metadata": {"annotations": {rollback.ANNOTATION: "0"}}})
    cluster.rest()
    assert cluster.messages("DeploymentRollbackRevisionNotFound") == ["Unable to find last revision."]
