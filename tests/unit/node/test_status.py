from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kubelite.node.plan import HoldBack
from kubelite.node.runtime import Container
from kubelite.node.status import PAST_DEADLINE, active_deadline, back_off_message, pod_status
from kubelite.node.view import Health, Waiting
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.node.pods import NOW, ago, container, exited, pod, running, sandbox, view

INIT: dict[str, Any] = {"initContainers": [container("one"), container("two")]}
SIDECAR: dict[str, Any] = {"initContainers": [container("side", restartPolicy="Always")]}


def status_of(*args: Any, terminated: bool = False, **fields: Any) -> Obj:
    return pod_status(view(*args, **fields), NOW, terminated=terminated)


def condition(status: Obj, kind: str) -> Obj:
    found = meta.condition(status["conditions"], kind)
    assert found is not None
    return found


def verdict(status: Obj, kind: str) -> tuple[str, str, str]:
    found = condition(status, kind)
    return found["status"], found.get("reason", ""), found.get("message", "")


def test_running_pod_is_ready_with_all_conditions_in_order() -> None:
    status = status_of(pod(), running())
    assert status["phase"] == "Running"
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [
        ("PodReadyToStartContainers", "True"),
        ("Initialized", "True"),
        ("Ready", "True"),
        ("ContainersReady", "True"),
        ("PodScheduled", "True"),
    ]
    assert status["podIPs"] == [{"ip": "172.30.0.16"}]
    assert (status["hostIP"], status["qosClass"]) == ("172.30.0.1", "BestEffort")
    assert status["startTime"] == meta.format_time(NOW)


def test_termination_messages_of_a_pod_share_their_room() -> None:
    of = pod(*(container(name) for name in ("web", "b", "c", "d", "e")))
    status = status_of(of, exited(message="é" * 2000))
    message = status["containerStatuses"][-1]["state"]["terminated"]["message"]
    assert message == "é" * (12 * 1024 // 5 // 2)


def test_new_pod_waits_for_its_containers() -> None:
    status = status_of(pod(), sandboxes=())
    assert status["phase"] == "Pending"
    assert "podIP" not in status
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    message = "containers with unready status: [web]"
    assert verdict(status, "Ready") == ("False", "ContainersNotReady", message)
    assert verdict(status, "ContainersReady") == ("False", "ContainersNotReady", message)
    assert verdict(status, "PodReadyToStartContainers") == ("False", "", "")


def test_pod_that_initializes_names_what_is_missing() -> None:
    status = status_of(pod(**INIT), exited("one"))
    assert status["phase"] == "Pending"
    assert verdict(status, "Initialized") == (
        "False",
        "ContainersNotInitialized",
        "containers with incomplete status: [two]",
    )
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    one, two = status["initContainerStatuses"]
    assert (one["ready"], one["started"]) == (True, False)
    assert two["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_initialized_stays_true_once_a_container_ran() -> None:
    status = status_of(pod(**INIT), exited("one"), exited("two"), running())
    assert verdict(status, "Initialized") == ("True", "", "")
    assert status["phase"] == "Running"


def test_waiting_reason_is_shown_with_the_last_life() -> None:
    waiting = {"web": Waiting("CrashLoopBackOff", "back-off 10s")}
    web = status_of(pod(), exited(code=3, attempt=2, message="oops"), waiting=waiting)["containerStatuses"][0]
    assert web["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert web["lastState"]["terminated"] == {
        "exitCode": 3,
        "reason": "Error",
        "message": "oops",
        "startedAt": meta.format_time(ago(60)),
        "finishedAt": meta.format_time(ago(1)),
        "containerID": "docker://web-2",
    }
    assert web["restartCount"] == 2


def test_restarted_container_keeps_its_last_state() -> None:
    web = status_of(pod(), exited(code=137, oom_killed=True), running(attempt=1))["containerStatuses"][0]
    assert "running" in web["state"]
    assert web["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert web["containerID"] == "docker://web-1"


@pytest.mark.parametrize(
    ("dead", "reason"),
    [
        (exited(), "Completed"),
        (exited(code=2), "Error"),
        (exited(code=137, oom_killed=True), "OOMKilled"),
        (exited(code=127, started_at=None, error="no such file"), "ContainerCannotRun"),
    ],
)
def test_reason_of_an_end(dead: Container, reason: str) -> None:
    web = status_of(pod(restartPolicy="Never"), dead)["containerStatuses"][0]
    assert web["state"]["terminated"]["reason"] == reason


def test_started_and_ready_follow_the_probes() -> None:
    web = status_of(pod(), running(), health={"web-0": Health(started=True)})["containerStatuses"][0]
    assert (web["started"], web["ready"]) == (True, False)


# --- phases


@pytest.mark.parametrize(
    ("policy", "ends", "phase"),
    [
        ("Always", (0, 0), "Running"),
        ("Never", (0, 0), "Succeeded"),
        ("Never", (0, 1), "Failed"),
        ("OnFailure", (0, 0), "Succeeded"),
        ("OnFailure", (0, 1), "Running"),
    ],
)
def test_phase_when_all_containers_ended(policy: str, ends: tuple[int, int], phase: str) -> None:
    of = pod(container("a"), container("b"), restartPolicy=policy)
    assert status_of(of, exited("a", ends[0]), exited("b", ends[1]))["phase"] == phase


def test_phase_is_running_while_one_runs_and_pending_while_one_never_did() -> None:
    of = pod(container("a"), container("b"), restartPolicy="Never")
    assert status_of(of, exited("a", 1), running("b"))["phase"] == "Running"
    assert status_of(of, exited("a", 1))["phase"] == "Pending"


def test_init_container_that_failed_for_good_fails_the_pod() -> None:
    assert status_of(pod(restartPolicy="Never", **INIT), exited("one", 1))["phase"] == "Failed"
    assert status_of(pod(**INIT), exited("one", 1))["phase"] == "Pending"


def test_sidecar_must_start_before_the_pod_runs_and_counts_for_ready() -> None:
    of = pod(**SIDECAR)
    assert status_of(of, running("side"), health={"side-0": Health()})["phase"] == "Pending"
    status = status_of(of, running("side"), running(), health={"web-0": Health(True, True), "side-0": Health(True)})
    assert status["phase"] == "Running"
    assert verdict(status, "Ready")[2] == "containers with unready status: [side]"


@pytest.mark.parametrize(
    ("policy", "containers", "started", "phase"),
    [
        ("Always", [], False, "Pending"),
        ("Always", [running("side")], True, "Pending"),
        ("Always", [running("side"), running()], False, "Running"),
        ("Always", [exited("side", 1), running()], False, "Running"),
        ("Always", [exited("side", 1), exited(code=1)], False, "Running"),
        ("Never", [running("side"), exited()], True, "Running"),
        ("Never", [exited("side", 1), exited()], False, "Succeeded"),
        ("Never", [exited("side"), exited(code=1)], False, "Failed"),
        ("OnFailure", [exited("side", 1), exited()], False, "Succeeded"),
        ("OnFailure", [exited("side"), exited(code=1)], False, "Running"),
    ],
)
def test_phase_beside_a_sidecar(policy: str, containers: list[Container], started: bool, phase: str) -> None:
    of = pod(initContainers=[container("side", restartPolicy="Always")], restartPolicy=policy)
    health = {"side-0": Health(started), "web-0": Health(True, True)}
    assert status_of(of, *containers, health=health)["phase"] == phase


def test_pod_in_a_new_sandbox_is_pending_until_its_init_containers_are_done_again() -> None:
    of = pod(**INIT)
    assert status_of(of, running("one"), exited(code=137, sandbox_id="older"))["phase"] == "Pending"
    assert status_of(of, exited("one"), exited("two"), exited(code=137, sandbox_id="older"))["phase"] == "Running"


def test_pod_in_a_new_sandbox_is_pending_until_its_sidecar_has_started_again() -> None:
    of = pod(initContainers=[container("side", restartPolicy="Always")])
    dead, waits = exited(code=137, sandbox_id="older"), {"side-0": Health()}
    assert status_of(of, running("side"), dead, health=waits)["phase"] == "Pending"
    assert status_of(of, running("side"), dead)["phase"] == "Running"
    assert status_of(of, running("side"), exited(code=137), health=waits)["phase"] == "Running"


def test_running_init_container_has_started_and_is_not_ready() -> None:
    (one, _) = status_of(pod(**INIT), running("one"))["initContainerStatuses"]
    assert (one["started"], one["ready"]) == (True, False)


def test_final_phase_stays() -> None:
    of = pod(restartPolicy="Never", status={"phase": "Failed", "reason": "Evicted"})
    status = status_of(of, exited())
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert verdict(status, "Ready") == ("False", "PodFailed", "")


def test_completed_pod_is_not_ready_because_it_completed() -> None:
    status = status_of(pod(restartPolicy="Never"), exited())
    assert verdict(status, "Ready") == ("False", "PodCompleted", "")
    assert verdict(status, "Initialized") == ("True", "PodCompleted", "")


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (137, "Failed")])
def test_terminated_pod_has_a_final_phase_whatever_its_policy(code: int, phase: str) -> None:
    assert status_of(pod(), exited(code=code), terminated=True)["phase"] == phase


def test_exceeded_deadline_fails_the_pod_once_nothing_runs() -> None:
    before = {"phase": "Running"}
    status = status_of(pod(status=before), running(), ending=PAST_DEADLINE)
    assert (status["phase"], status.get("reason")) == ("Running", None)
    begun = running(state="created", started_at=None)
    assert status_of(pod(status=before), begun, ending=PAST_DEADLINE)["phase"] == "Running"
    status = status_of(pod(status=before), exited(code=137), ending=PAST_DEADLINE)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    waiting = status_of(pod(status=before), ending=PAST_DEADLINE)
    assert waiting["containerStatuses"][0]["state"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert status_of(pod(status=waiting))["containerStatuses"] == waiting["containerStatuses"]


# --- what is kept


def test_transition_times_move_only_with_the_status() -> None:
    before = status_of(pod(), running())
    of = pod(status=before)
    later = NOW + timedelta(seconds=30)
    same = pod_status(view(of, running()), later)
    assert same == before
    unready = pod_status(view(of, running(), health={"web-0": Health(started=True)}), later)
    assert condition(unready, "Ready")["lastTransitionTime"] == meta.format_time(later)
    assert condition(unready, "Initialized")["lastTransitionTime"] == meta.format_time(NOW)


def test_conditions_of_others_are_kept() -> None:
    foreign = {"type": "DisruptionTarget", "status": "True"}
    status = status_of(pod(status={"phase": "Running", "conditions": [foreign]}), running())
    assert condition(status, "DisruptionTarget") == foreign
    assert [entry["type"] for entry in status["conditions"]][:2] == ["DisruptionTarget", "PodReadyToStartContainers"]


def test_readiness_gates_hold_back_ready() -> None:
    of = pod(readinessGates=[{"conditionType": "x.io/a"}, {"conditionType": "x.io/b"}])
    of["status"]["conditions"] = [{"type": "x.io/b", "status": "False"}]
    status = status_of(of, running())
    assert verdict(status, "ContainersReady")[0] == "True"
    assert verdict(status, "Ready") == (
        "False",
        "ReadinessGatesNotReady",
        'corresponding condition of pod readiness gate "x.io/a" does not exist., '
        'the status of pod readiness gate "x.io/b" is not "True", but False',
    )


def test_a_readiness_gate_without_a_status_is_not_true() -> None:
    of = pod(readinessGates=[{"conditionType": "x.io/a"}])
    of["status"]["conditions"] = [{"type": "x.io/a"}]
    assert verdict(status_of(of, running()), "Ready")[0] == "False"


def test_container_removed_behind_our_back_is_lost() -> None:
    old = status_of(pod(), running(attempt=2))
    web = status_of(pod(status=old))["containerStatuses"][0]
    assert web["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert web["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
    assert (web["ready"], web["restartCount"]) == (False, 2)


def test_host_network_pod_has_the_hosts_address() -> None:
    assert status_of(pod(hostNetwork=True), sandbox(), running(), address="")["podIP"] == "172.30.0.1"


def test_back_off_message_is_upstreams() -> None:
    action = HoldBack("web", NOW, 80)
    expected = "back-off 1m20s restarting failed container=web pod=web-0_default(u-1)"
    assert back_off_message(pod(), action) == expected


def test_active_deadline_counts_from_the_start() -> None:
    of = pod(activeDeadlineSeconds=30, status={"phase": "Running", "startTime": meta.format_time(NOW)})
    assert active_deadline(of) == NOW + timedelta(seconds=30)
    assert active_deadline(pod(activeDeadlineSeconds=30)) is None


def test_ephemeral_containers_have_statuses_of_their_own_and_count_for_nothing() -> None:
    of = pod(ephemeralContainers=[container("debugger")], restartPolicy="Never")
    status = pod_status(view(of, running(), running("debugger")), NOW)
    (entry,) = status["ephemeralContainerStatuses"]
    assert entry["name"] == "debugger"
    assert entry["ready"] is False
    assert "started" not in entry
    assert "running" in entry["state"]
    assert [entry["name"] for entry in status["containerStatuses"]] == ["web"]
    failed = pod_status(view(of, running(), exited("debugger", 1)), NOW)
    assert failed["phase"] == "Running"
    assert "terminated" in failed["ephemeralContainerStatuses"][0]["state"]


def test_statuses_come_by_name_and_show_their_mounts() -> None:
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "token", "mountPath": "/token", "readOnly": True},
    ]
    of = pod(container("web", volumeMounts=mounts), container("app"), initContainers=[container("z"), container("a")])
    status = status_of(of)
    assert [entry["name"] for entry in status["containerStatuses"]] == ["app", "web"]
    assert [entry["name"] for entry in status["initContainerStatuses"]] == ["z", "a"]
    assert "volumeMounts" not in status["containerStatuses"][0]
    assert status["containerStatuses"][1]["volumeMounts"] == [
        {"name": "data", "mountPath": "/data"},
        {"name": "token", "mountPath": "/token", "readOnly": True, "recursiveReadOnly": "Disabled"},
    ]


def test_container_that_never_ran_is_not_waited_for_when_its_pod_is_ended() -> None:
    status = status_of(pod(), terminated=True)
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (status["phase"], ended["exitCode"], ended["reason"]) == ("Failed", 137, "ContainerStatusUnknown")
    of = pod(initContainers=[container("one"), container("two")])
    status = status_of(of, exited("one", 1), terminated=True)
    assert ["terminated" in entry["state"] for entry in status["initContainerStatuses"]] == [True, False]
    assert "waiting" in status["containerStatuses"][0]["state"]
    status = status_of(of, exited("one"), exited("two"), terminated=True)
    assert "terminated" in status["containerStatuses"][0]["state"]


def test_container_that_waits_out_its_back_off_has_ended_when_its_pod_is_to_go() -> None:
    waiting = {"web": Waiting("CrashLoopBackOff")}
    assert "waiting" in status_of(pod(), exited(code=1), waiting=waiting)["containerStatuses"][0]["state"]
    going = pod(metadata={"deletionTimestamp": "2026-01-02T03:04:05Z"})
    status = status_of(going, exited(code=1), waiting=waiting)
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


def test_reason_and_message_of_a_phase_go_with_it() -> None:
    told = {"reason": "NodeLost", "message": "gone"}
    kept = status_of(pod(status={"phase": "Running", **told}), running())
    assert kept.items() >= told.items()
    fresh = status_of(pod(status={"phase": "Pending", **told}), running())
    assert fresh.keys().isdisjoint(told)
    done = status_of(pod(status={"phase": "Failed", **told}), exited(code=1))
    assert done.items() >= told.items()


def test_container_that_the_kubelet_replaces_is_not_told_to_have_ended() -> None:
    before = status_of(pod(), running())
    of = pod(status=before)
    gone = frozenset({"web-0"})
    made = running(attempt=1, state="created", started_at=None)
    for containers in ([exited(code=137)], [exited(code=137), made]):
        for ended in ({"replaced": gone}, {"hooked": gone}):
            (entry,) = status_of(of, *containers, **ended)["containerStatuses"]
            assert ("running" in entry["state"], entry["ready"], entry["restartCount"]) == (True, False, 0)
    (entry,) = status_of(of, exited(code=137), running(attempt=1), replaced=gone)["containerStatuses"]
    assert (entry["restartCount"], entry["lastState"]["terminated"]["exitCode"]) == (1, 137)
    once = pod(status=before, restartPolicy="Never")
    for last, waiting in ((once, {}), (of, {"web": Waiting("CrashLoopBackOff")})):
        (entry,) = status_of(last, exited(code=137), replaced=gone, waiting=waiting)["containerStatuses"]
        assert "running" not in entry["state"]


def test_container_that_was_ended_with_its_sandbox_is_told_to_have_ended_when_init_containers_come_first() -> None:
    gone, ended = frozenset({"web-0"}), exited(code=137, sandbox_id="old")
    for inits, told in (({}, "running"), ({"initContainers": [container("one")]}, "terminated")):
        before = status_of(pod(**inits), exited("one", sandbox_id="old"), running(sandbox_id="old"))
        of = pod(status=before, **inits)
        (entry,) = status_of(of, running("one", 1), ended, replaced=gone)["containerStatuses"]
        assert told in entry["state"]


def test_container_that_ended_is_told_of_until_its_successor_runs() -> None:
    before = status_of(pod(), exited(code=1))
    made = running(attempt=1, state="created", started_at=None)
    waiting = {"web": Waiting("CrashLoopBackOff")}
    for held_back in ({}, waiting):
        (entry,) = status_of(pod(status=before), exited(code=1), made, waiting=held_back)["containerStatuses"]
        assert (entry["state"]["terminated"]["exitCode"], entry["restartCount"]) == (1, 0)
