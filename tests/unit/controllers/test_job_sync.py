"""One look at a Job in every state: the cases of upstream's `TestControllerSyncJob`, with its newer features on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from kubelite.controllers import pods as podq
from kubelite.controllers.job import JobController, members
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded
from tests.unit.controllers.jobs import NAMESPACE, job

COMPLETE = ["SuccessCriteriaMet", "Complete"]
FAILING = ["FailureTarget"]
FAILED = ["FailureTarget", "Failed"]
# P pending, R running, Y ready as well, S succeeded, F failed, T running on its way out.
PHASES = {"P": "Pending", "R": "Running", "Y": "Running", "S": "Succeeded", "F": "Failed", "T": "Running"}


@dataclass(frozen=True)
class Seen:
    created: int
    deleted: int
    active: int
    ready: int
    succeeded: int
    failed: int
    terminating: int
    conditions: list[str]
    completed: str
    indexes: list[int | None]


class World:
    """Pods by letters, after an index and a colon where they have one; `x:` is an index that isn't one."""

    def __init__(self, registry: Registry, recorded: Recorded, clock: Clock) -> None:
        self.registry, self.clock = registry, clock
        self.controller = JobController(registry, recorded, clock)

    def place(self, owner: Obj, text: str) -> None:
        for number, entry in enumerate(text.split()):
            index, _, letter = entry.rpartition(":")
            new = members.new_pod(owner)
            new["metadata"]["name"] = f"given-{number}"
            if index:
                new["metadata"]["annotations"] = {members.INDEX: index}
            pod = self.registry.bind(self.registry.create("pods", new), "node")
            condition = {"type": "Ready", "status": "True" if letter == "Y" else "False"}
            conditions = meta.with_condition(pod["status"].get("conditions"), condition, self.clock())
            status = pod["status"] | {"phase": PHASES[letter], "conditions": conditions}
            self.registry.update("pods", pod | {"status": status}, "status")
            if letter == "T":
                self.registry.delete("pods", NAMESPACE, meta.name(pod))

    def look(self, new: Obj, pods: str, *, deleting: bool = False, status: Obj | None = None) -> Seen:
        self.registry.create("jobs", new)
        if status is not None:
            self.registry.patch("jobs", NAMESPACE, "sum", {"status": status}, "status")
        self.place(self.registry.get("jobs", NAMESPACE, "sum"), pods)
        if deleting:
            self.registry.delete("jobs", NAMESPACE, "sum", propagation="Foreground")
        before = {meta.name(pod): meta.is_terminating(pod) for pod in self.registry.list("pods", NAMESPACE)}
        self.controller.reconcile((NAMESPACE, "sum"))
        return self.seen(before)

    def seen(self, before: dict[str, bool]) -> Seen:
        after = {meta.name(pod): pod for pod in self.registry.list("pods", NAMESPACE)}
        fresh = [pod for name, pod in after.items() if name not in before]
        gone = [name for name, left in before.items() if not left and meta.is_terminating(after[name])]
        status = self.registry.get("jobs", NAMESPACE, "sum")["status"]
        active, ready, succeeded, failed, terminating = (
            int(status.get(name, 0)) for name in ("active", "ready", "succeeded", "failed", "terminating")
        )
        conditions = [found["type"] for found in status.get("conditions", ()) if found["status"] == "True"]
        indexes = sorted((members.index_of(pod) for pod in fresh), key=str)
        return Seen(
            len(fresh),
            len(gone),
            active,
            ready,
            succeeded,
            failed,
            terminating,
            conditions,
            status.get("completedIndexes", ""),
            indexes,
        )


@pytest.fixture
def world(registry: Registry, recorded: Recorded, clock: Clock) -> World:
    return World(registry, recorded, clock)


def counts(found: Seen) -> tuple[int, ...]:
    """Created, deleted; active, ready, succeeded, failed, terminating."""
    return (
        found.created,
        found.deleted,
        found.active,
        found.ready,
        found.succeeded,
        found.failed,
        found.terminating,
    )


WORK_QUEUE: Obj = {"parallelism": 2}
FIVE: Obj = {"parallelism": 2, "completions": 5}
ONE: Obj = {"parallelism": 1, "completions": 1}
WAITING = {"podReplacementPolicy": "Failed"}


@pytest.mark.parametrize(
    ("spec", "pods", "expected", "conditions"),
    [
        pytest.param(FIVE, "", (2, 0, 2, 0, 0, 0, 0), [], id="start"),
        pytest.param(WORK_QUEUE, "", (2, 0, 2, 0, 0, 0, 0), [], id="start of a work queue"),
        pytest.param(FIVE, "P P", (0, 0, 2, 0, 0, 0, 0), [], id="pending pods"),
        pytest.param(FIVE | {"parallelism": 3}, "Y Y R", (0, 0, 3, 2, 0, 0, 0), [], id="as many as asked for"),
        pytest.param(FIVE, "R S", (1, 0, 2, 0, 1, 0, 0), [], id="too few"),
        pytest.param(WORK_QUEUE, "R", (1, 0, 2, 0, 0, 0, 0), [], id="too few of a work queue"),
        pytest.param(FIVE, "R R R", (0, 1, 2, 0, 0, 0, 1), [], id="too many"),
        pytest.param(FIVE, "Y Y Y", (0, 1, 2, 2, 0, 0, 1), [], id="too many ready ones"),
        pytest.param(FIVE, " ".join("R" * 10), (0, 8, 2, 0, 0, 0, 8), [], id="far too many"),
        pytest.param(
            {"parallelism": 3, "completions": 4}, "R R R S S", (0, 1, 2, 0, 2, 0, 1), [], id="more than are left to do"
        ),
        pytest.param(FIVE, "R R S S", (0, 0, 2, 0, 2, 0, 0), [], id="only counted"),
        pytest.param(FIVE, "S S S S S", (0, 0, 0, 0, 5, 0, 0), COMPLETE, id="done"),
        pytest.param(WORK_QUEUE, "R S", (0, 0, 1, 0, 1, 0, 0), [], id="work queue ends"),
        pytest.param(WORK_QUEUE, "S S", (0, 0, 0, 0, 2, 0, 0), COMPLETE, id="work queue done"),
        pytest.param(WORK_QUEUE, "S F", (0, 0, 0, 0, 1, 1, 0), COMPLETE, id="work queue done despite a failure"),
        pytest.param(
            {"parallelism": 1} | WAITING, "R F T", (0, 0, 1, 0, 0, 1, 1), [], id="waits for the one on its way out"
        ),
        pytest.param(
            {"parallelism": 1}, "R F T", (0, 0, 1, 0, 0, 2, 1), [], id="takes the one on its way out for failed"
        ),
        pytest.param(
            ONE | WAITING, "R R T T T T", (0, 1, 1, 0, 0, 0, 5), [], id="more on their way out than parallelism"
        ),
        pytest.param(
            {"parallelism": 2, "completions": 3, "backoffLimit": 0},
            "Y Y F",
            (0, 2, 0, 0, 0, 3, 2),
            FAILING,
            id="failed while pods are ready",
        ),
        pytest.param({**FIVE, "backoffLimit": 0}, "F", (0, 0, 0, 0, 0, 1, 0), FAILED, id="too many failures"),
        pytest.param({**ONE, "completions": 0}, "", (0, 0, 0, 0, 0, 0, 0), COMPLETE, id="nothing to do"),
        pytest.param(
            {**ONE, "completions": 0, "suspend": True},
            "",
            (0, 0, 0, 0, 0, 0, 0),
            COMPLETE,
            id="nothing to do, suspended",
        ),
        pytest.param({**FIVE, "suspend": True}, "R R", (0, 2, 0, 0, 0, 0, 2), ["Suspended"], id="suspended"),
        pytest.param({**FIVE, "suspend": True}, "Y Y", (0, 2, 0, 0, 0, 0, 2), ["Suspended"], id="suspended when ready"),
    ],
)
def test_counts_and_conditions(
    world: World, spec: Obj, pods: str, expected: tuple[int, ...], conditions: list[str]
) -> None:
    found = world.look(job(**spec), pods)
    assert (counts(found), found.conditions) == (expected, conditions)


@pytest.mark.parametrize(
    ("spec", "pods", "expected", "completed", "indexes", "conditions"),
    [
        pytest.param(FIVE, "", (2, 0, 2, 0, 0, 0, 0), "", [0, 1], [], id="start"),
        pytest.param(FIVE | WAITING, "0:T", (1, 0, 1, 0, 0, 0, 1), "", [1], [], id="waits for an index"),
        pytest.param(FIVE, "T", (2, 0, 2, 0, 0, 0, 1), "", [0, 1], [], id="doesn't wait for one on its way out"),
        pytest.param(
            {"parallelism": 2, "completions": 3},
            "0:S 1:F 1:S 2:S",
            (0, 0, 0, 0, 3, 1, 0),
            "0-2",
            [],
            COMPLETE,
            id="done",
        ),
        pytest.param(
            {"parallelism": 2, "completions": 3, "backoffLimit": 0},
            "0:S 1:F 2:R",
            (0, 1, 0, 0, 1, 2, 1),
            "0",
            [],
            FAILING,
            id="failed",
        ),
        pytest.param(
            {"parallelism": 2, "completions": 3}, "0:S 1:S 1:S", (1, 0, 1, 0, 2, 0, 0), "0,1", [2], [], id="done twice"
        ),
        pytest.param(
            {"parallelism": 8, "completions": 20},
            "0:R 2:S 3:P 4:S 5:S 7:S 8:S 9:S",
            (6, 0, 8, 0, 6, 0, 0),
            "2,4,5,7-9",
            [1, 10, 11, 12, 13, 6],
            [],
            id="gaps are filled from below",
        ),
        pytest.param(FIVE, "R S F x:R x:S x:F x:P 0:S 1:R 2:R", (0, 3, 2, 0, 1, 0, 3), "0", [], [], id="without index"),
        pytest.param(
            {"parallelism": 5, "completions": 5},
            "S F x:R 0:S 1:R 2:R 2:P",
            (0, 2, 2, 0, 1, 0, 2),
            "0",
            [],
            [],
            id="the same index",
        ),
        pytest.param(FIVE, "0:S 5:R 6:S 7:P 8:F", (0, 2, 0, 0, 1, 0, 2), "0", [], [], id="beyond the range"),
    ],
)
def test_indexed(
    world: World,
    spec: Obj,
    pods: str,
    expected: tuple[int, ...],
    completed: str,
    indexes: list[int | None],
    conditions: list[str],
) -> None:
    found = world.look(job(completionMode="Indexed", **spec), pods)
    assert (counts(found), found.completed, found.indexes) == (expected, completed, indexes)
    assert found.conditions == conditions


def test_some_failed_indexes_are_started_again(world: World, clock: Clock) -> None:
    """Upstream's case looks only after the back-off."""
    new = job(completionMode="Indexed", parallelism=3, completions=4)
    found = world.look(new, "0:F 1:P 2:F")
    assert (found.created, found.active, found.failed) == (0, 1, 2)
    clock.advance(60)
    world.controller.reconcile((NAMESPACE, "sum"))
    fresh = [pod for pod in world.registry.list("pods", NAMESPACE) if podq.is_active(pod)]
    assert sorted(members.index_of(pod) or 0 for pod in fresh) == [0, 1, 2]


def test_a_job_that_is_deleted_counts_what_ended_and_lets_the_rest_go(world: World) -> None:
    found = world.look(job(**FIVE), "P R S", deleting=True)
    assert (found.created, found.deleted, found.active, found.succeeded) == (0, 0, 2, 1)
    assert not any(members.is_tracked(pod) for pod in world.registry.list("pods", NAMESPACE))


def test_a_deleted_job_isn_t_suspended(world: World) -> None:
    found = world.look(job(**FIVE, suspend=True), "R R", deleting=True)
    assert (found.deleted, found.active, found.conditions) == (0, 2, [])


@pytest.mark.parametrize("kind", ["FailureTarget", "SuccessCriteriaMet"])
def test_conditions_set_to_false_by_hand_say_nothing(world: World, kind: str) -> None:
    by_hand = {"type": kind, "status": "False", "reason": "ByHand"}
    found = world.look(job(**ONE), "Y", status={"conditions": [by_hand]})
    assert (found.active, found.ready, found.conditions) == (1, 1, [])


def test_a_resumed_job_says_so(world: World) -> None:
    suspended: dict[str, Any] = {"type": "Suspended", "status": "True", "reason": "JobSuspended"}
    others: dict[str, Any] = {"type": "Queued", "status": "True"}
    found = world.look(job(**FIVE), "", status={"conditions": [suspended, others]})
    condition, _ = world.registry.get("jobs", NAMESPACE, "sum")["status"]["conditions"]
    assert (found.created, condition["status"], condition["reason"]) == (2, "False", "JobResumed")
