"""Deletes finished Jobs once their `ttlSecondsAfterFinished` is over (upstream's `ttlafterfinished`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from kubelite.controllers.job import spec as jobs
from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta


class TtlAfterFinished(Controller):
    name = "ttl-after-finished-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"jobs": own}

    def reconcile(self, key: Key) -> float | None:
        job = self.client.find("jobs", *key)
        if job is None or meta.is_terminating(job):
            return None
        end, seconds = jobs.end_condition(job), job["spec"].get("ttlSecondsAfterFinished")
        if end is None or seconds is None:
            return None
        expiry = meta.parse_time(end["lastTransitionTime"]) + timedelta(seconds=seconds)
        left = (expiry - self.now()).total_seconds()
        if left > 0:
            return left
        self.client.delete("jobs", *key, uid=meta.uid(job), propagation="Foreground")
        return None
