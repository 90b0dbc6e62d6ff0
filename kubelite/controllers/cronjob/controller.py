"""The CronJob controller: starts the Jobs that `plan` says are due, and deletes finished ones beyond the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from kubelite.controllers.cronjob import timing
from kubelite.controllers.cronjob.plan import Plan, plan, schedule_of, superfluous, with_active
from kubelite.controllers.pod_control import is_namespace_terminating
from kubelite.controllers.runtime import Controller, Key, Mapper, by_controller, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder


class CronJobController(Controller):
    name = "cronjob-controller"

    def __init__(self, client: Client, recorder: Recorder, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(client, recorder, now)
        self._schedules: dict[Key, tuple[str, str, str | None]] = {}

    def watches(self) -> Mapping[str, Mapper]:
        return {"cronjobs": own, "jobs": by_controller("CronJob")}

    def reconcile(self, key: Key) -> float | None:
        cron = self.client.find("cronjobs", *key)
        if cron is None:
            self._schedules.pop(key, None)
            return None
        if self._has_new_schedule(key, cron):
            return self._until_next(cron)
        decided = plan(cron, self._jobs(cron), self.now())
        for type, reason, message in decided.told:
            self.recorder.event(cron, type, reason, message)
        status, failure = self._perform(cron, decided)
        status = self._tidy(cron, status)
        if status != cron.get("status"):
            self.client.update("cronjobs", cron | {"status": status}, "status")
        if failure is not None:
            raise failure
        return decided.requeue_after

    def _has_new_schedule(self, key: Key, cron: Obj) -> bool:
        """A schedule that was changed counts from its next moment on; what it says of the past starts no Job."""
        known = self._schedules.get(key)
        present = meta.uid(cron), cron["spec"]["schedule"], cron["spec"].get("timeZone")
        self._schedules[key] = present
        return known is not None and known != present and known[0] == present[0]

    def _until_next(self, cron: Obj) -> float | None:
        try:
            return timing.seconds_until_next(cron, schedule_of(cron), self.now())
        except ValueError:
            text = f"unparseable schedule for cronjob: {cron['spec']['schedule']}"
            self.recorder.event(cron, "Warning", "UnParseableCronJobSchedule", text)
            return None

    def _jobs(self, cron: Obj) -> list[Obj]:
        return [job for job in self.client.list("jobs", meta.namespace(cron)) if meta.is_controlled_by(job, cron)]

    def _perform(self, cron: Obj, decided: Plan) -> tuple[Obj, StatusError | None]:
        """The status after it."""
        status = decided.status
        for name in decided.replace:
            job = self.client.find("jobs", meta.namespace(cron), name)
            if job is not None and not self._delete(cron, job):
                return status, StatusError(500, "InternalError", f"could not replace job {name}")
            status = with_active(status, [ref for ref in status.get("active") or () if ref["name"] != name])
        if decided.start is None or decided.at is None:
            return status, None
        try:
            job = self._create(cron, decided.start)
        except StatusError as error:
            return status, error
        if not meta.is_controlled_by(job, cron):
            return status, None
        active = [*(status.get("active") or ()), meta.reference(job)]
        return with_active(status, active) | {"lastScheduleTime": meta.format_time(decided.at)}, None

    def _create(self, cron: Obj, new: Obj) -> Obj:
        """Its name is a lock: a Job that is there already was started for the same moment."""
        try:
            job = self.client.create("jobs", new)
        except StatusError as error:
            if error.reason == "AlreadyExists":
                return self.client.get("jobs", meta.namespace(cron), meta.name(new))
            if not is_namespace_terminating(error):
                self.recorder.event(cron, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self.recorder.event(cron, "Normal", "SuccessfulCreate", f"Created job {meta.name(job)}")
        return job

    def _tidy(self, cron: Obj, status: Obj) -> Obj:
        for job in superfluous(cron, self._jobs(cron)):
            if not meta.is_terminating(job) and self._delete(cron, job):
                active = [ref for ref in status.get("active") or () if ref["uid"] != meta.uid(job)]
                status = with_active(status, active)
        return status

    def _delete(self, cron: Obj, job: Obj) -> bool:
        try:
            self.client.delete("jobs", meta.namespace(job), meta.name(job), propagation="Background")
        except StatusError as error:
            self.recorder.event(cron, "Warning", "FailedDelete", f"Deleted job: {error}")
            return False
        self.recorder.event(cron, "Normal", "SuccessfulDelete", f"Deleted job {meta.name(job)}")
        return True
