"""Jobs from beginning to end on a registry: pods end as a kubelet tells, step by step, and the Job's numbers follow.

The stories are those of upstream's integration tests; its bare pod statuses (a phase and nothing else) are told here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kubelite.controllers.garbage import GarbageCollector
from kubelite.controllers.job import JobController, members
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.registry.strategy import Propagation
from tests.unit.conftest import Clock, Controllers, Recorded
from tests.unit.controllers.jobs import NAMESPACE, Bench, job

BLOCKER = "example.com/blocks-deletion"


@pytest.fixture
def bench(registry: Registry, clock: Clock, recorded: Recorded) -> Bench:
    collector = GarbageCollector(registry, recorded, registry.kinds)
    controllers = Controllers(registry, JobController(registry, recorded, clock), collector)
    return Bench(registry, controllers.settle, clock)


def end(bench: Bench, pod: Obj, **status: Any) -> None:
    """The pod's whole status is this, as of clients that know no more."""
    bound = bench.bind(bench.registry.get("pods", NAMESPACE, meta.name(pod)))
    bench.registry.update("pods", bound | {"status": status}, "status")
    bench.rest()


def counts(bench: Bench) -> tuple[int, int, int, int]:
    """active, succeeded, failed, terminating"""
    told = bench.status
    return told.get("active", 0), told.get("succeeded", 0), told.get("failed", 0), told.get("terminating", 0)


def types(bench: Bench) -> list[str]:
    return [kind for kind, _, _ in bench.conditions()]


@dataclass(frozen=True)
class Step:
    """One index's pod gets a status; afterwards the Job looks like this."""

    index: int
    status: Obj
    counts: tuple[int, int, int, int]
    active: tuple[int, ...] = ()
    completed: str | None = None
    failed: str | None = None
    failures: str | None = None  # annotation of the replacement


def exited(code: int) -> Obj:
    return {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": code}}}]}


FAILED: Obj = {"phase": "Failed"}
DONE: Obj = {"phase": "Succeeded"}
DISRUPTED: Obj = {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]}
FAILS_INDEX = {
    "rules": [
        {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [13]}},
        {"action": "FailIndex", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]
}
FIRST_INDEX = {"rules": [{"succeededIndexes": "0"}]}
ANY_INDEX = {"rules": [{"succeededCount": 1}]}


@pytest.mark.parametrize(
    ("size", "spec", "steps", "last"),
    [
        pytest.param(
            2,
            {"backoffLimitPerIndex": 1},
            [Step(0, FAILED, (2, 0, 1, 0), (0, 1), None, "", "1"), Step(0, DONE, (1, 1, 1, 0), (1,), "0", "")],
            None,
            id="a replaced pod succeeds",
        ),
        pytest.param(
            2,
            {"backoffLimitPerIndex": 2},
            [
                Step(0, FAILED, (2, 0, 1, 0), (0, 1), None, "", "1"),
                Step(0, FAILED, (2, 0, 2, 0), (0, 1), None, "", "2"),
                Step(0, FAILED, (1, 0, 3, 0), (1,), None, "0"),
                Step(1, DONE, (0, 1, 3, 0), (), "1", "0"),
            ],
            "Failed",
            id="an index reaches its limit",
        ),
        pytest.param(
            2,
            {"backoffLimitPerIndex": 0},
            [Step(0, FAILED, (1, 0, 1, 0), (1,), None, "0"), Step(1, DONE, (0, 1, 1, 0), (), "1", "0")],
            "Failed",
            id="the other index goes on",
        ),
        pytest.param(
            3,
            {"backoffLimitPerIndex": 0, "maxFailedIndexes": 1},
            [
                Step(0, FAILED, (2, 0, 1, 0), (1, 2), None, "0"),
                Step(1, FAILED, (0, 0, 3, 1), (), None, "0,1"),
            ],
            "FailureTarget",
            id="too many indexes",
        ),
        pytest.param(
            2,
            {"backoffLimitPerIndex": 1, "podFailurePolicy": FAILS_INDEX},
            [
                Step(0, exited(13), (1, 0, 1, 0), (1,), None, "0"),
                Step(1, DISRUPTED, (0, 0, 2, 0), (), None, "0,1"),
            ],
            "Failed",
            id="the policy fails the index",
        ),
        pytest.param(
            1,
            {"successPolicy": FIRST_INDEX},
            [Step(0, DONE, (0, 1, 0, 0), (), "0")],
            "Complete",
            id="all that is wanted",
        ),
        pytest.param(
            2,
            {"successPolicy": ANY_INDEX},
            [Step(1, DONE, (0, 1, 0, 1), (), "1")],
            "SuccessCriteriaMet",
            id="enough is done",
        ),
        pytest.param(
            2,
            {"backoffLimitPerIndex": 0, "successPolicy": ANY_INDEX},
            [Step(0, FAILED, (1, 0, 1, 0), (1,), None, "0"), Step(1, DONE, (0, 1, 1, 0), (), "1", "0")],
            "Failed",
            id="a failed index outweighs success",
        ),
    ],
)
def test_indexes_end_one_by_one(
    bench: Bench, clock: Clock, size: int, spec: dict[str, Any], steps: list[Step], last: str | None
) -> None:
    bench.create(job(completionMode="Indexed", completions=size, parallelism=size, **spec))
    for pod in bench.active():
        bench.bind(pod)
    for step in steps:
        end(bench, bench.of_index(step.index), **step.status)
        clock.advance(700)
        bench.rest()
        assert (counts(bench), bench.active_indexes()) == (step.counts, list(step.active))
        assert (bench.status.get("completedIndexes"), bench.status.get("failedIndexes")) == (
            step.completed,
            step.failed,
        )
        if step.failures is not None:
            assert meta.annotations(bench.of_index(step.index))[members.FAILURES] == step.failures
    assert (types(bench)[-1] if types(bench) else None) == last
    if last is not None:
        bench.bury()
        assert types(bench)[-1] == (
            "Complete" if last == "SuccessCriteriaMet" else last.replace("FailureTarget", "Failed")
        )
        assert bench.tracked() == []


def test_a_failed_pod_that_is_deleted_still_counts_for_its_index(bench: Bench, clock: Clock) -> None:
    bench.create(job(completionMode="Indexed", completions=1, parallelism=1, backoffLimitPerIndex=1))
    failing = bench.of_index(0)
    end(bench, failing, **FAILED)
    bench.registry.delete("pods", NAMESPACE, meta.name(failing))
    bench.rest()
    clock.advance(11)
    bench.rest()
    assert meta.annotations(bench.of_index(0))[members.FAILURES] == "1"
    end(bench, bench.of_index(0), **DONE)
    assert (counts(bench), types(bench)[-1]) == ((0, 1, 1, 0), "Complete")


def blocked(**spec: Any) -> Obj:
    """Its pods stay after their deletion, until somebody takes their finalizer off."""
    new = job(**spec)
    new["spec"]["template"]["metadata"] = {"finalizers": [BLOCKER]}
    return new


def end_the_terminating(bench: Bench, phase: str) -> None:
    for pod in bench.pods():
        if meta.is_terminating(pod) and pod["status"]["phase"] in ("Pending", "Running"):
            end(bench, pod, phase=phase)


def test_a_job_has_failed_only_when_its_last_pod_ended(bench: Bench) -> None:
    bench.create(blocked(completions=2, parallelism=2, backoffLimit=0))
    for pod in bench.active():
        bench.bind(pod)
    end(bench, bench.active()[0], **FAILED)
    assert (counts(bench), types(bench)) == ((0, 0, 2, 1), ["FailureTarget"])
    end_the_terminating(bench, "Succeeded")
    assert (counts(bench), types(bench)) == ((0, 0, 2, 0), ["FailureTarget", "Failed"])


def test_a_job_made_smaller_is_complete_only_when_its_last_pod_ended(bench: Bench) -> None:
    bench.create(blocked(completionMode="Indexed", completions=2, parallelism=2))
    for pod in bench.active():
        bench.bind(pod)
    end(bench, bench.of_index(0), **DONE)
    bench.change(completions=1, parallelism=1)
    assert (counts(bench), types(bench)) == ((0, 1, 0, 1), ["SuccessCriteriaMet"])
    end_the_terminating(bench, "Succeeded")
    assert (counts(bench), types(bench)) == ((0, 1, 0, 0), ["SuccessCriteriaMet", "Complete"])
    assert bench.status["completedIndexes"] == "0"


@pytest.mark.parametrize("mode", ["Indexed", "NonIndexed"])
@pytest.mark.parametrize(
    ("policy", "deleted"), [("TerminatingOrFailed", (2, 0, 2, 2)), ("Failed", (0, 0, 0, 2))], ids=["at once", "failed"]
)
def test_deleted_pods_that_linger(
    bench: Bench, clock: Clock, mode: str, policy: str, deleted: tuple[int, int, int, int]
) -> None:
    bench.create(blocked(completionMode=mode, completions=2, parallelism=2, podReplacementPolicy=policy))
    for pod in bench.active():
        bench.bind(pod)
        bench.registry.delete("pods", NAMESPACE, meta.name(pod))
    for _ in range(2):
        bench.rest()
        clock.advance(30)
    assert counts(bench) == deleted
    end_the_terminating(bench, "Failed")
    for _ in range(2):
        clock.advance(30)
        bench.rest()
    assert counts(bench) == (2, 0, 2, 0)


def resize(bench: Bench, completions: int) -> None:
    bench.change(completions=completions, parallelism=completions)
    bench.bury()


def test_an_indexed_job_grows(bench: Bench) -> None:
    bench.create(job(completionMode="Indexed", completions=3, parallelism=3))
    resize(bench, 4)
    for index in range(4):
        end(bench, bench.of_index(index), **DONE)
    assert (counts(bench), bench.status["completedIndexes"], types(bench)[-1]) == ((0, 4, 0, 0), "0-3", "Complete")


def test_an_indexed_job_shrinks_below_what_is_done(bench: Bench, clock: Clock) -> None:
    bench.create(job(completionMode="Indexed", completions=3, parallelism=3))
    end(bench, bench.of_index(1), **DONE)
    end(bench, bench.of_index(2), **FAILED)
    clock.advance(11)
    bench.rest()
    assert (counts(bench), bench.active_indexes()) == ((2, 1, 1, 0), [0, 2])
    resize(bench, 1)
    end(bench, bench.of_index(0), **DONE)
    assert (counts(bench), bench.status["completedIndexes"], types(bench)[-1]) == ((0, 1, 1, 0), "0", "Complete")


def test_an_index_that_was_out_of_range_for_a_while_runs_again(bench: Bench) -> None:
    bench.create(job(completionMode="Indexed", completions=3, parallelism=3))
    end(bench, bench.of_index(2), **DONE)
    resize(bench, 2)
    assert (counts(bench), bench.active_indexes()) == ((2, 0, 0, 0), [0, 1])
    resize(bench, 3)
    for index in range(3):
        end(bench, bench.of_index(index), **DONE)
    assert (counts(bench), bench.status["completedIndexes"], types(bench)[-1]) == ((0, 3, 0, 0), "0-2", "Complete")


def test_an_indexed_job_that_shrinks_to_nothing_is_complete(bench: Bench) -> None:
    bench.create(job(completionMode="Indexed", completions=3, parallelism=3))
    resize(bench, 0)
    assert (counts(bench), types(bench)[-1]) == ((0, 0, 0, 0), "Complete")


@pytest.mark.parametrize("propagation", ["Orphan", "Background", "Foreground"])
def test_no_pod_of_a_deleted_job_keeps_the_finalizer(bench: Bench, propagation: Propagation) -> None:
    bench.create(job(parallelism=2))
    bench.registry.delete("jobs", NAMESPACE, "sum", propagation=propagation)
    bench.rest()
    assert bench.tracked() == []
    assert len(bench.pods()) == (2 if propagation == "Orphan" else 0)
    assert bench.registry.list("jobs", NAMESPACE) == []


def test_a_job_of_another_manager_keeps_its_pods_finalizers(bench: Bench) -> None:
    created = bench.create(job(managedBy="example.com/manager"))
    pod = members.new_pod(created)
    pod["metadata"]["namespace"] = NAMESPACE
    made = bench.registry.create("pods", pod)
    end(bench, made, **DONE)
    now = created["metadata"]["creationTimestamp"]
    conditions = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    status = {"conditions": conditions, "startTime": now, "completionTime": now}
    bench.registry.update("jobs", bench.job | {"status": status}, "status")
    bench.rest()
    assert bench.tracked() == [meta.name(made)]


def test_a_job_made_again_under_another_manager_is_left_alone(bench: Bench) -> None:
    bench.create(job())
    end(bench, bench.active()[0], **DONE)
    bench.registry.delete("jobs", NAMESPACE, "sum", propagation="Background")
    bench.create(job(managedBy="example.com/manager"))
    assert bench.job["status"] == {}
    assert bench.tracked() == []


@pytest.mark.parametrize("kind", ["SuccessCriteriaMet", "Complete", "FailureTarget", "Failed"])
@pytest.mark.parametrize("told", [{"status": "False"}, {}], ids=["no", "nothing"])
def test_what_somebody_said_of_the_end_does_not_hold_it_up(bench: Bench, kind: str, told: Obj) -> None:
    bench.create(job(backoffLimit=0))
    said = {**bench.status, "conditions": [{"type": kind} | told]}
    bench.registry.update("jobs", bench.job | {"status": said}, "status")
    failed = "Fail" in kind
    end(bench, bench.active()[0], **(FAILED if failed else DONE))
    wanted = ["FailureTarget", "Failed"] if failed else ["SuccessCriteriaMet", "Complete"]
    assert all(meta.condition_is_true(bench.status["conditions"], each) for each in wanted)
