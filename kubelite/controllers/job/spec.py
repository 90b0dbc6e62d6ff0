"""Questions about a Job itself: its spec and its conditions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from kubelite.objects import meta
from kubelite.objects.meta import Obj

CONTROLLER_NAME = "kubernetes.io/job-controller"


def is_indexed(job: Obj) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def is_suspended(job: Obj) -> bool:
    return bool(job["spec"].get("suspend"))


def completions(job: Obj) -> int | None:
    """How many pods have to succeed; None when one success ends the work."""
    count: int | None = job["spec"].get("completions")
    return count


def limit_per_index(job: Obj) -> int | None:
    limit: int | None = job["spec"].get("backoffLimitPerIndex")
    return limit


def waits_for_failed(job: Obj) -> bool:
    """A pod on its way out is only replaced once it has ended."""
    spec = job["spec"]
    return spec.get("podReplacementPolicy") == "Failed" or spec.get("podFailurePolicy") is not None


def managed_elsewhere(job: Obj) -> bool:
    return job["spec"].get("managedBy") not in (None, CONTROLLER_NAME)


def conditions(job: Obj) -> list[Obj]:
    return (job.get("status") or {}).get("conditions") or []


def true_condition(job: Obj, kind: str) -> Obj | None:
    found = meta.condition(conditions(job), kind)
    return found if found is not None and found.get("status") == "True" else None


def end_condition(job: Obj) -> Obj | None:
    """Complete or Failed, when the Job is finished."""
    return true_condition(job, "Complete") or true_condition(job, "Failed")


def started(job: Obj) -> datetime | None:
    start = (job.get("status") or {}).get("startTime")
    return meta.parse_time(start) if start else None


def deadline(job: Obj, start: datetime | None) -> datetime | None:
    """When `activeDeadlineSeconds` is over; a suspended Job has no deadline."""
    seconds = job["spec"].get("activeDeadlineSeconds")
    if seconds is None or start is None or is_suspended(job):
        return None
    return start + timedelta(seconds=seconds)


def condition(kind: str, reason: str, message: str, now: datetime, status: str = "True") -> Obj:
    stamp = meta.format_time(now)
    times = {"lastProbeTime": stamp, "lastTransitionTime": stamp}
    return {"type": kind, "status": status, **times, "reason": reason, "message": message}


def with_condition(conditions: Sequence[Obj], new: Obj) -> list[Obj]:
    """`new` in the place of the condition of its type, at the end when there is none."""
    if meta.condition(conditions, new["type"]) is None:
        return [*conditions, new]
    return [new if condition.get("type") == new["type"] else condition for condition in conditions]
