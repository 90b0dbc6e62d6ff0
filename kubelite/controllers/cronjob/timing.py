"""When a CronJob was last due and when it is next. Pure; after upstream's `cronjob/utils`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.cronjob_schedule import Schedule

MANY = 100
NEVER = "time difference between two schedules is less than 1 second"

_PADDING = 0.1  # seconds that the clocks of a cluster may differ by


@dataclass(frozen=True, slots=True)
class Due:
    """The last moment at which a Job should have started, and about how many there were since the one before."""

    moment: datetime | None
    since: datetime
    missed: int = 0


def last_due(cron: Obj, schedule: Schedule, now: datetime, *, within_deadline: bool) -> Due:
    """ValueError when the schedule never comes true."""
    since = _since(cron, now, within_deadline=within_deadline)
    first = schedule.next(since)
    second = schedule.next(first) if first is not None else None
    if first is None or second is None:
        raise ValueError(NEVER)
    if now < first:
        return Due(None, since)
    if now < second:
        return Due(first, since)
    between = round((second - first).total_seconds())
    missed = int((now - first).total_seconds()) // between + 1
    # From one interval before the estimate on: not all schedules are regular.
    moment, latest = schedule.next(first + timedelta(seconds=(missed - 2) * between)), None
    while moment is not None and moment <= now:
        latest, moment = moment, schedule.next(moment)
    return Due(latest, since, missed)


def _since(cron: Obj, now: datetime, *, within_deadline: bool) -> datetime:
    last = (cron.get("status") or {}).get("lastScheduleTime") or cron["metadata"]["creationTimestamp"]
    since, deadline = meta.parse_time(last), cron["spec"].get("startingDeadlineSeconds")
    if within_deadline and deadline is not None:
        return max(since, now - timedelta(seconds=deadline))
    return since


def seconds_until_next(cron: Obj, schedule: Schedule, now: datetime) -> float | None:
    try:
        due = last_due(cron, schedule, now, within_deadline=False)
        reference = due.moment or (now if due.missed else due.since)
    except ValueError:
        reference = now
    following = schedule.next(reference)
    return None if following is None else max((following - now).total_seconds(), 0) + _PADDING
