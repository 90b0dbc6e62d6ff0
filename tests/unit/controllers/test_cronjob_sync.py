"""One look at a CronJob that is due every hour: the cases of upstream's `TestControllerV2SyncCronJob`, as pure plans."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from kubelite.controllers.cronjob.plan import Plan, plan
from kubelite.objects.meta import Obj

THE_HOUR = datetime.fromisoformat("2016-05-19T10:00:00Z")
BEFORE, AFTER = THE_HOUR - timedelta(minutes=1), THE_HOUR + timedelta(minutes=1)
A_WEEK_LATER = THE_HOUR + timedelta(days=7)
PRIOR = "2016-05-19T09:00:00Z"
SHORT, MEDIUM, LONG = 10, 2 * 3600, 1_000_000
HOUR = 3600.0


def look(
    now: datetime, *, ran: bool = False, active: bool = False, deadline: int | None = None, **spec: object
) -> Plan:
    metadata: Obj = {"name": "hourly", "namespace": "default", "uid": "c", "creationTimestamp": PRIOR}
    status: Obj = {}
    jobs: list[Obj] = []
    if ran:
        job = {"name": "hourly-1", "namespace": "default", "uid": "j"}
        ended = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": PRIOR}
        jobs = [{"metadata": job, "spec": {}, "status": {} if active else ended}]
        status = {"lastScheduleTime": PRIOR, "active": [{"name": "hourly-1", "uid": "j"}]}
    template: Obj = {"spec": {"template": {"spec": {}}}}
    own = {"schedule": "0 * * * ?", "concurrencyPolicy": "Allow", "startingDeadlineSeconds": deadline}
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "status": status}
    return plan(cron | {"spec": {"jobTemplate": template} | own | spec}, jobs, now)


@pytest.mark.parametrize("policy", ["Allow", "Forbid", "Replace"])
@pytest.mark.parametrize(
    ("now", "ran", "deadline", "starts", "wait"),
    [
        pytest.param(BEFORE, False, None, False, 60, id="never ran, not time"),
        pytest.param(AFTER, False, None, True, HOUR - 60, id="never ran, is time"),
        pytest.param(AFTER, False, SHORT, False, HOUR - 60, id="never ran, past deadline"),
        pytest.param(AFTER, False, LONG, True, HOUR - 60, id="never ran, not past deadline"),
        pytest.param(BEFORE, True, None, False, 60, id="ran, not time"),
        pytest.param(AFTER, True, None, True, HOUR - 60, id="ran, is time"),
        pytest.param(AFTER, True, SHORT, False, HOUR - 60, id="ran, past deadline"),
        pytest.param(AFTER, True, LONG, True, HOUR - 60, id="ran, not past deadline"),
        pytest.param(A_WEEK_LATER, True, None, True, HOUR, id="overdue"),
        pytest.param(A_WEEK_LATER, True, LONG, True, HOUR, id="overdue, not past deadline"),
        pytest.param(A_WEEK_LATER, True, MEDIUM, True, HOUR, id="overdue, past medium deadline"),
        pytest.param(A_WEEK_LATER, True, SHORT, True, HOUR, id="overdue, past short deadline"),
    ],
)
def test_starts_when_nothing_runs(
    policy: str, now: datetime, ran: bool, deadline: int | None, starts: bool, wait: float
) -> None:
    found = look(now, ran=ran, deadline=deadline, concurrencyPolicy=policy)
    assert (found.start is not None, found.replace) == (starts, ())
    assert found.requeue_after == pytest.approx(wait, abs=0.2)
    too_many = [reason for _, reason, _ in found.told if reason == "TooManyMissedTimes"]
    assert len(too_many) == (now is A_WEEK_LATER and deadline in (None, LONG))


@pytest.mark.parametrize(
    ("policy", "now", "deadline", "starts", "replaced", "wait"),
    [
        ("Allow", BEFORE, None, False, (), 60),
        ("Forbid", BEFORE, None, False, (), 60),
        ("Replace", BEFORE, None, False, (), 60),
        ("Allow", AFTER, None, True, (), HOUR - 60),
        ("Forbid", AFTER, None, False, (), HOUR - 60),
        ("Replace", AFTER, None, True, ("hourly-1",), HOUR - 60),
        ("Allow", AFTER, SHORT, False, (), HOUR - 60),
        ("Allow", AFTER, LONG, True, (), HOUR - 60),
    ],
)
def test_starts_when_a_job_still_runs(
    policy: str, now: datetime, deadline: int | None, starts: bool, replaced: tuple[str, ...], wait: float
) -> None:
    found = look(now, ran=True, active=True, deadline=deadline, concurrencyPolicy=policy)
    assert (found.start is not None, found.replace) == (starts, replaced)
    assert found.requeue_after == pytest.approx(wait, abs=0.2)
    assert [ref["name"] for ref in found.status["active"]] == ["hourly-1"]


@pytest.mark.parametrize(
    ("spec", "starts", "told"),
    [
        ({"suspend": True}, False, []),
        ({"schedule": "obvious error schedule"}, False, ["UnparseableSchedule"]),
        ({"timeZone": "bad timezone"}, False, ["UnknownTimeZone"]),
        ({"timeZone": "America/New_York"}, True, []),
        ({"schedule": "TZ=UTC 0 * * * ?", "timeZone": "America/New_York"}, True, ["UnsupportedSchedule"]),
    ],
)
def test_what_keeps_it_from_starting(spec: Obj, starts: bool, told: list[str]) -> None:
    found = look(AFTER, **spec)
    assert (found.start is not None, [reason for _, reason, _ in found.told]) == (starts, told)
