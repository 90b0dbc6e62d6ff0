from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kubelite.node.plan import (
    BACKOFF_CAP,
    BACKOFF_FIRST,
    CreateSandbox,
    HoldBack,
    KillContainer,
    Remove,
    SetUp,
    StartContainer,
    StopPod,
    next_backoff,
    plan,
)
from kubelite.node.status import PAST_DEADLINE
from kubelite.node.view import Health, Waiting
from kubelite.objects.meta import Obj
from tests.unit.node.pods import NOW, ago, container, exited, pod, running, sandbox, view

INIT: dict[str, Any] = {"initContainers": [container("one"), container("two")]}
SIDECAR: dict[str, Any] = {"initContainers": [container("side", restartPolicy="Always"), container("two")]}


def actions(*args: Any, **fields: Any) -> list[object]:
    return list(plan(view(*args, **fields), NOW).actions)


def test_volumes_come_before_the_sandbox() -> None:
    assert actions(pod(), sandboxes=(), volumes_ready=False) == [SetUp()]
    assert actions(pod(), sandboxes=(), volumes_ready=False, busy=frozenset({"setup"})) == []


def test_failed_set_up_is_tried_again_at_its_time() -> None:
    later = NOW + timedelta(seconds=3)
    result = plan(view(pod(), sandboxes=(), volumes_ready=False, setup_retry_at=later), NOW)
    assert (result.actions, result.wake_at) == ((), later)


def test_sandbox_comes_before_the_containers() -> None:
    assert actions(pod(), sandboxes=()) == [CreateSandbox(0)]


def test_containers_are_made_while_the_sandbox_starts() -> None:
    found = actions(pod(container("a"), container("b")), sandbox(state="created"))
    assert found == [StartContainer("a", 0, 0), StartContainer("b", 0, 0)]


def test_running_pod_needs_nothing() -> None:
    assert actions(pod(), running()) == []


def test_dead_sandbox_is_replaced_after_what_ran_in_it_is_dead() -> None:
    assert actions(pod(), sandbox(state="exited"), running()) == [KillContainer(running(), "")]
    assert actions(pod(), sandbox(state="exited"), exited(code=137)) == [CreateSandbox(1)]


def test_new_sandbox_starts_containers_anew_without_back_off() -> None:
    dead = exited(code=137, sandbox_id="older", backoff=40)
    assert actions(pod(), sandbox(), dead) == [StartContainer("web", 1, 40)]


def test_new_sandbox_runs_init_containers_again() -> None:
    done = exited("one", sandbox_id="older")
    assert actions(pod(**INIT), sandbox(), done) == [StartContainer("one", 1, 0)]


def test_finished_container_of_an_older_sandbox_stays_finished() -> None:
    of = pod(container("a"), container("b"), restartPolicy="OnFailure")
    found = actions(of, sandbox(), exited("a", sandbox_id="older"), exited("b", code=1, sandbox_id="older"))
    assert found == [StartContainer("b", 1, 0)]


# --- restarts


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy_decides_over_dead_containers(policy: str, code: int, restarts: bool) -> None:
    of = pod(container(), container("other"), restartPolicy=policy)
    found = actions(of, exited(code=code), running("other"))
    assert found == ([StartContainer("web", 1, 10)] if restarts else [])


def test_first_restart_is_immediate_and_the_next_waits() -> None:
    assert actions(pod(), exited(code=1)) == [StartContainer("web", 1, 10)]
    dead = exited(code=1, attempt=1, backoff=10, started_at=ago(5), finished_at=ago(4))
    result = plan(view(pod(), dead), NOW)
    until = ago(4) + timedelta(seconds=10)
    assert result.actions == (HoldBack("web", until, 10),)
    assert result.wake_at == until


def test_back_off_is_over_at_its_time() -> None:
    dead = exited(code=1, attempt=1, backoff=10, started_at=ago(12), finished_at=ago(10))
    assert actions(pod(), dead) == [StartContainer("web", 2, 20)]


def test_held_back_container_is_not_announced_again() -> None:
    until = NOW + timedelta(seconds=5)
    dead = exited(code=1, attempt=1, backoff=10)
    result = plan(view(pod(), dead, waiting={"web": Waiting("CrashLoopBackOff", "", until)}), NOW)
    assert (result.actions, result.wake_at) == ((), until)


@pytest.mark.parametrize(
    ("noted", "ran", "expected"),
    [
        (0, 1, (0, 10)),
        (10, 1, (10, 20)),
        (160, 1, (160, BACKOFF_CAP)),
        (BACKOFF_CAP, 599, (BACKOFF_CAP, BACKOFF_CAP)),
        (BACKOFF_CAP, 601, (0, 10)),
    ],
)
def test_back_off_doubles_up_to_the_cap_and_is_forgotten(noted: int, ran: int, expected: tuple[int, int]) -> None:
    dead = exited(backoff=noted, started_at=ago(ran + 1), finished_at=ago(1))
    assert next_backoff(dead) == expected


def test_failed_start_waits_for_its_retry() -> None:
    later = NOW + timedelta(seconds=9)
    waiting = {"web": Waiting("ErrImagePull", "no", later)}
    result = plan(view(pod(), waiting=waiting), NOW)
    assert (result.actions, result.wake_at) == ((), later)
    assert plan(view(pod(), waiting=waiting), later).actions == (StartContainer("web", 0, 0),)


def test_vanished_container_keeps_its_restart_count() -> None:
    status = {
        "phase": "Running",
        "containerStatuses": [{"name": "web", "containerID": "docker://x", "restartCount": 4}],
    }
    assert actions(pod(status=status)) == [StartContainer("web", 5, 0)]


# --- init containers and sidecars


def test_init_containers_run_one_after_the_other() -> None:
    of = pod(**INIT)
    assert actions(of) == [StartContainer("one", 0, 0)]
    assert actions(of, running("one")) == []
    assert actions(of, exited("one")) == [StartContainer("two", 0, 0)]
    assert actions(of, exited("one"), exited("two")) == [StartContainer("web", 0, 0)]


def test_finished_init_containers_stay_finished() -> None:
    assert actions(pod(**INIT), exited("one"), exited("two"), running()) == []


def test_init_containers_before_one_that_runs_are_over_though_they_were_removed() -> None:
    assert actions(pod(**INIT), running("two")) == []
    assert actions(pod(**INIT), exited("two")) == [StartContainer("web", 0, 0)]
    assert actions(pod(**SIDECAR), running("two")) == [StartContainer("side", 0, 0)]


def test_failed_init_container_is_restarted_or_ends_the_pod() -> None:
    assert actions(pod(**INIT), exited("one", code=1)) == [StartContainer("one", 1, 10)]
    assert actions(pod(restartPolicy="Never", **INIT), exited("one", code=1)) == [StopPod()]


def test_sidecar_must_have_started_before_the_next_container() -> None:
    of = pod(**SIDECAR)
    assert actions(of) == [StartContainer("side", 0, 0)]
    assert actions(of, running("side"), health={"side-0": Health()}) == []
    assert actions(of, running("side")) == [StartContainer("two", 0, 0)]
    assert actions(of, running("side"), exited("two")) == [StartContainer("web", 0, 0)]


def test_sidecar_is_restarted_beside_running_containers() -> None:
    found = actions(pod(restartPolicy="Never", **SIDECAR), exited("side"), exited("two"), running())
    assert found == [StartContainer("side", 1, 10)]


def test_pod_that_is_done_stops_its_sidecars_and_sandbox() -> None:
    of = pod(restartPolicy="Never", **SIDECAR)
    assert actions(of, running("side"), exited("two"), exited()) == [StopPod()]
    assert actions(of, running("side"), exited("two"), exited(), busy=frozenset({"stop"})) == []
    assert actions(of, exited("side"), exited("two"), exited(), sandboxes=()) == []


def test_pod_past_its_deadline_stops() -> None:
    assert actions(pod(), running(), ending=PAST_DEADLINE) == [StopPod()]


def test_pod_in_a_final_phase_starts_nothing() -> None:
    assert actions(pod(status={"phase": "Failed"}), sandboxes=()) == []


# --- kills and garbage


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("Always", "Container web failed liveness probe, will be restarted"),
        ("Never", "Container web failed liveness probe"),
    ],
)
def test_container_whose_probe_failed_is_killed(policy: str, message: str) -> None:
    of, health = pod(container(), container("other"), restartPolicy=policy), {"web-0": Health(True, True, "liveness")}
    assert actions(of, running(), running("other"), health=health) == [KillContainer(running(), message, "liveness")]


def test_last_container_that_is_killed_for_its_probe_and_never_restarted_takes_the_pod_with_it() -> None:
    of, health = pod(restartPolicy="Never", **SIDECAR), {"web-0": Health(True, True, "liveness")}
    assert actions(of, exited("side"), exited("two"), running(), health=health) == [StopPod()]
    two = pod(container(), container("other"), restartPolicy="Never")
    assert actions(two, running(), exited("other"), health=health) == [StopPod()]
    assert actions(two, running(), exited("other"), health=health, busy=frozenset({"web"})) == []
    changed = actions(pod(container(image="httpd:2.5"), restartPolicy="Never"), running(), health=health)
    assert changed == [KillContainer(running(), "Container web definition changed, will be restarted")]


def test_container_that_was_killed_for_another_in_its_place_is_restarted_whatever_its_exit_code() -> None:
    gone = frozenset({"web-0"})
    assert actions(pod(restartPolicy="OnFailure"), exited(), replaced=gone) == [StartContainer("web", 1, 0)]
    assert actions(pod(restartPolicy="OnFailure"), exited()) == [StopPod()]
    assert actions(pod(restartPolicy="Never"), exited(code=137), replaced=gone) == [StopPod()]


def test_back_off_of_a_killed_container_counts_from_the_end_of_the_life_before() -> None:
    def back(ended: int) -> list[object]:
        before = exited(code=1, finished_at=ago(ended))
        killed = exited(code=137, attempt=1, backoff=20, started_at=ago(ended - 1), finished_at=ago(5))
        return actions(pod(), before, killed, replaced=frozenset({"web-1"}))

    assert back(25) == [StartContainer("web", 2, 40)]
    assert back(24) == [HoldBack("web", ago(5) + timedelta(seconds=20), 20)]


def test_sidecar_whose_probe_failed_is_killed_as_an_init_container() -> None:
    found = actions(pod(**SIDECAR), running("side"), health={"side-0": Health(failed="startup")})
    assert found == [KillContainer(running("side"), "Init container side failed startup probe", "startup")]


def test_container_whose_image_changed_is_killed_and_restarted_under_any_policy() -> None:
    for policy in ("Always", "Never"):
        of = pod(container(image="httpd:2.5"), restartPolicy=policy)
        message = "Container web definition changed, will be restarted"
        assert actions(of, running()) == [KillContainer(running(), message)]
        assert actions(of, exited(), replaced=frozenset({"web-0"})) == [StartContainer("web", 1, BACKOFF_FIRST)]
    assert actions(of, exited()) == [StopPod()]


def test_init_container_whose_image_changed_is_left_to_finish() -> None:
    of = pod(initContainers=[container("one", image="httpd:2.5")])
    assert actions(of, running("one")) == []


def test_container_at_work_is_left_alone() -> None:
    assert actions(pod(), busy=frozenset({"web"})) == []


def test_latest_dead_container_and_the_one_before_are_kept() -> None:
    lives = [exited(attempt=0), exited(attempt=1), running(attempt=2)]
    assert actions(pod(), *lives) == [Remove(lives[0])]


def test_old_sandbox_is_removed() -> None:
    old = sandbox(state="exited")
    assert actions(pod(), running(), sandboxes=(sandbox(), old)) == [Remove(old)]


def debugged(**spec: Any) -> Obj:
    return pod(ephemeralContainers=[container("debugger")], **spec)


def test_ephemeral_container_starts_beside_what_runs_and_only_once() -> None:
    assert plan(view(debugged(), running()), NOW).actions == (StartContainer("debugger", 0, 0),)
    assert plan(view(debugged(), running(), running("debugger")), NOW).actions == ()
    assert plan(view(debugged(), running(), exited("debugger", 1)), NOW).actions == ()


def test_ephemeral_container_does_not_wait_for_init_containers() -> None:
    of = debugged(initContainers=[container("init")])
    actions = plan(view(of, running("init")), NOW).actions
    assert actions == (StartContainer("debugger", 0, 0),)


def test_ephemeral_container_that_was_removed_is_not_started_again() -> None:
    known = {"name": "debugger", "containerID": "docker://1", "restartCount": 0}
    of = debugged(status={"phase": "Running", "ephemeralContainerStatuses": [known]})
    assert plan(view(of, running()), NOW).actions == ()


def test_container_with_another_image_does_not_wait_for_the_old_ones_back_off() -> None:
    dead = exited(code=1, attempt=4, backoff=160)
    assert actions(pod(), dead)[0] == HoldBack("web", NOW + timedelta(seconds=159), 160)
    assert actions(pod(container(image="httpd:2.5")), dead) == [StartContainer("web", 5, 10)]
