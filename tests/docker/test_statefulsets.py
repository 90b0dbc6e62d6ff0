"""StatefulSets on the engine: roll-outs of every kind, order, halts, claims and orphans, as kubectl's users meet them."""

from __future__ import annotations

import json
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import eventually
from tests.docker.workloads import (
    Change,
    Recording,
    World,
    first,
    is_gone,
    is_leaving,
    is_ready,
    pods,
    replaced,
    serves,
    uids,
    workload,
)

APPS = "/apis/apps/v1"
REVISION = "controller-revision-hash"


def stateful_set(name: str = "web", replicas: int = 2, **spec: Any) -> str:
    return workload("StatefulSet", name, serviceName=name, replicas=replicas, **spec)


def with_claims(**policy: str) -> Obj:
    """What a set with the claim `data` and this retention policy has in its spec."""
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {
        "persistentVolumeClaimRetentionPolicy": policy,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": asked}],
        "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    }


def claims_of(kubelite: Namespace) -> World:
    return {meta.name(claim): claim for claim in kubelite.list("persistentvolumeclaims")}


def rolling(**parameters: int) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": parameters}


def revisions(world: World) -> dict[str, str]:
    return {name: meta.labels(pod)[REVISION] for name, pod in world.items()}


def history(kubelite: Namespace) -> dict[int, str]:
    """Names of the ControllerRevisions by their numbers."""
    return {it["revision"]: meta.name(it) for it in kubelite.list("controllerrevisions")}


def counts(found: Obj) -> tuple[int, ...]:
    """How many pods there are, are ready, at the current and at the update revision."""
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas")
    return tuple(found["status"].get(name, 0) for name in names)


def settled(kubelite: Namespace, *wanted: int) -> Obj:
    """The set's status when it has these counts."""
    return dict(kubelite.wait("statefulsets", "web", lambda found: counts(found) == wanted)["status"])


def set_version(kubelite: Namespace, version: int) -> Obj:
    """Change the template; the set when its controller has seen it."""
    before = kubelite.get("statefulsets", "web")["status"]["updateRevision"]
    kubelite.kubectl("set", "env", "statefulset/web", f"VERSION={version}")
    return kubelite.wait("statefulsets", "web", lambda found: found["status"]["updateRevision"] != before)


def test_partition_rolls_out_in_phases(kubelite: Namespace) -> None:
    kubelite.apply(stateful_set(replicas=3, updateStrategy=rolling(partition=3)))
    old = kubelite.wait("statefulsets", "web")["status"]["updateRevision"]
    at_first = pods(kubelite)
    staged = set_version(kubelite, 2)
    new = staged["status"]["updateRevision"]
    assert counts(staged) == (3, 3, 3, 0)
    assert staged["status"]["currentRevision"] == old
    assert uids(pods(kubelite)) == uids(at_first)

    def move_partition(partition: int, *wanted: int) -> Obj:
        patch = f'{{"spec":{{"updateStrategy":{{"rollingUpdate":{{"partition":{partition}}}}}}}}}'
        kubelite.kubectl("patch", "statefulset", "web", "-p", patch)
        replaced(kubelite, at_first, f"web-{partition}")
        return settled(kubelite, *wanted)

    assert move_partition(2, 3, 3, 2, 1)["currentRevision"] == old
    canary = pods(kubelite)
    assert revisions(canary) == {"web-0": old, "web-1": old, "web-2": new}
    assert uids(canary) | {"web-2": ""} == uids(at_first) | {"web-2": ""}
    told = kubelite.kubectl("rollout", "status", "statefulset/web").stdout
    assert told == "partitioned roll out complete: 1 new pods have been updated...\n"
    kubelite.kubectl("delete", "pod", "web-0", "web-2")
    replaced(kubelite, canary, "web-0", "web-2")
    assert settled(kubelite, 3, 3, 2, 1)["updateRevision"] == new
    assert revisions(pods(kubelite)) == revisions(canary)
    assert [kubelite.logs(name) for name in sorted(canary)] == ["1\n", "1\n", "2\n"]

    at_first = pods(kubelite)
    assert move_partition(1, 3, 3, 1, 2)["currentRevision"] == old
    assert revisions(pods(kubelite)) == {"web-0": old, "web-1": new, "web-2": new}
    assert move_partition(0, 3, 3, 3, 3)["currentRevision"] == new
    assert set(revisions(pods(kubelite)).values()) == {new}


def test_on_delete_waits_for_the_user_and_undo_uses_its_revision_again(kubelite: Namespace) -> None:
    strategy = {"type": "OnDelete"}
    kubelite.apply(stateful_set(updateStrategy=strategy, podManagementPolicy="Parallel", revisionHistoryLimit=1))
    old = kubelite.wait("statefulsets", "web")["status"]["updateRevision"]
    at_first = pods(kubelite)
    changed = set_version(kubelite, 2)
    new = changed["status"]["updateRevision"]
    assert counts(changed) == (2, 2, 2, 0)
    refused = kubelite.kubectl("rollout", "status", "statefulset/web", check=False)
    assert "rollout status is only available for RollingUpdate strategy type" in refused.stderr
    kubelite.kubectl("delete", "pod", "web-1")
    replaced(kubelite, at_first, "web-1")
    assert settled(kubelite, 2, 2, 1, 1)["currentRevision"] == old
    mixed = pods(kubelite)
    assert revisions(mixed) == {"web-0": old, "web-1": new}
    assert meta.uid(mixed["web-0"]) == meta.uid(at_first["web-0"])
    assert history(kubelite) == {1: old, 2: new}

    kubelite.kubectl("rollout", "undo", "statefulset/web")
    kubelite.wait("statefulsets", "web", lambda found: found["status"]["updateRevision"] == old)
    assert history(kubelite) == {2: new, 3: old}
    for version in (3, 4, 5):
        latest = set_version(kubelite, version)["status"]["updateRevision"]
    eventually(lambda: sorted(history(kubelite)) == [2, 3, 5, 6], told=lambda: history(kubelite))
    kept = history(kubelite)
    assert (kept[2], kept[3], kept[6]) == (new, old, latest)
    told = kubelite.kubectl("rollout", "history", "statefulset/web").stdout.splitlines()[2:]
    assert [line.split()[0] for line in told if line] == ["2", "3", "5", "6"]
    assert uids(pods(kubelite)) == uids(mixed)


def test_parallel_pods_come_at_once_and_go_as_max_unavailable_says(kubelite: Namespace) -> None:
    recording = Recording(kubelite)
    kubelite.apply(
        stateful_set(
            replicas=4, ordinals={"start": 5}, podManagementPolicy="Parallel", updateStrategy=rolling(maxUnavailable=2)
        )
    )
    seen = recording.until(lambda world: sum(map(serves, world.values())) == 4)
    assert [meta.name(change.object) for change in seen[:4]] == ["web-5", "web-6", "web-7", "web-8"]
    old = kubelite.wait("statefulsets", "web")["status"]["updateRevision"]
    kubelite.kubectl("set", "env", "statefulset/web", "VERSION=2")
    seen = recording.until(
        lambda world: len(world) == 4 and all(map(serves, world.values())) and old not in revisions(world).values()
    )
    assert max(4 - sum(map(serves, change.world.values())) for change in seen) == 2
    order = dict.fromkeys(meta.name(change.object) for change in seen if is_leaving(change))
    assert list(order) == ["web-8", "web-7", "web-6", "web-5"]

    before = uids(seen[-1].world)
    kubelite.kubectl("patch", "statefulset", "web", "-p", '{"spec":{"ordinals":{"start":6}}}')
    seen = recording.until(lambda world: set(world) == {*before, "web-9"} - {"web-5"} and serves(world["web-9"]))
    assert uids(seen[-1].world).items() - before.items() == {("web-9", meta.uid(seen[-1].world["web-9"]))}


def test_next_pod_waits_until_the_one_before_is_available(kubelite: Namespace) -> None:
    recording = Recording(kubelite, "statefulsets", APPS)

    def until_available(count: int) -> list[Change]:
        return recording.until(lambda world: world["web"].get("status", {}).get("availableReplicas") == count)

    kubelite.apply(stateful_set(minReadySeconds=2))
    seen = until_available(2)
    statuses = [change.object.get("status", {}) for change in seen]
    stages = dict.fromkeys((it.get("readyReplicas", 0), it.get("availableReplicas", 0)) for it in statuses)
    assert list(stages) == [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)]
    for seconds, available in ((3600, 0), (0, 2)):
        kubelite.kubectl("patch", "statefulset", "web", "-p", f'{{"spec":{{"minReadySeconds":{seconds}}}}}')
        until_available(available)

    old = kubelite.get("statefulsets", "web")["status"]["updateRevision"]
    kubelite.kubectl("set", "env", "statefulset/web", "VERSION=2")
    recording.until(lambda world: world["web"]["status"]["updateRevision"] != old)
    seen = recording.until(lambda world: is_settled(world["web"]["status"]))
    told = list(dict.fromkeys(counts(change.object) for change in seen))
    assert [it for it in ROLL_OUT_OF_TWO if it in told] == told
    assert {(2, 2, 0, 1), (2, 2, 2, 2)} <= {*told}


# replicas, ready, current, updated; a pod on its way out is neither current nor updated.
ROLL_OUT_OF_TWO = (
    *((2, 2, 1, 0), (2, 1, 1, 0), (1, 1, 1, 0), (2, 1, 1, 1), (2, 2, 1, 1)),
    *((2, 2, 0, 1), (2, 1, 0, 1), (1, 1, 0, 1), (2, 1, 0, 2), (2, 2, 2, 2)),
)


def is_settled(status: Obj) -> bool:
    return bool(status["currentRevision"] == status["updateRevision"])


def test_pod_that_does_not_stop_keeps_its_name_until_it_is_forced_away(kubelite: Namespace) -> None:
    kubelite.apply(stateful_set(replicas=1, pod={"terminationGracePeriodSeconds": 3600}, container=DEAF))
    kubelite.wait("statefulsets", "web")
    before = pods(kubelite)
    kubelite.kubectl("delete", "pod", "web-0", "--wait=false")
    leaving = kubelite.wait("statefulsets", "web", lambda found: counts(found)[2:] == (0, 0))
    assert counts(leaving)[0] == 1
    assert uids(pods(kubelite)) == uids(before)
    kubelite.kubectl("delete", "pod", "web-0", "--force", "--grace-period=0")
    replaced(kubelite, before, "web-0")
    settled(kubelite, 1, 1, 1, 1)


DEAF = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]}


def test_unready_pod_halts_what_comes_after_it_and_pods_go_one_by_one(kubelite: Namespace) -> None:
    is_up = "test $(hostname) != web-0 || test -e /tmp/up"
    probe = {"exec": {"command": ["sh", "-c", is_up]}, "periodSeconds": 1, "failureThreshold": 1}
    recording = Recording(kubelite)
    kubelite.apply(stateful_set(replicas=3, container={"readinessProbe": probe}))
    kubelite.wait("pods", "web-0", lambda pod: pod["status"]["phase"] == "Running")
    kubelite.wait("statefulsets", "web", lambda found: counts(found) == (1, 0, 1, 1))
    kubelite.exec("web-0", "touch", "/tmp/up")
    seen = recording.until(lambda world: sum(map(serves, world.values())) == 3)
    for former, latter in (("web-0", "web-1"), ("web-1", "web-2")):
        assert first(seen, former, is_ready) < first(seen, latter, lambda change: True)

    kubelite.exec("web-0", "rm", "/tmp/up")
    recording.until(lambda world: not serves(world["web-0"]))
    kubelite.kubectl("scale", "statefulset/web", "--replicas=1")
    generation = kubelite.get("statefulsets", "web")["metadata"]["generation"]
    halted = kubelite.wait("statefulsets", "web", lambda it: it["status"]["observedGeneration"] == generation)
    assert counts(halted) == (3, 2, 3, 3)
    kubelite.exec("web-0", "touch", "/tmp/up")
    seen = recording.until(lambda world: len(world) == 1)
    assert first(seen, "web-0", is_ready) < first(seen, "web-2", is_leaving)
    assert first(seen, "web-2", is_gone) < first(seen, "web-1", is_leaving)


def test_claims_go_as_the_retention_policy_says(kubelite: Namespace) -> None:
    """Two sets with the same labels side by side: what happens to one never touches the other's pods."""
    for name, scaled, deleted in (("scaled", "Delete", "Retain"), ("deleted", "Retain", "Delete")):
        kubelite.apply(
            stateful_set(
                name,
                podManagementPolicy="Parallel",
                **with_claims(whenScaled=scaled, whenDeleted=deleted),
            )
        )

    def directories(prefix: str = "") -> list[str]:
        found = kubelite.volumes.glob(f"{prefix}{kubelite.namespace}-data-*")
        return sorted(path.name.split("-data-")[1].split("-pvc-")[0] for path in found)

    for name in ("scaled", "deleted"):
        kubelite.wait("statefulsets", name)
    assert sorted(claims_of(kubelite)) == ["data-deleted-0", "data-deleted-1", "data-scaled-0", "data-scaled-1"]
    before = uids(pods(kubelite))
    kubelite.kubectl("scale", "statefulset/scaled", "--replicas=1")
    kubelite.wait("persistentvolumeclaims", "data-scaled-1", "deleted")
    assert uids(pods(kubelite)) == {name: uid for name, uid in before.items() if name != "scaled-1"}
    kubelite.kubectl("scale", "statefulset/deleted", "--replicas=1")
    kubelite.wait("pods", "deleted-1", "deleted")
    assert sorted(claims_of(kubelite)) == ["data-deleted-0", "data-deleted-1", "data-scaled-0"]

    own_by_another(kubelite, "data-deleted-1")
    kubelite.kubectl("scale", "statefulset/deleted", "--replicas=2")
    kubelite.wait("statefulsets", "deleted")
    told = [event for event in kubelite.list("events") if event["reason"] == "ConflictingController"]
    assert {event["message"].split()[1] for event in told} == {"data-deleted-1"}
    kubelite.kubectl("delete", "statefulset", "scaled", "deleted")
    kubelite.wait("persistentvolumeclaims", "data-deleted-0", "deleted")
    for name in ("scaled-0", "deleted-1"):
        kubelite.wait("pods", name, "deleted")
    assert sorted(claims_of(kubelite)) == ["data-deleted-1", "data-scaled-0"]
    eventually(lambda: directories() == ["deleted-1", "scaled-0"], told=directories)
    assert directories("archived-") == ["deleted-0", "scaled-1"]


def own_by_another(kubelite: Namespace, claim: str) -> None:
    """Give the claim a controller that is no StatefulSet."""
    kubelite.kubectl("create", "configmap", "other")
    owner = kubelite.get("configmaps", "other")
    ref = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": meta.uid(owner), "controller": True}
    patch = json.dumps({"metadata": {"ownerReferences": [ref]}})
    kubelite.kubectl("patch", "persistentvolumeclaim", claim, "--type=merge", "-p", patch)


def test_broken_revision_blocks_its_own_repair_until_its_pod_is_deleted(kubelite: Namespace) -> None:
    kubelite.apply(stateful_set())
    good = kubelite.wait("statefulsets", "web")["status"]["updateRevision"]
    at_first = pods(kubelite)
    kubelite.kubectl("set", "image", "statefulset/web", "main=kubelite/missing")
    broken = kubelite.wait("pods", "web-1", lambda pod: waits_for(pod) == "ErrImageNeverPull")
    recording = Recording(kubelite, "events")
    kubelite.kubectl("rollout", "undo", "statefulset/web")
    (*_, change) = recording.until(lambda world: "RolloutBlocked" in {event["reason"] for event in world.values()})
    assert change.object["involvedObject"]["name"] == "web"
    assert f"Pod web-1 isn't Ready and is still at revision {meta.labels(broken)[REVISION]}" in change.object["message"]
    assert change.object["message"].endswith("kubectl delete pod web-1")
    stuck = pods(kubelite)
    assert uids(stuck) == {"web-0": meta.uid(at_first["web-0"]), "web-1": meta.uid(broken)}

    kubelite.kubectl("delete", "pod", "web-1")
    replaced(kubelite, stuck, "web-1")
    assert settled(kubelite, 2, 2, 2, 2)["currentRevision"] == good
    after = pods(kubelite)
    assert revisions(after) == {"web-0": good, "web-1": good}
    assert meta.uid(after["web-0"]) == meta.uid(at_first["web-0"])


def waits_for(pod: Obj) -> str:
    (status,) = pod["status"].get("containerStatuses") or [{}]
    return str(status.get("state", {}).get("waiting", {}).get("reason", ""))


def test_orphans_are_adopted_strangers_let_go_and_failed_pods_replaced(kubelite: Namespace) -> None:
    manifest = stateful_set(**with_claims(whenDeleted="Delete"))
    kubelite.apply(manifest)
    former = kubelite.wait("statefulsets", "web")
    before, claims = pods(kubelite), uids(claims_of(kubelite))
    assert all(meta.is_controlled_by(claim, former) for claim in claims_of(kubelite).values())
    kubelite.kubectl("delete", "statefulset", "web", "--cascade=orphan")
    orphans = pods(kubelite)
    assert uids(orphans) == uids(before)
    left = [*orphans.values(), *claims_of(kubelite).values()]
    assert [meta.owner_references(obj) for obj in left] == [[]] * 4
    kubelite.apply(manifest)
    owner = kubelite.wait("statefulsets", "web")
    adopted = pods(kubelite)
    assert uids(adopted) == uids(before)
    assert all(meta.is_controlled_by(pod, owner) for pod in adopted.values())
    eventually(lambda: all(meta.is_controlled_by(claim, owner) for claim in claims_of(kubelite).values()))
    assert uids(claims_of(kubelite)) == claims
    assert history(kubelite) == {1: former["status"]["updateRevision"]}

    kubelite.kubectl("label", "pod", "web-1", "app=other", "--overwrite")
    kubelite.wait("pods", "web-1", lambda pod: not meta.owner_references(pod))
    kubelite.kubectl("label", "pod", "web-1", "app=web", "--overwrite")
    again = kubelite.wait("pods", "web-1", lambda pod: meta.is_controlled_by(pod, owner))
    assert meta.uid(again) == meta.uid(before["web-1"])
    kubelite.kubectl("label", "pod", "web-1", "app=other", "--overwrite")
    kubelite.wait("pods", "web-1", lambda pod: not meta.owner_references(pod))
    settled(kubelite, 1, 1, 1, 1)
    assert meta.uid(pods(kubelite)["web-1"]) == meta.uid(before["web-1"]), "its name is taken"
    kubelite.kubectl("delete", "pod", "web-1")
    replaced(kubelite, before, "web-1")

    recording = Recording(kubelite)
    kubelite.kubectl("patch", "pod", "web-0", "-p", '{"spec":{"activeDeadlineSeconds":1}}')
    replaced(kubelite, before, "web-0")
    seen = recording.until(lambda world: uids(world).get("web-0") not in (None, meta.uid(before["web-0"])))
    failed = seen[first(seen, "web-0", lambda change: change.object["status"].get("phase") == "Failed")]
    assert failed.object["status"]["reason"] == "DeadlineExceeded"
    settled(kubelite, 2, 2, 2, 2)


def test_scale_asks_for_the_size_that_was_seen(kubelite: Namespace) -> None:
    kubelite.apply(stateful_set(replicas=0))
    refused = kubelite.kubectl("scale", "statefulset/web", "--current-replicas=5", "--replicas=3", check=False)
    assert "Expected replicas to be 5, was 0" in refused.stderr
    kubelite.kubectl("scale", "statefulset/web", "--current-replicas=0", "--replicas=1")
    settled(kubelite, 1, 1, 1, 1)
    scale = kubelite.client.get(f"{APPS}/namespaces/{kubelite.namespace}/statefulsets/web/scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 1, "selector": "app=web"})
