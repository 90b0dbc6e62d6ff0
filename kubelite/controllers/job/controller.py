"""The Job controller: reads one Job with its pods, performs what `plan` decides, and counts the pods that ended.

A pod whose Job is gone, or has let go of it, loses the finalizer here as well, so that it can go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers import ownership
from kubelite.controllers.job import members
from kubelite.controllers.job import spec as jobs
from kubelite.controllers.job.backoff import Backoff
from kubelite.controllers.job.plan import Plan, plan
from kubelite.controllers.job.tracking import Tracking, settled, track
from kubelite.controllers.job.view import View
from kubelite.controllers.pod_control import PodControl
from kubelite.controllers.runtime import Controller, Key, Mapper, by_controller, key_of, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.client import Client, Event, Recorder

_NAME_LABEL = "batch.kubernetes.io/job-name"


class JobController(Controller):
    name = "job-controller"

    def __init__(self, client: Client, recorder: Recorder, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(client, recorder, now)
        self._backoffs: dict[str, Backoff] = {}  # by the Job's uid

    def watches(self) -> Mapping[str, Mapper]:
        return {"jobs": self._own, "pods": self._jobs_of_pod}

    def _own(self, event: Event) -> Iterable[Key]:
        if event.type == "DELETED":
            self._backoffs.pop(meta.uid(event.object), None)
        return own(event)

    def _jobs_of_pod(self, event: Event) -> Iterable[Key]:
        pod = event.object
        yield from by_controller("Job")(event)
        if meta.controller_of(pod) is not None or event.type == "DELETED":
            return
        if members.is_tracked(pod):
            yield meta.namespace(pod), meta.labels(pod).get(_NAME_LABEL, "")
        for candidate in self.client.list("jobs", meta.namespace(pod)):
            if from_label_selector(candidate["spec"]["selector"]).matches(meta.labels(pod)):
                yield key_of(candidate)

    def reconcile(self, key: Key) -> float | None:
        namespace, name = key
        job = self.client.find("jobs", namespace, name)
        if job is not None and jobs.managed_elsewhere(job):
            return None
        again = None
        if job is not None and jobs.end_condition(job) is None:
            self._adopt(job)
            again = self._advance(job)
        elif job is not None:
            self._backoffs.pop(meta.uid(job), None)
        self._let_strays_go(namespace)
        return again

    # pods

    def _adopt(self, job: Obj) -> None:
        candidates = self.client.list("pods", meta.namespace(job))
        before = {meta.uid(pod) for pod in candidates if meta.is_controlled_by(pod, job)}
        selector = from_label_selector(job["spec"]["selector"])
        for pod in ownership.claim(self.client, "pods", job, selector, candidates):
            if meta.uid(pod) not in before and not members.is_tracked(pod):
                finalizers = [*(pod["metadata"].get("finalizers") or ()), members.FINALIZER]
                self._patch_finalizers(pod, finalizers)

    def _view(self, job: Obj) -> View:
        pods = [p for p in self.client.list("pods", meta.namespace(job)) if meta.is_controlled_by(p, job)]
        return View(job, pods, self._backoffs.get(meta.uid(job), Backoff()), self.now())

    def _patch_finalizers(self, pod: Obj, finalizers: list[str] | None) -> None:
        patch = {"metadata": {"uid": meta.uid(pod), "finalizers": finalizers}}
        try:
            self.client.patch("pods", meta.namespace(pod), meta.name(pod), patch)
        except StatusError as error:
            if error.reason != "NotFound":
                raise

    def _untrack(self, pods: Iterable[Obj]) -> None:
        for pod in pods:
            if members.is_tracked(pod):
                self._patch_finalizers(pod, members.finalizers_without(pod))

    def _let_strays_go(self, namespace: str | None) -> None:
        """Pods that have the finalizer, but no Job that would count them."""
        for pod in self.client.list("pods", namespace):
            if members.is_tracked(pod) and not self._is_counted_by_someone(pod):
                self._untrack([pod])

    def _is_counted_by_someone(self, pod: Obj) -> bool:
        ref = meta.controller_of(pod)
        if ref is None or ref["kind"] != "Job":
            return False
        job = self.client.find("jobs", meta.namespace(pod), ref["name"])
        return job is not None and meta.uid(job) == ref["uid"] and jobs.end_condition(job) is None

    # the Job

    def _advance(self, job: Obj) -> float | None:
        before = self._view(job)
        decided = plan(before)
        failure = self._perform(job, decided)
        if failure is not None:
            decided = Plan(requeue_after=decided.requeue_after)
        after = self._view(job)
        managed = decided.end is None and not meta.is_terminating(job)
        tracking = track(after, decided.end, before.failed_indexes, managed=managed)
        if tracking.status != job.get("status"):
            job = self.client.update("jobs", job | {"status": tracking.status}, "status")
            self._backoffs[meta.uid(job)] = before.new_backoff
        if tracking.suspension:
            self.recorder.event(job, "Normal", tracking.suspension, f"Job {tracking.suspension.lower()}")
        self._settle(job, tracking)
        if failure is not None:
            raise failure
        return decided.requeue_after

    def _perform(self, job: Obj, decided: Plan) -> StatusError | None:
        control = PodControl(self.client, self.recorder, job)
        try:
            self._untrack(decided.release)
            control.delete([*decided.release, *decided.delete])
            control.create(decided.create)
        except StatusError as error:
            return error
        return None

    def _settle(self, job: Obj, tracking: Tracking) -> None:
        self._untrack(tracking.untrack)
        tracked = {meta.uid(pod) for pod in self._view(job).pods if members.is_tracked(pod)}
        status = settled(tracking, tracked)
        if status == job["status"]:
            return
        job = self.client.update("jobs", job | {"status": status}, "status")
        if (end := jobs.end_condition(job)) is not None:
            self._tell_end(job, end)

    def _tell_end(self, job: Obj, end: Obj) -> None:
        if end["type"] == "Failed":
            self.recorder.event(job, "Warning", end.get("reason", ""), end.get("message", ""))
            return
        wanted = jobs.completions(job)
        if wanted is not None and job["status"].get("succeeded", 0) > wanted:
            text = "Too many succeeded pods running after completion count reached"
            self.recorder.event(job, "Warning", "TooManySucceededPods", text)
        self.recorder.event(job, "Normal", "Completed", "Job completed")
