"""Deployments, ReplicaSets and DaemonSets on the engine, as kubectl's users meet them."""

from __future__ import annotations

import json
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import eventually
from tests.docker.test_pods_more import node_name
from tests.docker.workloads import Recording, World, first, is_gone, is_leaving, is_ready, pods, serves, uids, workload

APPS = "/apis/apps/v1"
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
COST = "controller.kubernetes.io/pod-deletion-cost"
ENDED = ("Succeeded", "Failed")
INTOLERANT = '[{"op": "remove", "path": "/spec/template/spec/tolerations"}]'


def deployment(replicas: int, strategy: Obj, **spec: Any) -> str:
    return workload("Deployment", replicas=replicas, strategy=strategy, **spec)


def hashes(world: World) -> set[str]:
    return {meta.labels(pod)[HASH] for pod in world.values()}


def have_replaced(before: World, count: int) -> Any:
    """So many pods are there, all serve, and none was there before."""

    def holds(world: World) -> bool:
        new = hashes(world).isdisjoint(hashes(before))
        return new and len(world) == count and all(map(serves, world.values()))

    return holds


def progressing(found: Obj) -> Obj:
    return meta.condition(found["status"].get("conditions"), "Progressing") or {}


def sizes(world: World) -> list[int]:
    """What ReplicaSets are asked for, largest first."""
    return sorted((rs["spec"]["replicas"] for rs in world.values()), reverse=True)


def says(kubelite: Namespace, pod: str, text: str) -> None:
    """A container's first words may come a moment after it has started."""
    eventually(lambda: kubelite.logs(pod) == text)


def revisions(kubelite: Namespace) -> list[str]:
    return sorted(meta.annotations(rs)[REVISION] for rs in kubelite.list("replicasets"))


def test_roll_out_stays_within_its_percentages_and_is_scaled_in_proportion(kubelite: Namespace) -> None:
    limits = {"maxSurge": "25%", "maxUnavailable": "25%"}
    kubelite.apply(deployment(4, {"type": "RollingUpdate", "rollingUpdate": limits}))
    kubelite.wait("deployments", "web")
    recording, sets = Recording(kubelite), Recording(kubelite, "replicasets", APPS)
    before = pods(kubelite)
    kubelite.kubectl("set", "env", "deployment/web", "VERSION=2")
    seen = recording.until(have_replaced(before, 4))
    asked = sets.until(lambda world: sizes(world) == [4, 0])
    assert max(sum(sizes(change.world)) for change in asked) == 5  # as upstream counts: a pod may still be on its way
    assert min(sum(map(serves, change.world.values())) for change in seen) == 3
    for name in seen[-1].world:
        says(kubelite, name, "2\n")

    kubelite.kubectl("set", "image", "deployment/web", "main=kubelite/missing")
    sets.until(lambda world: sizes(world) == [3, 2, 0])
    kubelite.kubectl("scale", "deployment/web", "--replicas=8")
    sets.until(lambda world: sizes(world) == [6, 4, 0])
    scaled = kubelite.wait("deployments", "web", lambda found: found["status"].get("readyReplicas") == 6)
    assert meta.condition_is_true(scaled["status"]["conditions"], "Available")


def test_recreate_never_runs_old_and_new_pods_together(kubelite: Namespace) -> None:
    kubelite.apply(deployment(2, {"type": "Recreate"}))
    kubelite.wait("deployments", "web")
    recording = Recording(kubelite)
    before = pods(kubelite)
    kubelite.kubectl("set", "env", "deployment/web", "VERSION=2")
    for change in recording.until(have_replaced(before, 2)):
        unended = {name: pod for name, pod in change.world.items() if pod["status"].get("phase") not in ENDED}
        assert len(hashes(unended)) <= 1, unended


def test_stalled_roll_out_is_told_and_undone_and_a_paused_one_waits(kubelite: Namespace) -> None:
    kubelite.apply(deployment(1, {"type": "RollingUpdate"}, progressDeadlineSeconds=1))
    kubelite.wait("deployments", "web")
    at_first = pods(kubelite)
    kubelite.kubectl("set", "image", "deployment/web", "main=kubelite/missing")
    stalled = kubelite.wait(
        "deployments", "web", lambda it: progressing(it).get("reason") == "ProgressDeadlineExceeded"
    )
    assert progressing(stalled)["status"] == "False"
    assert meta.condition_is_true(stalled["status"]["conditions"], "Available")
    told = kubelite.kubectl("rollout", "status", "deployment/web", check=False)
    assert (told.returncode, told.stderr) == (1, 'error: deployment "web" exceeded its progress deadline\n')
    kubelite.kubectl("rollout", "undo", "deployment/web")
    undone = kubelite.wait("deployments", "web", lambda it: progressing(it)["reason"] == "NewReplicaSetAvailable")
    assert meta.annotations(undone)[REVISION] == "3"
    assert len(kubelite.list("replicasets")) == 2

    kubelite.kubectl("rollout", "pause", "deployment/web")
    kubelite.kubectl("set", "env", "deployment/web", "VERSION=2")
    kubelite.kubectl("set", "env", "deployment/web", "VERSION=3")
    generation = kubelite.get("deployments", "web")["metadata"]["generation"]
    paused = kubelite.wait("deployments", "web", lambda it: it["status"]["observedGeneration"] == generation)
    assert (progressing(paused)["status"], progressing(paused)["reason"]) == ("Unknown", "DeploymentPaused")
    assert len(kubelite.list("replicasets")) == 2
    recording = Recording(kubelite)
    assert uids(at_first).items() <= uids(pods(kubelite)).items()
    kubelite.kubectl("rollout", "resume", "deployment/web")
    seen = recording.until(have_replaced(at_first, 1))
    (resumed,) = seen[-1].world
    says(kubelite, resumed, "3\n")
    assert revisions(kubelite) == ["2", "3", "4"]

    kubelite.kubectl("patch", "deployment", "web", "-p", '{"spec":{"revisionHistoryLimit":1}}')
    eventually(lambda: revisions(kubelite) == ["3", "4"])
    history = kubelite.kubectl("rollout", "history", "deployment/web").stdout
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["3", "4"]
    lost = kubelite.kubectl("rollout", "undo", "deployment/web", "--to-revision=2", check=False)
    assert lost.stderr == "error: unable to find specified revision 2 in history\n"


def test_replica_set_gives_up_cheap_pods_first_and_replaces_those_that_leave(kubelite: Namespace) -> None:
    kubelite.apply(workload("ReplicaSet", replicas=3))
    kubelite.wait("replicasets", "web")
    before = uids(pods(kubelite))
    cheap, other, dear = before
    kubelite.kubectl("annotate", "pod", cheap, f"{COST}=-10")
    kubelite.kubectl("annotate", "pod", dear, f"{COST}=10")
    recording = Recording(kubelite)
    kubelite.kubectl("scale", "replicaset/web", "--replicas=2")
    seen = recording.until(lambda world: len(world) == 2)
    assert set(seen[-1].world) == {other, dear}
    kubelite.kubectl("scale", "replicaset/web", "--replicas=1")
    seen = recording.until(lambda world: len(world) == 1)
    assert set(seen[-1].world) == {dear}

    kubelite.kubectl("label", "pod", dear, "app=debug", "--overwrite")
    seen = recording.until(lambda world: len(world) == 2 and all(map(serves, world.values())))
    released = seen[-1].world[dear]
    assert (meta.owner_references(released), meta.uid(released)) == ([], before[dear])
    kubelite.kubectl("label", "pod", dear, "app=web", "--overwrite")
    seen = recording.until(lambda world: len(world) == 1)
    assert set(seen[-1].world) == {dear}  # the cheaper one went
    assert meta.is_controlled_by(seen[-1].world[dear], kubelite.get("replicasets", "web"))


def well_known_tolerations(pod: Obj) -> set[tuple[str, str]]:
    return {(it["key"].removeprefix("node.kubernetes.io/"), it["effect"]) for it in pod["spec"]["tolerations"]}


def test_daemon_follows_the_labels_of_the_node_and_is_replaced_by_an_update(kubelite: Namespace) -> None:
    node, label = node_name(kubelite), f"kubelite.test/{kubelite.namespace}"
    kubelite.apply(workload("DaemonSet", pod={"nodeSelector": {label: "yes"}}))
    unwanted = kubelite.wait("daemonsets", "web", lambda found: found["status"].get("observedGeneration") == 1)
    assert unwanted["status"]["desiredNumberScheduled"] == 0
    recording = Recording(kubelite)
    try:
        kubelite.kubectl("label", "node", node, f"{label}=yes")
        (old,) = recording.until(lambda world: any(map(serves, world.values())))[-1].world
        kubelite.kubectl("set", "env", "daemonset/web", "VERSION=2")
        told = kubelite.kubectl("rollout", "status", "daemonset/web", "--timeout=60s").stdout
        assert told.endswith('daemon set "web" successfully rolled out\n')
        seen = recording.until(lambda world: old not in world and any(map(serves, world.values())))
        (new,) = seen[-1].world
        assert first(seen, old, is_gone) < first(seen, new, lambda change: True)
        says(kubelite, new, "2\n")
        surge = '{"spec":{"updateStrategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}}}}'
        kubelite.kubectl("patch", "daemonset", "web", "-p", surge)
        kubelite.kubectl("rollout", "undo", "daemonset/web")
        seen = recording.until(lambda world: new not in world and any(map(serves, world.values())))
        (undone,) = seen[-1].world
        assert first(seen, undone, is_ready) < first(seen, new, is_leaving)
        assert sorted(it["revision"] for it in kubelite.list("controllerrevisions")) == [2, 3]
    finally:
        kubelite.kubectl("label", "node", node, f"{label}-")
    recording.until(lambda world: not world)
    gone = kubelite.wait("daemonsets", "web", lambda found: found["status"]["currentNumberScheduled"] == 0)
    assert gone["status"]["desiredNumberScheduled"] == gone["status"]["numberMisscheduled"] == 0


def test_daemon_is_renewed_when_deleted_and_comes_where_it_tolerates_the_taint(kubelite: Namespace) -> None:
    node, key = node_name(kubelite), f"kubelite.test/{kubelite.namespace}"
    kubelite.apply(workload("DaemonSet", updateStrategy={"type": "OnDelete"}))
    kubelite.wait("daemonsets", "web")
    (old,) = pods(kubelite)
    kubelite.kubectl("set", "env", "daemonset/web", "VERSION=2")
    outdated = kubelite.wait("daemonsets", "web", lambda it: it["status"]["observedGeneration"] == 2)["status"]
    assert (outdated["desiredNumberScheduled"], outdated.get("updatedNumberScheduled", 0)) == (1, 0)
    assert [serves(pod) for pod in pods(kubelite).values()] == [True]
    recording = Recording(kubelite)
    kubelite.delete("pods", old)
    (new,) = recording.until(lambda world: old not in world and any(map(serves, world.values())))[-1].world
    says(kubelite, new, "2\n")
    kubelite.wait("daemonsets", "web", lambda it: it["status"].get("updatedNumberScheduled") == 1)

    try:
        kubelite.kubectl("taint", "node", node, f"{key}=yes:NoSchedule")
        stays = kubelite.wait("daemonsets", "web", lambda it: it["status"]["desiredNumberScheduled"] == 0)["status"]
        assert (stays["currentNumberScheduled"], stays["numberMisscheduled"]) == (0, 1)
        kubelite.delete("pods", new)
        recording.until(lambda world: not world)
        kubelite.wait("daemonsets", "web", lambda it: it["status"]["numberMisscheduled"] == 0)
        assert not pods(kubelite)
        tolerant = {"template": {"spec": {"tolerations": [{"key": key, "operator": "Exists"}]}}}
        kubelite.kubectl("patch", "daemonset", "web", "-p", json.dumps({"spec": tolerant}))
        recording.until(lambda world: any(map(serves, world.values())))
        kubelite.kubectl("taint", "node", node, f"{key}=yes:NoExecute")
        kubelite.kubectl("patch", "daemonset", "web", "--type=json", "-p", INTOLERANT)
        recording.until(lambda world: not world)  # what may not run there any more is taken away
    finally:
        kubelite.kubectl("taint", "node", node, f"{key}-")
    (back,) = recording.until(lambda world: any(map(serves, world.values())))[-1].world
    tolerated = well_known_tolerations(kubelite.get("pods", back))
    assert tolerated == {
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        *((pressure, "NoSchedule") for pressure in ("disk-pressure", "memory-pressure", "pid-pressure")),
        ("unschedulable", "NoSchedule"),
    }
