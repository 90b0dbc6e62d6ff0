"""Decides which pods a ReplicaSet creates or deletes, and its status. Pure; after upstream's `replica_set`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kubelite.controllers import pods as podq
from kubelite.controllers.replicaset import ranking
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj

BURST = 500


@dataclass(frozen=True, slots=True)
class Plan:
    create: tuple[Obj, ...] = ()
    delete: tuple[Obj, ...] = ()
    requeue_after: float | None = None


def plan(rs: Obj, pods: Sequence[Obj], related: Callable[[], Iterable[Obj]], now: datetime) -> Plan:
    """`pods` are the set's own; `related` gives the pods of all ReplicaSets with the same owner, itself included."""
    active = [pod for pod in pods if podq.is_active(pod)]
    wait = podq.seconds_until_next_available(active, rs["spec"].get("minReadySeconds", 0), now)
    if meta.is_terminating(rs):
        return Plan(requeue_after=wait)
    difference = len(active) - replicas(rs)
    if difference < 0:
        return Plan(create=tuple(new_pod(rs) for _ in range(min(-difference, BURST))), requeue_after=wait)
    if difference > 0:
        chosen = ranking.doomed(active, min(difference, BURST), related(), now)
        return Plan(delete=tuple(chosen), requeue_after=wait)
    return Plan(requeue_after=wait)


def replicas(rs: Obj) -> int:
    return int(rs["spec"].get("replicas", 1))


def new_pod(rs: Obj) -> Obj:
    pod = podq.from_template(rs["spec"]["template"], rs)
    pod["metadata"] = {"generateName": f"{meta.name(rs)}-"} | pod["metadata"]
    return pod


def status(rs: Obj, pods: Iterable[Obj], failure: tuple[str, StatusError] | None, now: datetime) -> Obj:
    """The counts; and ReplicaFailure while creating or deleting (`failure` says which) doesn't work."""
    active = [pod for pod in pods if podq.is_active(pod)]
    template = ((rs["spec"]["template"].get("metadata") or {}).get("labels") or {}).items()
    minimum = rs["spec"].get("minReadySeconds", 0)
    counts = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(template <= meta.labels(pod).items() for pod in active),
        "readyReplicas": sum(map(podq.is_ready, active)),
        "availableReplicas": sum(podq.is_available(pod, minimum, now) for pod in active),
        "observedGeneration": rs["metadata"].get("generation", 0),
    }
    result: Obj = {name: count for name, count in counts.items() if count or name == "replicas"}
    if conditions := _conditions(rs, failure, now):
        result["conditions"] = conditions
    return result


def _conditions(rs: Obj, failure: tuple[str, StatusError] | None, now: datetime) -> list[Obj]:
    present: list[Obj] = (rs.get("status") or {}).get("conditions") or []
    if failure is None:
        return [condition for condition in present if condition.get("type") != "ReplicaFailure"]
    if meta.condition(present, "ReplicaFailure"):
        return present
    reason, error = failure
    new = {"type": "ReplicaFailure", "status": "True", "reason": reason, "message": str(error)}
    return meta.with_condition(present, new, now)
