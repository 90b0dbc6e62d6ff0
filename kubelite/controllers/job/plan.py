"""Decides which pods a Job creates and deletes. Pure; after upstream's `job_controller`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kubelite.controllers import pods as podq
from kubelite.controllers.job import members
from kubelite.controllers.job import spec as jobs
from kubelite.controllers.job.backoff import remaining_of_index
from kubelite.controllers.job.indexes import first_missing
from kubelite.controllers.job.verdict import verdict
from kubelite.controllers.job.view import View, indexes_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj

BURST = 500

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """`end` is the condition that ends the Job, if one does; pods in `release` aren't counted as failed."""

    create: tuple[Obj, ...] = ()
    delete: tuple[Obj, ...] = ()
    release: tuple[Obj, ...] = ()
    end: Obj | None = None
    requeue_after: float | None = None


def plan(view: View) -> Plan:
    end = verdict(view)
    if end is not None:
        return Plan(delete=tuple(view.active), end=end)
    if meta.is_terminating(view.job):
        return Plan()
    if jobs.is_suspended(view.job):
        return Plan(release=tuple(superfluous(view, len(view.active))))
    deadline = jobs.deadline(view.job, view.start)
    wait = (deadline - view.now).total_seconds() if deadline is not None else None
    surplus = max(len(view.active) - _wanted(view), 0)
    if excess := superfluous(view, surplus)[:BURST]:
        return Plan(release=tuple(excess), requeue_after=wait)
    created, later = _missing(view)
    waits = [seconds for seconds in (wait, later) if seconds is not None]
    return Plan(create=tuple(created), requeue_after=min(waits, default=None))


def _wanted(view: View) -> int:
    """How many pods should be active; after the first success of a work queue no more are started."""
    parallelism: int = view.job["spec"]["parallelism"]
    wanted = jobs.completions(view.job)
    if wanted is None:
        return len(view.active) if view.succeeded else parallelism
    return max(min(wanted - view.succeeded, parallelism), 0)


def superfluous(view: View, at_least: int) -> list[Obj]:
    """Active pods to remove: of an Indexed Job those with a wrong or doubled index first, then the least advanced."""
    ranked = sorted(view.active, key=_rank)
    if not jobs.is_indexed(view.job):
        return ranked[:at_least]
    keepers: dict[int, Obj] = {}
    for pod in ranked:
        if (index := members.valid_index(pod, view.job)) is not None:
            keepers[index] = pod
    kept = {meta.uid(pod) for pod in keepers.values()}
    wrong = [pod for pod in ranked if meta.uid(pod) not in kept]
    right = [pod for pod in ranked if meta.uid(pod) in kept]
    return wrong + right[: max(at_least - len(wrong), 0)]


def _rank(pod: Obj) -> tuple[bool, int, bool, float, int, int, float]:
    """Smaller goes first: unassigned, pending, unready, just ready, restarted, young pods."""
    restarts, sidecars_restarts = podq.restarts(pod)
    created = meta.parse_time(pod["metadata"]["creationTimestamp"])
    return (
        bool(pod["spec"].get("nodeName")),
        _PHASES.get(podq.phase(pod), 0),
        podq.is_ready(pod),
        -_seconds(podq.ready_since(pod)),
        -restarts,
        -sidecars_restarts,
        -created.timestamp(),
    )


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _missing(view: View) -> tuple[list[Obj], float | None]:
    """New pods; or how long their creation has to wait."""
    going = len(view.terminating) if jobs.waits_for_failed(view.job) else 0
    count = min(_wanted(view) - going - len(view.active), BURST)
    if count <= 0:
        return [], None
    per_index = jobs.limit_per_index(view.job) is not None
    if not per_index and (wait := view.new_backoff.remaining(view.now)) > 0:
        return [], wait
    if not jobs.is_indexed(view.job):
        return [members.new_pod(view.job) for _ in range(count)], None
    free = _free_indexes(view, count)
    waits = {index: remaining_of_index(view.awaiting_replacement.get(index), view.now) for index in free}
    now = [index for index in free if waits[index] <= 0]
    later = min((seconds for seconds in waits.values() if seconds > 0), default=None)
    return [members.new_indexed_pod(view.job, i, view.awaiting_replacement.get(i)) for i in now], later


def _free_indexes(view: View, count: int) -> Sequence[int]:
    taken = view.succeeded_indexes | view.failed_indexes | indexes_of(view.active)
    if jobs.waits_for_failed(view.job):
        taken |= indexes_of(view.terminating)
    return first_missing(taken, count, jobs.completions(view.job) or 0)
