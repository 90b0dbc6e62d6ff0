"""Decides which Job a CronJob starts and which it deletes. Pure; after upstream's `cronjob_controllerv2`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from kubelite.controllers.cronjob import timing
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds import cronjob_schedule
from kubelite.registry.kinds.cronjob_schedule import Schedule

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"

_DOCS = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"

Told = tuple[Literal["Normal", "Warning"], str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """`status` is as it is before `start`; `replace` are the running Jobs that have to go first."""

    status: Obj
    told: tuple[Told, ...] = ()
    replace: tuple[str, ...] = ()
    start: Obj | None = None
    at: datetime | None = None
    requeue_after: float | None = None

    def telling(self, *told: Told) -> Plan:
        return replace(self, told=self.told + told)


def finished(job: Obj) -> str:
    """Complete or Failed; empty while it runs."""
    conditions = (job.get("status") or {}).get("conditions")
    return next((kind for kind in ("Complete", "Failed") if meta.condition_is_true(conditions, kind)), "")


def plan(cron: Obj, jobs: Sequence[Obj], now: datetime) -> Plan:
    """`jobs` are those that `cron` controls."""
    decided = _observe(cron, jobs)
    if meta.is_terminating(cron):
        return decided
    spec = cron["spec"]
    try:
        if spec.get("timeZone") is not None:
            cronjob_schedule.zone_of(spec["timeZone"])
    except ValueError as error:
        return decided.telling(("Warning", "UnknownTimeZone", f'invalid timeZone: "{spec["timeZone"]}": {error}'))
    if spec.get("suspend"):
        return decided
    if "TZ" in spec["schedule"]:
        text = f'CRON_TZ or TZ used in schedule "{spec["schedule"]}" is not officially supported, see {_DOCS}'
        decided = decided.telling(("Warning", "UnsupportedSchedule", f"{text} for more details"))
    try:
        schedule = schedule_of(cron)
    except ValueError as error:
        text = f'unparseable schedule: "{spec["schedule"]}" : {error}'
        return decided.telling(("Warning", "UnparseableSchedule", text))
    return _by_schedule(cron, schedule, decided, now)


def schedule_of(cron: Obj) -> Schedule:
    spec = cron["spec"]
    return cronjob_schedule.parse(spec["schedule"], None if "TZ" in spec["schedule"] else spec.get("timeZone"))


def _observe(cron: Obj, jobs: Iterable[Obj]) -> Plan:
    """Bring the status' list of running Jobs up to date."""
    status: Obj = dict(cron.get("status") or {})
    active = {ref["uid"]: ref for ref in status.get("active") or ()}
    told: list[Told] = []
    for job in jobs:
        end, listed = finished(job), meta.uid(job) in active
        if not listed and not end:
            text = f"Saw a job that the controller did not create or forgot: {meta.name(job)}"
            told.append(("Warning", "UnexpectedJob", text))
        if listed and end:
            del active[meta.uid(job)]
            told.append(("Normal", "SawCompletedJob", f"Saw completed job: {meta.name(job)}, condition: {end}"))
        if end == "Complete":
            moments = filter(None, (status.get("lastSuccessfulTime"), job["status"].get("completionTime")))
            if latest := max(moments, default=None):
                status["lastSuccessfulTime"] = latest
    present = {meta.uid(job) for job in jobs}
    for uid, ref in list(active.items()):
        if uid not in present:
            del active[uid]
            told.append(("Normal", "MissingJob", f"Active job went missing: {ref['name']}"))
    return Plan(with_active(status, list(active.values())), tuple(told))


def with_active(status: Obj, active: list[Obj]) -> Obj:
    others = {key: value for key, value in status.items() if key != "active"}
    return others | ({"active": active} if active else {})


def _by_schedule(cron: Obj, schedule: Schedule, decided: Plan, now: datetime) -> Plan:
    spec = cron["spec"]
    try:
        due = timing.last_due(cron, schedule, now, within_deadline=True)
    except ValueError as error:
        return decided.telling(("Warning", "InvalidSchedule", f"invalid schedule: {spec['schedule']} : {error}"))
    decided = replace(decided, requeue_after=timing.seconds_until_next(cron, schedule, now))
    if due.moment is None:
        return decided
    if due.missed > timing.MANY:
        text = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        decided = decided.telling(("Warning", "TooManyMissedTimes", text))
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and due.moment + timedelta(seconds=deadline) < now:
        moment = due.moment.strftime("%a, %d %b %Y %H:%M:%S %z")
        return decided.telling(("Warning", "MissSchedule", f"Missed scheduled time to start a job: {moment}"))
    return _start(cron, decided, due.moment, schedule, now)


def _start(cron: Obj, decided: Plan, moment: datetime, schedule: Schedule, now: datetime) -> Plan:
    policy, active = cron["spec"]["concurrencyPolicy"], decided.status.get("active") or []
    name = job_name(cron, moment)
    done = decided.status.get("lastScheduleTime") == meta.format_time(moment)
    if done or any(ref["name"] == name for ref in active):
        return decided
    if policy == "Forbid" and active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return decided.telling(("Normal", "JobAlreadyActive", text))
    doomed = tuple(ref["name"] for ref in active) if policy == "Replace" else ()
    started = cron | {"status": decided.status | {"lastScheduleTime": meta.format_time(moment)}}
    again = timing.seconds_until_next(started, schedule, now)
    return replace(decided, replace=doomed, start=new_job(cron, moment), at=moment, requeue_after=again)


def job_name(cron: Obj, moment: datetime) -> str:
    return f"{meta.name(cron)}-{int(moment.timestamp()) // 60}"


def new_job(cron: Obj, moment: datetime) -> Obj:
    template = meta.copy(cron["spec"]["jobTemplate"])
    described = template.get("metadata") or {}
    zone = cronjob_schedule.zone_of(cron["spec"].get("timeZone") or "UTC")
    stamp = moment.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")
    metadata: Obj = {
        "name": job_name(cron, moment),
        "namespace": meta.namespace(cron),
        "annotations": (described.get("annotations") or {}) | {SCHEDULED_AT: stamp},
        "ownerReferences": [meta.owner_reference(cron)],
    }
    if described.get("labels"):
        metadata["labels"] = described["labels"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}


def superfluous(cron: Obj, jobs: Iterable[Obj]) -> list[Obj]:
    """Finished Jobs beyond the history limits, oldest first."""
    spec, ordered, doomed = cron["spec"], sorted(jobs, key=_age_order), []
    for end, name in (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit")):
        ended = [job for job in ordered if finished(job) == end]
        if (limit := spec.get(name)) is not None:
            doomed += ended[: max(len(ended) - limit, 0)]
    return doomed


def _age_order(job: Obj) -> tuple[bool, str, str]:
    """By the start; what never started comes last."""
    start = (job.get("status") or {}).get("startTime") or ""
    return not start, start, meta.name(job)
