"""The CronJob controller on a registry."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.cronjob import CronJobController
from kubelite.controllers.cronjob.plan import SCHEDULED_AT
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded
from tests.unit.controllers.jobs import NAMESPACE
from tests.unit.controllers.jobs import job as job_object

MINUTE = 60


class Crons:
    """One CronJob, and a Job controller that ends Jobs as it is told. The clock stands at 03:04:05."""

    def __init__(self, registry: Registry, clock: Clock, recorded: Recorded) -> None:
        self.registry, self.clock, self.recorded = registry, clock, recorded
        self.controller = CronJobController(registry, recorded, clock)
        self.controllers = Controllers(registry, self.controller)

    def create(self, schedule: str = "* * * * *", **spec: Any) -> None:
        template: Obj = {"metadata": {"labels": {"app": "tick"}}, "spec": job_object()["spec"]}
        new = {"schedule": schedule, "jobTemplate": template} | spec
        self.registry.create("cronjobs", {"metadata": {"name": "tick", "namespace": NAMESPACE}, "spec": new})
        self.controllers.settle()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.controllers.settle()

    def change(self, **spec: Any) -> None:
        self.registry.patch("cronjobs", NAMESPACE, "tick", {"spec": spec})
        self.controllers.settle()

    def end(self, name: str, kind: str = "Complete") -> None:
        stamp = meta.format_time(self.clock())
        why = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
        conditions = [{"type": one, "status": "True"} for one in (why, kind)]
        status: Obj = {"conditions": conditions, "startTime": stamp}
        if kind == "Complete":
            status["completionTime"] = stamp
        self.registry.update("jobs", self.registry.get("jobs", NAMESPACE, name) | {"status": status}, "status")
        self.controllers.settle()

    @property
    def cron(self) -> Obj:
        return self.registry.get("cronjobs", NAMESPACE, "tick")

    @property
    def status(self) -> Obj:
        status: Obj = self.cron["status"]
        return status

    def names(self) -> list[str]:
        return [meta.name(job) for job in self.registry.list("jobs", NAMESPACE)]

    def active(self) -> list[str]:
        return [ref["name"] for ref in self.status.get("active", ())]


@pytest.fixture
def crons(registry: Registry, clock: Clock, recorded: Recorded) -> Crons:
    return Crons(registry, clock, recorded)


def name_at(minutes: int) -> str:
    """Of the Job for so many minutes after 03:04."""
    return f"tick-{29455384 + minutes}"


def test_a_job_starts_when_it_is_due(crons: Crons) -> None:
    crons.create()
    assert crons.names() == []
    assert crons.controller.reconcile((NAMESPACE, "tick")) == pytest.approx(55.1)
    crons.advance(MINUTE)
    assert crons.names() == [name_at(1)]
    job = crons.registry.get("jobs", NAMESPACE, name_at(1))
    assert meta.is_controlled_by(job, crons.cron)
    assert meta.labels(job) == {"app": "tick"}
    assert meta.annotations(job) == {SCHEDULED_AT: "2026-01-02T03:05:00Z"}
    assert crons.status["lastScheduleTime"] == "2026-01-02T03:05:00Z"
    (ref,) = crons.status["active"]
    assert ref["uid"] == meta.uid(job)
    assert ref["apiVersion"] == "batch/v1"
    assert crons.recorded.events == [("SuccessfulCreate", f"Created job {name_at(1)}")]


def test_an_ended_job_leaves_the_list_and_its_time_is_kept(crons: Crons) -> None:
    crons.create()
    crons.advance(MINUTE)
    crons.clock.advance(10)
    crons.end(name_at(1))
    assert crons.active() == []
    assert crons.status["lastSuccessfulTime"] == "2026-01-02T03:05:15Z"
    assert ("SawCompletedJob", f"Saw completed job: {name_at(1)}, condition: Complete") in crons.recorded.events


@pytest.mark.parametrize(
    ("policy", "running", "reason"),
    [("Allow", [1, 2], ""), ("Forbid", [1], "JobAlreadyActive"), ("Replace", [2], "SuccessfulDelete")],
)
def test_a_job_that_still_runs_is_treated_by_the_policy(
    crons: Crons, policy: str, running: list[int], reason: str
) -> None:
    crons.create(concurrencyPolicy=policy)
    crons.advance(MINUTE)
    crons.advance(MINUTE)
    assert crons.active() == crons.names() == [name_at(minute) for minute in running]
    assert not reason or reason in crons.recorded.reasons


def test_only_the_last_of_several_missed_moments_is_made_up_for(crons: Crons) -> None:
    crons.create()
    crons.advance(5 * MINUTE)
    assert crons.names() == [name_at(5)]
    assert "TooManyMissedTimes" not in crons.recorded.reasons


def test_too_many_missed_moments_are_told(crons: Crons) -> None:
    crons.create()
    crons.advance(200 * MINUTE)
    assert crons.names() == [name_at(200)]
    assert "TooManyMissedTimes" in crons.recorded.reasons


def test_nothing_starts_after_the_deadline(crons: Crons) -> None:
    crons.create("*/10 * * * *", startingDeadlineSeconds=30)
    crons.advance(8 * MINUTE)
    assert crons.names() == []
    crons.advance(7 * MINUTE)
    assert crons.names() == []


def test_a_suspended_cron_job_starts_nothing(crons: Crons) -> None:
    crons.create(suspend=True)
    crons.advance(3 * MINUTE)
    assert crons.names() == []
    crons.change(suspend=False)
    assert crons.names() == [name_at(3)]


def test_a_changed_schedule_counts_from_its_next_moment(crons: Crons) -> None:
    crons.create("0 0 1 1 *")
    crons.advance(10 * MINUTE)
    crons.registry.patch("cronjobs", NAMESPACE, "tick", {"spec": {"schedule": "10 * * * *"}})
    assert crons.controller.reconcile((NAMESPACE, "tick")) == pytest.approx(55 * MINUTE + 55.1)
    assert crons.names() == []


def test_history_limits_delete_the_oldest(crons: Crons) -> None:
    crons.create(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0)
    for minute, end in ((1, "Complete"), (2, "Complete"), (3, "Failed")):
        crons.advance(MINUTE)
        crons.end(name_at(minute), end)
    assert crons.names() == [name_at(2)]
    assert ("SuccessfulDelete", f"Deleted job {name_at(1)}") in crons.recorded.events


def test_a_missing_job_leaves_the_list(crons: Crons) -> None:
    crons.create()
    crons.advance(MINUTE)
    crons.registry.delete("jobs", NAMESPACE, name_at(1), propagation="Background")
    crons.controllers.settle()
    assert crons.active() == []
    assert crons.names() == []
    assert ("MissingJob", f"Active job went missing: {name_at(1)}") in crons.recorded.events


def test_a_job_started_by_hand_is_seen(crons: Crons) -> None:
    crons.create("0 0 1 1 *")
    manual = job_object("by-hand")
    manual["metadata"]["ownerReferences"] = [meta.owner_reference(crons.cron)]
    crons.registry.create("jobs", manual)
    crons.controllers.settle()
    assert "UnexpectedJob" in crons.recorded.reasons
    assert crons.active() == []


def test_a_job_made_before_a_crash_is_taken_into_the_list(crons: Crons) -> None:
    crons.create()
    crons.clock.advance(MINUTE)
    early = job_object(name_at(1))
    early["metadata"]["ownerReferences"] = [meta.owner_reference(crons.cron)]
    crons.registry.create("jobs", early)
    crons.controllers.settle()
    assert crons.names() == crons.active() == [name_at(1)]


def test_the_time_zone_moves_the_schedule(crons: Crons) -> None:
    crons.create("5 4 * * *", timeZone="Europe/Berlin")
    crons.advance(MINUTE)
    job = crons.registry.get("jobs", NAMESPACE, name_at(1))
    assert meta.annotations(job)[SCHEDULED_AT] == "2026-01-02T04:05:00+01:00"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"schedule": ""}, "spec.schedule: Required value"),
        (
            {"schedule": "* * * *"},
            'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]',
        ),
        (
            {"schedule": "TZ=UTC * * * * *"},
            'spec.schedule: Invalid value: "TZ=UTC * * * * *": '
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        ),
        ({"timeZone": "Mars"}, 'spec.timeZone: Invalid value: "Mars": unknown time zone Mars'),
        (
            {"concurrencyPolicy": "Queue"},
            'spec.concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"',
        ),
        (
            {"jobTemplate": {"spec": {"manualSelector": True} | job_object()["spec"]}},
            'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        ),
    ],
)
def test_a_wrong_cron_job_is_refused(crons: Crons, spec: Obj, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        crons.create(**spec)
    assert caught.value.message == f'CronJob.batch "tick" is invalid: {message}'


def test_names_leave_room_for_the_jobs(registry: Registry) -> None:
    template = {"spec": job_object()["spec"]}
    new = {"metadata": {"name": "x" * 53}, "spec": {"schedule": "* * * * *", "jobTemplate": template}}
    with pytest.raises(StatusError, match="must be no more than 52 characters"):
        registry.create("cronjobs", new)
