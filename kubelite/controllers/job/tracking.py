"""Counts a Job's pods exactly once: through the status' list of uncounted pods and the pods' finalizer. Pure.

A pod that ended keeps its finalizer until the status lists its uid (or its index as completed); only then the finalizer
goes, and once it is gone the uid turns into a count. A crash between any two of these steps loses and doubles nothing.
After upstream's `trackJobStatusAndRemoveFinalizers`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from kubelite.controllers import pods as podq
from kubelite.controllers.job import indexes, members
from kubelite.controllers.job import spec as jobs
from kubelite.controllers.job.failure_policy import matched
from kubelite.controllers.job.indexes import Indexes
from kubelite.controllers.job.verdict import is_complete, success
from kubelite.controllers.job.view import View
from kubelite.objects import meta
from kubelite.objects.meta import Obj

MAX_UNCOUNTED = 500

_HOWS = ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class Tracking:
    """`status` is written before the finalizers of `untrack` go; `end` is the final condition to come after that."""

    status: Obj
    untrack: tuple[Obj, ...] = ()
    end: Obj | None = None
    suspension: str = ""  # Suspended or Resumed, when that just happened
    partial: bool = False  # more pods ended than are counted at a time


def track(view: View, end: Obj | None, failed_indexes: Indexes, *, managed: bool) -> Tracking:
    """`end` is what `plan` decided; `managed` says that pods were created and deleted as the spec wants it.

    `failed_indexes` are those of the time of the decision: what is deleted because the Job ends hasn't failed its index.
    """
    if end is None and is_complete(view, len(view.active)):
        end = success(view)
    status, suspension = _progress(view) if end is None and managed else (_conditions(view), "")
    if jobs.limit_per_index(view.job) is not None:
        status["failedIndexes"] = indexes.text_of(failed_indexes)
    status, untrack, partial = _tally(view, status, end)
    if end is not None and end["type"] in ("FailureTarget", "SuccessCriteriaMet"):
        if not meta.condition_is_true(status["conditions"], end["type"]):
            status["conditions"] = jobs.with_condition(status["conditions"], end)
        final = "Failed" if end["type"] == "FailureTarget" else "Complete"
        end = jobs.condition(final, end.get("reason", ""), end.get("message", ""), view.now)
    return Tracking(serialized(status), tuple(untrack), end, suspension, partial)


def _conditions(view: View) -> Obj:
    return {"conditions": jobs.conditions(view.job)}


def _progress(view: View) -> tuple[Obj, str]:
    """Suspending and resuming are told by a condition and an event."""
    suspended = jobs.is_suspended(view.job)
    before = meta.condition(jobs.conditions(view.job), "Suspended")
    if suspended == (before is not None and before.get("status") == "True"):
        return _conditions(view), ""
    word = "Suspended" if suspended else "Resumed"
    state = "True" if suspended else "False"
    new = jobs.condition("Suspended", f"Job{word}", f"Job {word.lower()}", view.now, state)
    return {"conditions": jobs.with_condition(jobs.conditions(view.job), new)}, word


def _tally(view: View, status: Obj, end: Obj | None) -> tuple[Obj, list[Obj], bool]:
    """Take the pods that ended into the status."""
    tracked = {meta.uid(pod) for pod in view.pods if members.is_tracked(pod)}
    status = counted(status | _counts(view), tracked)
    uncounted: dict[str, list[str]] = {how: list(status["uncountedTerminatedPods"].get(how, ())) for how in _HOWS}
    fresh_indexes: set[int] = set()
    untrack: list[Obj] = []
    for pod in sorted(view.pods, key=_index_order):
        if not members.is_tracked(pod) or not _is_done_with(view, pod, end):
            continue
        if len(fresh_indexes) + sum(map(len, uncounted.values())) >= MAX_UNCOUNTED:
            return _with_tally(view, status, uncounted, fresh_indexes), untrack, True
        untrack.append(pod)
        _count_in(view, pod, end, uncounted, fresh_indexes)
    return _with_tally(view, status, uncounted, fresh_indexes), untrack, False


def _index_order(pod: Obj) -> int:
    index = members.index_of(pod)
    return -1 if index is None else index


def _counts(view: View) -> Obj:
    return {
        "startTime": meta.format_time(view.start) if view.start else None,
        "completionTime": view.status.get("completionTime"),
        "active": len(view.active),
        "ready": view.ready,
        "terminating": len(view.terminating),
        "succeeded": view.status.get("succeeded", 0),
        "failed": view.status.get("failed", 0),
        "uncountedTerminatedPods": view.status.get("uncountedTerminatedPods") or {},
    }


def _is_done_with(view: View, pod: Obj, end: Obj | None) -> bool:
    """Whether the finalizer may go."""
    if meta.is_terminating(view.job) or end is not None or podq.phase(pod) == "Succeeded":
        return True
    if not members.is_failed(pod, view.job):
        return False
    return all(meta.uid(waiting) != meta.uid(pod) for waiting in view.awaiting_replacement.values())


def _count_in(view: View, pod: Obj, end: Obj | None, uncounted: dict[str, list[str]], fresh_indexes: set[int]) -> None:
    uid, job = meta.uid(pod), view.job
    index = members.valid_index(pod, job)
    if podq.phase(pod) == "Succeeded" and uid not in uncounted["failed"]:
        if jobs.is_indexed(job):
            fresh_indexes.update({index} - view.counted_indexes if index is not None else ())
        elif uid not in uncounted["succeeded"]:
            uncounted["succeeded"].append(uid)
        return
    if not _has_failed(view, pod, end):
        return
    countable = not jobs.is_indexed(job) or index is not None
    if countable and uid not in uncounted["failed"] and matched(job, pod).counts:
        uncounted["failed"].append(uid)


def _has_failed(view: View, pod: Obj, end: Obj | None) -> bool:
    """Whatever still runs when the Job fails has failed, too; what is only stopped by success hasn't."""
    if end is None:
        return members.is_failed(pod, view.job)
    return end["type"] != "SuccessCriteriaMet" or podq.phase(pod) == "Failed"


def _with_tally(view: View, status: Obj, uncounted: dict[str, list[str]], fresh_indexes: set[int]) -> Obj:
    status = status | {"uncountedTerminatedPods": {how: uids for how, uids in uncounted.items() if uids}}
    if not jobs.is_indexed(view.job):
        return status
    done = view.counted_indexes | fresh_indexes
    return status | {"succeeded": len(done), "completedIndexes": indexes.text_of(done)}


def counted(status: Obj, tracked: Collection[str]) -> Obj:
    """`status` with those uids added up whose pods no longer have the finalizer."""
    uncounted = status["uncountedTerminatedPods"]
    left = {how: [uid for uid in uncounted.get(how, ()) if uid in tracked] for how in _HOWS}
    added = {how: status.get(how, 0) + len(uncounted.get(how, ())) - len(left[how]) for how in _HOWS}
    return status | added | {"uncountedTerminatedPods": {how: uids for how, uids in left.items() if uids}}


def settled(tracking: Tracking, tracked: Collection[str]) -> Obj:
    """The status once the finalizers are gone (but those of `tracked`), with the final condition if it is time."""
    status, end = counted(tracking.status, tracked), tracking.end
    waits = tracking.partial or status["uncountedTerminatedPods"] or status["terminating"]
    if end is not None and not waits:
        status = status | {"conditions": jobs.with_condition(status.get("conditions", ()), end)}
        if end["type"] == "Complete":
            status["completionTime"] = end["lastTransitionTime"]
    return serialized(status)


_KEPT_WHEN_ZERO = ("ready", "terminating", "uncountedTerminatedPods", "failedIndexes")


def serialized(status: Obj) -> Obj:
    def is_shown(name: str, value: Any) -> bool:
        return bool(value) or (value is not None and name in _KEPT_WHEN_ZERO)

    return {name: value for name, value in status.items() if is_shown(name, value)}
