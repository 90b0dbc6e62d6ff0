"""The Job controller on a registry: creating, counting, ending."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.job import JobController, TtlAfterFinished, members
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded
from tests.unit.controllers.jobs import NAMESPACE, Bench, job

REACHED = "Reached expected number of succeeded pods"
LIMIT = "Job has reached the specified backoff limit"


@pytest.fixture
def bench(registry: Registry, clock: Clock, recorded: Recorded) -> Bench:
    controllers = Controllers(
        registry, JobController(registry, recorded, clock), TtlAfterFinished(registry, recorded, clock)
    )
    return Bench(registry, controllers.settle, clock)


def test_a_job_runs_one_pod_and_completes(bench: Bench, clock: Clock, recorded: Recorded) -> None:
    created = bench.create(job())
    (pod,) = bench.pods()
    assert meta.name(pod).startswith("sum-")
    assert pod["metadata"]["finalizers"] == [members.FINALIZER]
    assert meta.labels(pod) == {
        "batch.kubernetes.io/controller-uid": meta.uid(created),
        "batch.kubernetes.io/job-name": "sum",
        "controller-uid": meta.uid(created),
        "job-name": "sum",
    }
    start = meta.format_time(clock())
    assert bench.status == {
        "startTime": start,
        "active": 1,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    bench.run(pod)
    assert bench.status["ready"] == 1
    clock.advance(5)
    bench.succeed(pod)
    end = meta.format_time(clock())
    times = {"lastProbeTime": end, "lastTransitionTime": end}
    reason = {"status": "True", **times, "reason": "CompletionsReached", "message": REACHED}
    assert bench.status == {
        "conditions": [{"type": "SuccessCriteriaMet", **reason}, {"type": "Complete", **reason}],
        "startTime": start,
        "completionTime": end,
        "succeeded": 1,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    assert bench.tracked() == []
    assert recorded.events == [
        ("SuccessfulCreate", f"Created pod: {meta.name(pod)}"),
        ("Completed", "Job completed"),
    ]


def test_completions_are_reached_with_limited_parallelism(bench: Bench) -> None:
    bench.create(job(completions=3, parallelism=2))
    assert len(bench.active()) == 2
    bench.succeed(bench.active()[0])
    assert len(bench.active()) == 2
    bench.succeed(bench.active()[0])
    assert len(bench.active()) == 1
    bench.succeed(bench.active()[0])
    assert bench.status["succeeded"] == 3
    assert bench.conditions()[-1][0] == "Complete"


def test_a_work_queue_starts_nothing_after_the_first_success(bench: Bench) -> None:
    bench.create(job(parallelism=3))
    assert "completions" not in bench.job["spec"]
    first, second, third = bench.active()
    bench.succeed(first)
    bench.fail(second)
    assert bench.active() == [bench.registry.get("pods", NAMESPACE, meta.name(third))]
    bench.succeed(third)
    assert bench.status["succeeded"] == 2
    assert bench.conditions()[-1][0] == "Complete"


def test_failed_pods_are_replaced_with_growing_delays(bench: Bench, clock: Clock) -> None:
    bench.create(job())
    for wait in (10, 20, 40):
        bench.fail(bench.active()[0])
        assert bench.active() == []
        clock.advance(wait - 1)
        bench.rest()
        assert bench.active() == []
        clock.advance(2)
        bench.rest()
        assert len(bench.active()) == 1
    assert bench.status["failed"] == 3
    assert bench.tracked() == [meta.name(bench.active()[0])]


def test_the_backoff_limit_fails_the_job(bench: Bench, clock: Clock, recorded: Recorded) -> None:
    bench.create(job(backoffLimit=1, completions=2, parallelism=2))
    first, second = bench.active()
    bench.run(second)
    bench.fail(first)
    clock.advance(11)
    bench.rest()
    bench.fail(next(pod for pod in bench.active() if meta.name(pod) != meta.name(second)))
    assert bench.conditions() == [("FailureTarget", "BackoffLimitExceeded", LIMIT)]
    assert bench.status["terminating"] == 1
    bench.bury()
    assert bench.conditions()[-1] == ("Failed", "BackoffLimitExceeded", LIMIT)
    assert bench.status["failed"] == 3
    assert bench.status["terminating"] == 0
    assert bench.tracked() == []
    assert ("BackoffLimitExceeded", LIMIT) in recorded.events


@pytest.mark.parametrize(("limit", "restarts", "fails"), [(0, 1, True), (2, 1, False), (2, 2, True)])
def test_restarts_in_place_use_up_the_limit(bench: Bench, limit: int, restarts: int, fails: bool) -> None:
    bench.create(job(restart="OnFailure", backoffLimit=limit))
    bench.report(bench.active()[0], "Running", containerStatuses=[{"name": "main", "restartCount": restarts}])
    bench.rest()
    assert (bench.active() == []) == fails


def test_the_deadline_fails_the_job(bench: Bench, clock: Clock) -> None:
    bench.create(job(activeDeadlineSeconds=30))
    clock.advance(29)
    bench.rest()
    assert len(bench.active()) == 1
    clock.advance(1)
    bench.rest()
    bench.bury()
    message = "Job was active longer than specified deadline"
    assert bench.conditions()[-1] == ("Failed", "DeadlineExceeded", message)
    assert bench.status["failed"] == 1


def test_a_suspended_job_has_no_pods_and_starts_anew_when_resumed(
    bench: Bench, clock: Clock, recorded: Recorded
) -> None:
    bench.create(job(suspend=True, activeDeadlineSeconds=30))
    assert bench.pods() == []
    assert "startTime" not in bench.status
    assert bench.conditions() == [("Suspended", "JobSuspended", "Job suspended")]
    clock.advance(100)
    bench.change(suspend=False)
    assert bench.status["startTime"] == meta.format_time(clock())
    assert bench.status["conditions"][0]["status"] == "False"
    assert bench.conditions() == [("Suspended", "JobResumed", "Job resumed")]
    bench.run(bench.active()[0])
    bench.change(suspend=True)
    assert bench.status.get("active", 0) == 0
    bench.bury()
    assert bench.pods() == []
    assert bench.status.get("failed", 0) == 0
    clock.advance(100)
    bench.change(suspend=False)
    assert len(bench.active()) == 1
    assert recorded.reasons.count("Suspended") == 2
    assert recorded.reasons.count("Resumed") == 2


def test_less_parallelism_removes_the_least_advanced_pods(bench: Bench) -> None:
    bench.create(job(completions=5, parallelism=3))
    running = bench.active()[1]
    bench.run(running)
    bench.change(parallelism=1)
    assert [meta.name(pod) for pod in bench.active()] == [meta.name(running)]
    assert bench.status.get("failed", 0) == 0


def test_indexed_pods_know_their_index(bench: Bench) -> None:
    bench.create(job(completionMode="Indexed", completions=3, parallelism=2))
    assert bench.active_indexes() == [0, 1]
    pod = bench.of_index(1)
    assert meta.name(pod).startswith("sum-1-")
    assert pod["spec"]["hostname"] == "sum-1"
    assert meta.annotations(pod)[members.INDEX] == meta.labels(pod)[members.INDEX] == "1"
    reference = {"apiVersion": "v1", "fieldPath": f"metadata.labels['{members.INDEX}']"}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": reference}}
    assert variable in pod["spec"]["containers"][0]["env"]
    bench.succeed(bench.of_index(1))
    assert bench.active_indexes() == [0, 2]
    assert bench.status["completedIndexes"] == "1"
    bench.succeed(bench.of_index(0))
    bench.succeed(bench.of_index(2))
    assert bench.status["completedIndexes"] == "0-2"
    assert bench.status["succeeded"] == 3
    assert bench.conditions()[-1][0] == "Complete"


def test_an_index_fails_by_its_own_limit(bench: Bench, clock: Clock) -> None:
    bench.create(job(completionMode="Indexed", completions=2, parallelism=2, backoffLimitPerIndex=1))
    assert bench.status["failedIndexes"] == ""
    assert meta.annotations(bench.of_index(0))[members.FAILURES] == "0"
    failing = bench.of_index(0)
    bench.fail(failing)
    assert bench.active_indexes() == [1]
    assert meta.name(failing) in bench.tracked()
    clock.advance(11)
    bench.rest()
    assert meta.annotations(bench.of_index(0))[members.FAILURES] == "1"
    assert meta.name(failing) not in bench.tracked()
    bench.fail(bench.of_index(0))
    assert bench.status["failedIndexes"] == "0"
    bench.succeed(bench.of_index(1))
    assert bench.conditions()[-1] == ("Failed", "FailedIndexes", "Job has failed indexes")
    assert bench.status["failed"] == 2
    assert bench.tracked() == []


def test_too_many_failed_indexes_end_the_job(bench: Bench) -> None:
    spec: Any = {"completions": 3, "parallelism": 3, "backoffLimitPerIndex": 0, "maxFailedIndexes": 0}
    bench.create(job(completionMode="Indexed", **spec))
    bench.fail(bench.of_index(2))
    assert bench.status["failedIndexes"] == "2"
    bench.bury()
    assert bench.status["failedIndexes"] == "2"
    assert bench.status["failed"] == 3
    message = "Job has exceeded the specified maximal number of failed indexes"
    assert bench.conditions()[-1] == ("Failed", "MaxFailedIndexesExceeded", message)


def test_indexes_whose_pods_the_end_of_the_job_deletes_have_not_failed(bench: Bench, clock: Clock) -> None:
    spec: Any = {"completions": 3, "parallelism": 3, "backoffLimitPerIndex": 1, "backoffLimit": 2}
    bench.create(job(completionMode="Indexed", **spec))
    for index in (0, 1):
        bench.fail(bench.of_index(index))
        clock.advance(11)
        bench.rest()
        bench.run(bench.of_index(index))
    bench.fail(bench.of_index(2))
    assert bench.conditions() == [("FailureTarget", "BackoffLimitExceeded", LIMIT)]
    assert (bench.status["failed"], bench.status["terminating"], bench.status["failedIndexes"]) == (5, 2, "")
    bench.bury()
    assert bench.conditions()[-1] == ("Failed", "BackoffLimitExceeded", LIMIT)
    assert (bench.status["failed"], bench.status["failedIndexes"]) == (5, "")


RULES: list[Obj] = [
    {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]}},
    {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}},
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
]


@pytest.mark.parametrize(("code", "failed"), [(1, 1), (7, 0)])
def test_failures_count_as_the_policy_says(bench: Bench, clock: Clock, code: int, failed: int) -> None:
    bench.create(job(podFailurePolicy={"rules": RULES}))
    assert bench.job["spec"]["podReplacementPolicy"] == "Failed"
    bench.fail(bench.active()[0], code)
    assert bench.status.get("failed", 0) == failed
    assert bench.tracked() == []
    clock.advance(11)
    bench.rest()
    assert len(bench.active()) == 1


def test_the_policy_fails_the_whole_job(bench: Bench) -> None:
    bench.create(job(podFailurePolicy={"rules": RULES}))
    (pod,) = bench.active()
    bench.fail(pod, 42)
    where = f"{NAMESPACE}/{meta.name(pod)}"
    message = f"Container main for pod {where} failed with exit code 42 matching FailJob rule at index 0"
    assert bench.conditions()[-1] == ("Failed", "PodFailurePolicy", message)


@pytest.mark.parametrize(
    "rule", [{"succeededCount": 1}, {"succeededIndexes": "1"}, {"succeededIndexes": "1-2", "succeededCount": 1}]
)
def test_the_success_policy_ends_the_job_early(bench: Bench, rule: Obj) -> None:
    policy = {"rules": [{"succeededIndexes": "2"}, rule]}
    bench.create(job(completionMode="Indexed", completions=3, parallelism=3, successPolicy=policy))
    bench.run(bench.of_index(0))
    bench.succeed(bench.of_index(1))
    assert bench.conditions() == [("SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index 1")]
    bench.bury()
    assert bench.conditions()[-1] == ("Complete", "SuccessPolicy", "Matched rules at index 1")
    assert bench.status.get("failed", 0) == 0
    assert bench.status["completedIndexes"] == "1"


@pytest.mark.parametrize(("policy", "replaced"), [("TerminatingOrFailed", True), ("Failed", False)])
def test_deleted_pods_are_replaced_as_the_replacement_policy_says(
    bench: Bench, clock: Clock, policy: str, replaced: bool
) -> None:
    bench.create(job(podReplacementPolicy=policy))
    (pod,) = bench.active()
    bench.run(pod)
    bench.registry.delete("pods", NAMESPACE, meta.name(pod))
    bench.rest()
    clock.advance(11)
    bench.rest()
    assert (len(bench.active()) == 1) == replaced
    bench.bury()
    clock.advance(11)
    bench.rest()
    assert len(bench.active()) == 1
    assert bench.status["failed"] == 1


def test_pods_of_a_deleted_job_lose_the_finalizer(bench: Bench) -> None:
    bench.create(job())
    bench.registry.delete("jobs", NAMESPACE, "sum", propagation="Background")
    bench.rest()
    assert bench.tracked() == []


def test_a_released_pod_loses_the_finalizer_and_is_replaced(bench: Bench) -> None:
    bench.create(job())
    (pod,) = bench.active()
    labels: dict[str, Any] = dict.fromkeys(meta.labels(pod))
    bench.registry.patch("pods", NAMESPACE, meta.name(pod), {"metadata": {"labels": labels}})
    bench.rest()
    released = bench.registry.get("pods", NAMESPACE, meta.name(pod))
    assert meta.owner_references(released) == []
    assert not members.is_tracked(released)
    assert len(bench.active()) == 2


def test_an_orphan_is_adopted_and_counted(bench: Bench) -> None:
    labels = {"app": "mine"}
    new = job(manualSelector=True, selector={"matchLabels": labels})
    new["spec"]["template"]["metadata"] = {"labels": labels}
    orphan = {"metadata": {"name": "orphan", "namespace": NAMESPACE, "labels": labels}}
    bench.registry.create("pods", orphan | {"spec": new["spec"]["template"]["spec"]})
    bench.create(new)
    (pod,) = bench.active()
    assert meta.name(pod) == "orphan"
    assert members.is_tracked(pod)
    bench.succeed(pod)
    assert bench.status["succeeded"] == 1


def test_a_count_that_was_interrupted_is_completed_once(bench: Bench) -> None:
    bench.create(job(completions=2))
    (pod,) = bench.active()
    listed = {"uncountedTerminatedPods": {"succeeded": [meta.uid(pod)]}}
    bench.registry.update("jobs", bench.job | {"status": bench.status | listed}, "status")
    bench.succeed(pod)
    assert bench.status["succeeded"] == 1
    assert bench.status["uncountedTerminatedPods"] == {}


def test_finished_jobs_are_deleted_after_their_time(bench: Bench, clock: Clock) -> None:
    bench.create(job(ttlSecondsAfterFinished=60))
    bench.succeed(bench.active()[0])
    clock.advance(59)
    bench.rest()
    assert not meta.is_terminating(bench.job)
    clock.advance(1)
    bench.rest()
    assert bench.job["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_jobs_of_another_manager_are_left_alone(bench: Bench) -> None:
    bench.create(job(managedBy="example.com/mine"))
    assert bench.pods() == []
    assert bench.status == {}


@pytest.mark.parametrize(("propagation", "finalizers"), [(None, ["orphan"]), ("Background", None)])
def test_a_deletion_that_says_nothing_leaves_the_pods_behind(
    bench: Bench, propagation: Any, finalizers: list[str] | None
) -> None:
    bench.create(job())
    deleted = bench.registry.delete("jobs", NAMESPACE, "sum", propagation=propagation)
    assert deleted["metadata"].get("finalizers") == finalizers
