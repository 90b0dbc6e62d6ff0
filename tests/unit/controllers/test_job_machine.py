"""Random Jobs, failures, changes and interrupted work: what must hold after every step, and at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kubelite.config import Settings
from kubelite.controllers import pods as podq
from kubelite.controllers.job import JobController, indexes, members
from kubelite.controllers.job import spec as jobs
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.store import Store
from tests.unit.conftest import Clock, Controllers, Recorded
from tests.unit.controllers.jobs import NAMESPACE, Bench, job


class Interrupted(Exception):
    """The process dies in the middle of its work."""


class FragileRegistry(Registry):
    """Dies before the n-th write of a pod or of a Job's status, when told so."""

    writes_left: int | None = None

    def _count(self) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                self.writes_left = None
                raise Interrupted

    def patch(self, plural: str, *arguments: Any) -> Obj:
        self._count()
        return super().patch(plural, *arguments)

    def update(self, plural: str, obj: Obj, subresource: str = "") -> Obj:
        self._count()
        return super().update(plural, obj, subresource)


class Jobs(RuleBasedStateMachine):
    @initialize(
        completions=st.one_of(st.none(), st.integers(0, 4)),
        parallelism=st.integers(0, 4),
        limit=st.integers(0, 3),
        indexed=st.booleans(),
        per_index=st.one_of(st.none(), st.integers(0, 1)),
        replacement=st.sampled_from(["Failed", "TerminatingOrFailed"]),
    )
    def create(
        self,
        completions: int | None,
        parallelism: int,
        limit: int,
        indexed: bool,
        per_index: int | None,
        replacement: str,
    ) -> None:
        clock = Clock()
        self.clock = clock
        self.store = Store(":memory:")
        self.registry = FragileRegistry(self.store, Settings(), now=clock)
        for plural in ("namespaces", "serviceaccounts"):
            namespace = {} if plural == "namespaces" else {"namespace": NAMESPACE}
            self.registry.create(plural, {"metadata": {"name": "default"} | namespace})
        spec: Obj = {"parallelism": parallelism, "backoffLimit": limit, "podReplacementPolicy": replacement}
        if completions is not None:
            spec["completions"] = completions
            if indexed:
                spec |= {"completionMode": "Indexed"}
                spec |= {"backoffLimitPerIndex": per_index} if per_index is not None else {}
        self.start()
        self.ended: list[str] = []  # phases that pods ended with while they were to be counted
        self.bench.create(job(**spec))

    def start(self) -> None:
        """A new process: nothing but the store remains."""
        controllers = Controllers(self.registry, JobController(self.registry, Recorded(), self.clock))
        self.bench = Bench(self.registry, controllers.settle, self.clock)

    @property
    def job(self) -> Obj:
        return self.bench.job

    @property
    def finished(self) -> bool:
        return jobs.end_condition(self.job) is not None

    @rule(data=st.data(), what=st.sampled_from(["run", "succeed", "succeed", "fail", "delete"]))
    def touch_a_pod(self, data: st.DataObject, what: str) -> None:
        self.change_a_pod(data, what)
        self.bench.rest()

    def change_a_pod(self, data: st.DataObject, what: str) -> None:
        alive = [pod for pod in self.bench.pods() if not podq.is_finished(pod)]
        if not alive:
            return
        pod = data.draw(st.sampled_from(alive), label="pod")
        if what == "delete":
            self.registry.delete("pods", NAMESPACE, meta.name(self.bench.bind(pod)))
            return
        phase = {"run": "Running", "succeed": "Succeeded", "fail": "Failed"}[what]
        self.bench.report(pod, phase, ready=what == "run")
        if what != "run" and members.is_tracked(pod):
            self.ended.append(phase)

    @rule(data=st.data(), changes=st.integers(1, 3), writes=st.integers(0, 6))
    def die_at_work(self, data: st.DataObject, changes: int, writes: int) -> None:
        """Several things happen, and the process dies while it works on them; the next one goes on."""
        for _ in range(changes):
            self.change_a_pod(data, data.draw(st.sampled_from(["succeed", "fail"]), label="what"))
        self.registry.writes_left = writes
        try:
            self.bench.rest()
        except Interrupted:
            self.start()
        self.registry.writes_left = None
        self.bench.rest()

    @rule()
    def let_the_kubelet_finish(self) -> None:
        self.bench.bury()

    @precondition(lambda self: not self.finished)
    @rule(parallelism=st.integers(0, 4))
    def change_parallelism(self, parallelism: int) -> None:
        self.bench.change(parallelism=parallelism)

    @precondition(lambda self: not self.finished)
    @rule(suspend=st.booleans())
    def suspend_or_resume(self, suspend: bool) -> None:
        self.bench.change(suspend=suspend)

    @rule(seconds=st.sampled_from([1, 11, 700]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.at += timedelta(seconds=seconds)
        self.bench.rest()

    # what must hold

    @invariant()
    def never_more_active_than_asked_for(self) -> None:
        active, spec = len(self.bench.active()), self.job["spec"]
        assert active <= spec["parallelism"] or jobs.completions(self.job) is None
        if spec["suspend"] or self.finished:
            assert active == 0

    @invariant()
    def never_more_successes_than_completions(self) -> None:
        wanted = jobs.completions(self.job)
        succeeded = self.bench.status.get("succeeded", 0)
        assert wanted is None or succeeded <= max(wanted, 0)

    @invariant()
    def what_ended_is_counted_once(self) -> None:
        succeeded, failed = self.bench.status.get("succeeded", 0), self.bench.status.get("failed", 0)
        assert succeeded == self.ended.count("Succeeded")
        if jobs.limit_per_index(self.job) is None:  # else some are counted when they are replaced
            assert failed >= self.ended.count("Failed")

    @invariant()
    def an_index_has_one_active_pod(self) -> None:
        if jobs.is_indexed(self.job):
            active = self.bench.active_indexes()
            assert len(active) == len(set(active))
            done = indexes.parse(self.bench.status.get("completedIndexes", ""), 100)
            failed = indexes.parse(self.bench.status.get("failedIndexes", ""), 100)
            assert not done & set(active)
            assert not done & failed
            assert not failed & set(active)

    @invariant()
    def the_backoff_limit_is_respected(self) -> None:
        failed, limit = self.bench.status.get("failed", 0), self.job["spec"]["backoffLimit"]
        if failed > limit:
            assert jobs.true_condition(self.job, "FailureTarget") or jobs.true_condition(self.job, "SuccessCriteriaMet")

    @invariant()
    def status_tells_the_truth(self) -> None:
        status = self.bench.status
        assert status.get("active", 0) == len(self.bench.active())
        assert status["ready"] == sum(map(podq.is_ready, self.bench.active()))
        assert status["terminating"] == sum(members.is_terminating(p) for p in self.bench.pods() if self._is_ours(p))
        assert status["uncountedTerminatedPods"] == {}

    def _is_ours(self, pod: Obj) -> bool:
        return meta.is_controlled_by(pod, self.job)

    @invariant()
    def what_ended_is_no_longer_tracked(self) -> None:
        waiting = jobs.limit_per_index(self.job) is not None and not self.finished
        tracked = [pod for pod in self.bench.pods() if members.is_tracked(pod)]
        assert waiting or not any(podq.is_finished(pod) for pod in tracked)

    @invariant()
    def finished_jobs_track_nothing(self) -> None:
        if self.finished:
            assert self.bench.tracked() == []
            assert self.bench.status["terminating"] == 0

    def teardown(self) -> None:
        """Once nothing fails any more, the Job ends, and its pods can go."""
        if not hasattr(self, "bench"):
            return
        if not self.finished:
            self.bench.change(suspend=False, parallelism=max(self.job["spec"]["parallelism"], 1))
        for _ in range(60):
            if self.finished:
                break
            self.bench.bury()
            for pod in self.bench.active():
                self.bench.report(pod, "Succeeded")
            self.clock.at += timedelta(seconds=700)
            self.bench.rest()
        assert self.finished
        self.finished_jobs_track_nothing()
        self.registry.delete("jobs", NAMESPACE, "sum", propagation="Background")
        self.bench.rest()
        assert self.bench.tracked() == []
        assert self.store.verify() == []
        self.store.close()


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
