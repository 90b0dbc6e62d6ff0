"""One Job and its pods as they stand: what is active, what ended since the last count, which indexes are done.

Pure; the ground that `plan` and `tracking` decide on. Everything is worked out when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from kubelite.controllers import pods as podq
from kubelite.controllers.job import indexes, members
from kubelite.controllers.job import spec as jobs
from kubelite.controllers.job.backoff import Backoff
from kubelite.controllers.job.failure_policy import matched
from kubelite.controllers.job.indexes import Indexes
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True)
class View:
    job: Obj
    pods: Sequence[Obj]
    backoff: Backoff
    now: datetime

    @cached_property
    def status(self) -> Obj:
        return self.job.get("status") or {}

    @cached_property
    def active(self) -> list[Obj]:
        return [pod for pod in self.pods if podq.is_active(pod)]

    @cached_property
    def terminating(self) -> list[Obj]:
        return [pod for pod in self.pods if members.is_terminating(pod)]

    @cached_property
    def ready(self) -> int:
        return sum(map(podq.is_ready, self.active))

    @cached_property
    def start(self) -> datetime | None:
        """When the Job started, or was resumed, now at the latest; None while it is suspended from the beginning."""
        if not jobs.is_suspended(self.job) and jobs.true_condition(self.job, "Suspended"):
            return self.now
        before = jobs.started(self.job)
        return before if before is not None or jobs.is_suspended(self.job) else self.now

    # pods that ended

    def uncounted(self, how: str) -> frozenset[str]:
        """The uids that the status lists as ended (`succeeded` or `failed`) but hasn't added up yet."""
        return frozenset((self.status.get("uncountedTerminatedPods") or {}).get(how) or ())

    def _tracked(self, uncounted: frozenset[str] = frozenset()) -> Iterable[Obj]:
        for pod in self.pods:
            if not members.is_tracked(pod) or meta.uid(pod) in uncounted:
                continue
            if not jobs.is_indexed(self.job) or members.valid_index(pod, self.job) is not None:
                yield pod

    @cached_property
    def new_succeeded(self) -> list[Obj]:
        return [pod for pod in self._tracked(self.uncounted("succeeded")) if podq.phase(pod) == "Succeeded"]

    @cached_property
    def new_failed(self) -> list[Obj]:
        return [pod for pod in self._tracked(self.uncounted("failed")) if members.is_failed(pod, self.job)]

    @cached_property
    def failed(self) -> int:
        """Failures that count, with those that the status doesn't show yet."""
        counted = sum(matched(self.job, pod).counts for pod in self.new_failed)
        return int(self.status.get("failed", 0)) + counted + len(self.uncounted("failed"))

    @cached_property
    def succeeded(self) -> int:
        if jobs.is_indexed(self.job):
            return len(self.succeeded_indexes)
        return int(self.status.get("succeeded", 0)) + len(self.new_succeeded) + len(self.uncounted("succeeded"))

    @cached_property
    def new_backoff(self) -> Backoff:
        return self.backoff.after(self.new_succeeded, self.new_failed)

    # indexes

    @cached_property
    def counted_indexes(self) -> Indexes:
        """Those that the status says have succeeded."""
        return indexes.parse(self.status.get("completedIndexes", ""), jobs.completions(self.job) or 0)

    @cached_property
    def succeeded_indexes(self) -> Indexes:
        fresh = (pod for pod in self._tracked() if podq.phase(pod) == "Succeeded")
        return self.counted_indexes.union(index for pod in fresh if (index := members.index_of(pod)) is not None)

    @cached_property
    def failed_indexes(self) -> Indexes:
        """Those that have used up the limit of their own."""
        if jobs.limit_per_index(self.job) is None:
            return frozenset()
        before = indexes.parse(self.status.get("failedIndexes", ""), jobs.completions(self.job) or 0)
        fresh = (members.index_of(pod) for pod in self._tracked() if self._fails_index(pod))
        return before.union(index for index in fresh if index is not None)

    def _fails_index(self, pod: Obj) -> bool:
        if not members.is_failed(pod, self.job):
            return False
        verdict = matched(self.job, pod)
        if verdict.action == "FailIndex":
            return True
        limit = jobs.limit_per_index(self.job)
        return limit is not None and verdict.counts and members.failures_of_index(pod) >= limit

    @cached_property
    def awaiting_replacement(self) -> dict[int, Obj]:
        """The failed pod of each index whose successor still has to take over its count of failures."""
        if jobs.limit_per_index(self.job) is None:
            return {}
        settled = self.succeeded_indexes | self.failed_indexes | indexes_of(self.active)
        last: dict[int, Obj] = {}
        for pod in self._tracked():
            index = members.index_of(pod)
            if index is None or index in settled or not members.is_failed(pod, self.job):
                continue
            if index not in last or _seniority(last[index]) <= _seniority(pod):
                last[index] = pod
        return last


def _seniority(pod: Obj) -> tuple[int, datetime]:
    return members.all_failures_of_index(pod), members.finished_at(pod)


def indexes_of(pods: Iterable[Obj]) -> Indexes:
    return frozenset(index for pod in pods if (index := members.index_of(pod)) is not None)
