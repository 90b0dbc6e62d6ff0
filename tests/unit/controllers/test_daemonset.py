"""Scenarios of DaemonSets on several nodes."""

from typing import Any

import pytest

from kubelite.controllers import pods as podq
from kubelite.controllers.daemonset import DaemonSetController, nodes
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, template, workload

UNREADY = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
RESERVED = {"key": "reserved", "effect": "NoSchedule"}
EVICTING = {"key": "broken", "effect": "NoExecute"}


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(DaemonSetController)
    for name in ("n1", "n2", "n3"):
        cluster.create("nodes", {"metadata": {"name": name, "labels": {"disk": f"ssd-{name}"}}, "spec": {}})
    return cluster


def rolling(unavailable: Any = 1, surge: Any = 0) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}


def rest(cluster: Cluster) -> None:
    """As `Cluster.rest`, with the scheduler's binding."""
    for _ in range(50):
        before = cluster.writes
        bind(cluster)
        cluster.rest()
        if cluster.writes == before:
            return
    raise AssertionError


def bind(cluster: Cluster) -> None:
    for pod in cluster.pods():
        if not pod["spec"].get("nodeName"):
            cluster.bind(pod, nodes.target_node(pod))
    cluster.settle()


def start(cluster: Cluster, **spec: Any) -> None:
    cluster.create("daemonsets", workload(**({"updateStrategy": rolling()} | spec)))
    rest(cluster)


def change(cluster: Cluster, **spec: Any) -> None:
    cluster.patch("daemonsets", "default", "web", {"spec": spec})
    cluster.settle()


def status(cluster: Cluster) -> Obj:
    reported: Obj = cluster.get("daemonsets", "default", "web")["status"]
    return reported


def images(cluster: Cluster) -> dict[str, str]:
    """Node -> image, of pods that stay."""
    return {
        nodes.target_node(pod): pod["spec"]["containers"][0]["image"]
        for pod in cluster.pods()
        if not meta.is_terminating(pod)
    }


def test_runs_one_pod_on_every_node(cluster: Cluster) -> None:
    start(cluster)
    assert images(cluster) == {"n1": "httpd", "n2": "httpd", "n3": "httpd"}
    assert status(cluster) == {
        "observedGeneration": 1,
        "desiredNumberScheduled": 3,
        "currentNumberScheduled": 3,
        "numberMisscheduled": 0,
        "numberReady": 3,
        "numberAvailable": 3,
        "updatedNumberScheduled": 3,
    }
    assert len(cluster.messages("SuccessfulCreate")) == 3


def test_pod_is_made_for_its_node(cluster: Cluster) -> None:
    start(cluster, template=template(hostNetwork=True, tolerations=[{"key": "mine", "operator": "Exists"}]))
    pod = cluster.pods()[0]
    node = pod["spec"]["nodeName"]
    affinity = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert affinity == {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    }
    assert [toleration["key"].rpartition("/")[2] for toleration in pod["spec"]["tolerations"]] == [
        "mine",
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
        "network-unavailable",
    ]
    (revision,) = cluster.list("controllerrevisions")
    digest = meta.labels(revision)["controller-revision-hash"]
    assert meta.name(revision) == f"web-{digest}"
    assert meta.labels(pod)["controller-revision-hash"] == digest


def test_follows_the_node_selector(cluster: Cluster) -> None:
    start(cluster, template=template(nodeSelector={"disk": "ssd-n2"}))
    assert images(cluster) == {"n2": "httpd"}
    cluster.patch("nodes", None, "n2", {"metadata": {"labels": {"disk": "none"}}})
    rest(cluster)
    assert images(cluster) == {}
    assert status(cluster)["desiredNumberScheduled"] == 0


@pytest.mark.parametrize(
    ("taint", "should_run", "may_stay"),
    [(UNREADY, True, True), (CORDONED, True, True), (RESERVED, False, True), (EVICTING, False, False)],
)
def test_taints_decide_who_comes_and_who_stays(taint: Obj, should_run: bool, may_stay: bool) -> None:
    node = {"metadata": {"name": "n1"}, "spec": {"taints": [taint]}}
    assert nodes.verdict(workload(), node) == (should_run, may_stay)


def test_new_node_gets_a_pod_and_a_gone_one_loses_its_pending_pod(cluster: Cluster) -> None:
    start(cluster)
    cluster.create("nodes", {"metadata": {"name": "n4"}, "spec": {}})
    cluster.settle()
    assert "n4" in images(cluster)
    cluster.delete("nodes", None, "n4")
    cluster.settle()
    assert "n4" not in images(cluster)


def test_rolls_node_by_node(cluster: Cluster) -> None:
    start(cluster)
    change(cluster, template=template("new"))
    assert sorted(images(cluster).values()) == ["httpd", "httpd"]
    cluster.run_pods()
    cluster.settle()
    assert sorted(images(cluster).values()) == ["httpd", "httpd", "new"]
    rest(cluster)
    assert set(images(cluster).values()) == {"new"}


def test_rolls_several_nodes_at_once_when_allowed(cluster: Cluster) -> None:
    start(cluster, updateStrategy=rolling("50%"))
    change(cluster, template=template("new"))
    assert len(images(cluster)) == 1


def test_broken_old_pods_are_replaced_first(cluster: Cluster) -> None:
    start(cluster)
    victim = next(meta.name(pod) for pod in cluster.pods() if pod["spec"]["nodeName"] == "n3")
    cluster.set_pod(victim, "Running", ready=False)
    change(cluster, template=template("new"))
    assert set(images(cluster)) == {"n1", "n2"}


def test_surge_starts_the_new_pod_beside_the_old_one(cluster: Cluster) -> None:
    start(cluster, updateStrategy=rolling(0, 1))
    change(cluster, template=template("new"))
    assert len(cluster.pods()) == 4
    assert not any(meta.is_terminating(pod) for pod in cluster.pods())
    rest(cluster)
    assert images(cluster) == {"n1": "new", "n2": "new", "n3": "new"}


def test_on_delete_waits_for_the_user(cluster: Cluster) -> None:
    start(cluster, updateStrategy={"type": "OnDelete"})
    change(cluster, template=template("new"))
    rest(cluster)
    assert set(images(cluster).values()) == {"httpd"}
    cluster.delete("pods", "default", cluster.pod_names()[0])
    rest(cluster)
    assert sorted(images(cluster).values()) == ["httpd", "httpd", "new"]


def test_failed_pod_is_replaced_and_waited_for_when_it_fails_again(cluster: Cluster) -> None:
    start(cluster, template=template(nodeSelector={"disk": "ssd-n1"}))
    cluster.set_pod(cluster.pod_names()[0], "Failed", ready=False)
    cluster.settle()
    (name,) = cluster.pod_names()
    cluster.set_pod(name, "Failed", ready=False)
    cluster.settle()
    assert cluster.pod_names() == [name]
    cluster.advance(1)
    assert cluster.pod_names() != [name]
    assert len(cluster.messages("FailedDaemonPod")) == 2


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_that_a_finalizer_keeps_does_not_hold_its_node(cluster: Cluster, phase: str) -> None:
    start(cluster)
    name = cluster.pod_names()[0]
    cluster.patch("pods", "default", name, {"metadata": {"finalizers": ["example.com/keeps"]}})
    cluster.set_pod(name, phase, ready=False)
    cluster.settle()
    assert meta.is_terminating(cluster.pod(name))
    assert sorted(images(cluster)) == ["n1", "n2", "n3"]
    bind(cluster)
    for pod in cluster.pods():
        if podq.phase(pod) == "Pending":
            cluster.run(meta.name(pod))
    cluster.settle()
    assert (len(cluster.pods()), status(cluster)["numberReady"]) == (4, 3)


def test_another_template_need_not_wait_for_the_failures_of_the_former(cluster: Cluster) -> None:
    start(cluster, template=template(nodeSelector={"disk": "ssd-n1"}), updateStrategy={"type": "OnDelete"})
    for _ in range(2):
        (name,) = cluster.pod_names()
        cluster.set_pod(name, "Failed", ready=False)
        cluster.settle()
    assert cluster.pod_names() == [name]
    change(cluster, template=template("new", nodeSelector={"disk": "ssd-n1"}))
    assert images(cluster) == {"n1": "new"}


def test_second_pod_on_a_node_goes(cluster: Cluster) -> None:
    start(cluster)
    extra = nodes.new_pod(cluster.get("daemonsets", "default", "web"), "n1", "x")
    cluster.advance(1)
    cluster.create("pods", extra)
    cluster.settle()
    assert sum(meta.is_terminating(pod) for pod in cluster.pods()) == 1


def test_undo_renumbers_the_former_revision(cluster: Cluster) -> None:
    start(cluster, revisionHistoryLimit=1)
    for image in ("new", "newer", "new"):
        change(cluster, template=template(image))
        rest(cluster)
    assert sorted(revision["revision"] for revision in cluster.list("controllerrevisions")) == [3, 4]


def test_pods_carry_the_template_generation_when_the_set_has_one(cluster: Cluster) -> None:
    new = workload(updateStrategy=rolling())
    new["metadata"]["annotations"] = {nodes.GENERATION_ANNOTATION: "4"}
    cluster.create("daemonsets", new)
    cluster.settle()
    assert {meta.labels(pod)["pod-template-generation"] for pod in cluster.pods()} == {"4"}


def test_conditions_of_others_stay(cluster: Cluster) -> None:
    start(cluster)
    told = [{"type": "Told", "status": "True"}]
    ds = cluster.get("daemonsets", "default", "web")
    cluster.update("daemonsets", ds | {"status": ds["status"] | {"conditions": told}}, "status")
    change(cluster, template=template("new"))
    rest(cluster)
    assert (status(cluster)["conditions"], status(cluster)["numberReady"]) == (told, 3)


def test_a_revision_made_twice_is_kept_once_and_restarts_nothing(cluster: Cluster) -> None:
    start(cluster)
    (first,) = cluster.list("controllerrevisions")
    before = cluster.pod_names()
    labels = meta.labels(first) | {podq.REVISION_LABEL: "other"}
    metadata = {"name": "by-hand", "namespace": "default", "labels": labels}
    metadata["ownerReferences"] = first["metadata"]["ownerReferences"]
    cluster.create("controllerrevisions", {"metadata": metadata, "data": first["data"], "revision": 2})
    change(cluster, minReadySeconds=1)
    rest(cluster)
    assert [meta.name(revision) for revision in cluster.list("controllerrevisions")] == ["by-hand"]
    assert cluster.pod_names() == before
    assert {podq.revision(pod) for pod in cluster.pods()} == {"other"}
