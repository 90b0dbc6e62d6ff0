"""The status of a Deployment: counts, Available, Progressing and ReplicaFailure. Pure; after `progress.go`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.deployment.draft import Draft
from kubelite.objects import meta
from kubelite.objects.meta import Obj

NO_DEADLINE = 2**31 - 1


def deadline(deployment: Obj) -> int | None:
    """progressDeadlineSeconds; None when progress isn't judged."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else int(seconds)


def condition(kind: str, status: str, reason: str, message: str) -> Obj:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def with_condition(conditions: Sequence[Obj], new: Obj, now: datetime) -> list[Obj]:
    """Replaces the condition of the type, unless status and reason are the same; a replaced one moves to the end."""
    old = meta.condition(conditions, new["type"])
    if old is not None and (old.get("status"), old.get("reason")) == (new["status"], new["reason"]):
        return list(conditions)
    stamp = meta.format_time(now)
    moved = old.get("lastTransitionTime") if old is not None and old.get("status") == new["status"] else stamp
    entry = {
        "type": new["type"],
        "status": new["status"],
        "lastUpdateTime": stamp,
        "lastTransitionTime": moved,
        "reason": new["reason"],
        "message": new["message"],
    }
    return [*without_condition(conditions, new["type"]), entry]


def without_condition(conditions: Sequence[Obj], kind: str) -> list[Obj]:
    return [entry for entry in conditions if entry.get("type") != kind]


def paused(draft: Draft) -> None:
    """Pausing and resuming are kept in Progressing, so that paused time doesn't count as lack of progress."""
    present = meta.condition(draft.conditions, "Progressing") or {}
    if deadline(draft.deployment) is None or present.get("reason") == "ProgressDeadlineExceeded":
        return
    is_paused, was_paused = bool(draft.deployment["spec"].get("paused")), present.get("reason") == "DeploymentPaused"
    if is_paused and not was_paused:
        new = condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    elif was_paused and not is_paused:
        new = condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
    else:
        return
    draft.conditions = with_condition(draft.conditions, new, draft.now)


def counts(draft: Draft) -> dict[str, int]:
    """Numbers as the ReplicaSets report them; unavailable is measured against what they are asked for."""

    def total(count: str) -> int:
        return sum(sets.reported(rs, count) for rs in draft.all)

    available = total("availableReplicas")
    return {
        "observedGeneration": draft.deployment["metadata"].get("generation", 0),
        "replicas": total("replicas"),
        "updatedReplicas": sets.reported(draft.new, "replicas") if draft.new is not None else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, draft.size() - available),
    }


def assemble(draft: Draft, numbers: dict[str, int]) -> Obj:
    """The status object; zeros are left out as Go's encoder does."""
    status: Obj = {name: number for name, number in numbers.items() if number}
    collisions = (draft.deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        status["collisionCount"] = collisions
    minimum = sets.replicas(draft.deployment) - sets.max_unavailable(draft.deployment)
    if numbers["availableReplicas"] >= minimum:
        available = condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        available = condition(
            "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        )
    status["conditions"] = with_condition(draft.conditions, available, draft.now)
    return status


def is_complete(deployment: Obj, numbers: dict[str, int]) -> bool:
    wanted = sets.replicas(deployment)
    reached = (numbers["updatedReplicas"], numbers["replicas"], numbers["availableReplicas"])
    return reached == (wanted,) * 3 and numbers["observedGeneration"] >= deployment["metadata"].get("generation", 0)


def rollout(draft: Draft, numbers: dict[str, int]) -> Obj:
    """The status during a rollout: Progressing is judged, failures of the ReplicaSets are passed on."""
    if deadline(draft.deployment) is None:
        draft.conditions = without_condition(draft.conditions, "Progressing")
    else:
        _judge_progress(draft, numbers)
    status = assemble(draft, numbers)
    failure = _replica_failure(draft)
    if failure is None:
        status["conditions"] = without_condition(status["conditions"], "ReplicaFailure")
    else:
        status["conditions"] = with_condition(status["conditions"], failure, draft.now)
    return status


def _judge_progress(draft: Draft, numbers: dict[str, int]) -> None:
    present = meta.condition(draft.conditions, "Progressing")
    reason = (present or {}).get("reason")
    if numbers["replicas"] == numbers["updatedReplicas"] and reason == "NewReplicaSetAvailable":
        return
    subject = f'Deployment "{meta.name(draft.deployment)}"'
    if draft.new is not None:
        subject = f'ReplicaSet "{meta.name(draft.new)}"'
    if is_complete(draft.deployment, numbers):
        new = condition("Progressing", "True", "NewReplicaSetAvailable", f"{subject} has successfully progressed.")
    elif _moved(draft.deployment, numbers):
        new = condition("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        draft.conditions = _touched(draft, new)
        return
    elif present is not None and _timed_out(draft, present):
        new = condition("Progressing", "False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing.")
    else:
        return
    draft.conditions = with_condition(draft.conditions, new, draft.now)


def _touched(draft: Draft, new: Obj) -> list[Obj]:
    """Progress moves lastUpdateTime even when the reason stays."""
    old = meta.condition(draft.conditions, "Progressing")
    fresh = with_condition(without_condition(draft.conditions, "Progressing"), new, draft.now)
    if old is not None and old.get("status") == "True":
        fresh[-1]["lastTransitionTime"] = old.get("lastTransitionTime")
    return fresh


def _moved(deployment: Obj, numbers: dict[str, int]) -> bool:
    before = deployment.get("status") or {}
    outdated = numbers["replicas"] - numbers["updatedReplicas"]
    outdated_before: int = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    gained = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated < outdated_before or any(numbers[count] > before.get(count, 0) for count in gained)


def _timed_out(draft: Draft, present: Obj) -> bool:
    if present.get("reason") == "NewReplicaSetAvailable":
        return False
    return present.get("reason") == "ProgressDeadlineExceeded" or _until_deadline(draft, present) < 0


def _until_deadline(draft: Draft, present: Obj) -> float:
    if not present.get("lastUpdateTime"):
        return -1.0  # a client's condition: progress was never seen
    allowed = timedelta(seconds=deadline(draft.deployment) or 0)
    return (meta.parse_time(present["lastUpdateTime"]) + allowed - draft.now).total_seconds()


def _replica_failure(draft: Draft) -> Obj | None:
    """Of the new set before the others."""
    ranked = [draft.new, *draft.old] if draft.new is not None else draft.old
    for rs in ranked:
        found = meta.condition((rs.get("status") or {}).get("conditions"), "ReplicaFailure")
        if found is not None:
            told = (found.get(name, "") for name in ("status", "reason", "message"))
            return condition("ReplicaFailure", *told)
    return None


def seconds_until_deadline(draft: Draft, status: Obj, numbers: dict[str, int]) -> float | None:
    """When to look whether progress has timed out; None when nothing is judged or all is decided."""
    present = meta.condition(status["conditions"], "Progressing")
    if deadline(draft.deployment) is None or present is None or is_complete(draft.deployment, numbers):
        return None
    if present.get("reason") in ("ProgressDeadlineExceeded", "NewReplicaSetAvailable", "DeploymentPaused"):
        return None
    return max(_until_deadline(draft, present), 0) + 1
