"""READY, STATUS and RESTARTS of pods in every state that they pass through."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod_printing import pod_row

RUNNING = {"running": {"startedAt": "2026-11-23T12:00:00Z"}}
READY = {"type": "Ready", "status": "True"}
INITIALIZED = {"type": "Initialized", "status": "True"}


def waiting(reason: str = "") -> Obj:
    return {"waiting": {"reason": reason}}


def ended(code: int = 0, reason: str = "", signal: int = 0) -> Obj:
    return {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}


def container(name: str, state: Obj, ready: bool = False, restarts: int = 0, last: str = "", **more: Any) -> Obj:
    last_state = {"terminated": {"finishedAt": last}} if last else {}
    return {"name": name, "state": state, "ready": ready, "restartCount": restarts, "lastState": last_state, **more}


def pod(
    *statuses: Obj,
    init: list[Obj] | None = None,
    sidecars: tuple[str, ...] = (),
    containers: int = 0,
    deleted: bool = False,
    **status: Any,
) -> Obj:
    names = [entry["name"] for entry in init or []]
    metadata = {"name": "p", "creationTimestamp": "2026-11-23T12:00:00Z"}
    return {
        "metadata": metadata | ({"deletionTimestamp": "2026-11-23T12:00:09Z"} if deleted else {}),
        "spec": {
            "containers": [{"name": f"c{index}"} for index in range(containers or len(statuses) or 1)],
            "initContainers": [
                {"name": name} | ({"restartPolicy": "Always"} if name in sidecars else {}) for name in names
            ],
        },
        "status": {
            "phase": "Pending",
            "containerStatuses": list(statuses),
            "initContainerStatuses": init or [],
            **status,
        },
    }


TWO_INIT = [container("a", ended()), container("b", waiting("PodInitializing"))]

STATES = [
    (pod(), "0/1", "Pending", "0"),
    (pod(container("c", waiting("ContainerCreating"))), "0/1", "ContainerCreating", "0"),
    (pod(container("c", RUNNING, ready=True), phase="Running"), "1/1", "Running", "0"),
    (pod(container("c", RUNNING), phase="Running"), "0/1", "Running", "0"),
    (pod(container("c", waiting("ImagePullBackOff"))), "0/1", "ImagePullBackOff", "0"),
    (
        pod(container("c", waiting("CrashLoopBackOff"), restarts=3, last="2026-11-23T11:59:58Z"), phase="Running"),
        "0/1",
        "CrashLoopBackOff",
        "3 (12s ago)",
    ),
    (pod(container("c", ended(1, "Error")), phase="Failed"), "0/1", "Error", "0"),
    (pod(container("c", ended(137, signal=9)), phase="Failed"), "0/1", "Signal:9", "0"),
    (pod(container("c", ended(3)), phase="Failed"), "0/1", "ExitCode:3", "0"),
    (pod(container("c", ended(0, "Completed")), phase="Succeeded"), "0/1", "Completed", "0"),
    (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted", "0"),
    (
        pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
        "0/1",
        "SchedulingGated",
        "0",
    ),
    # Of several containers the first that has something to say is heard.
    (
        pod(container("c", waiting("ErrImagePull")), container("d", ended(1, "Error")), phase="Running"),
        "0/2",
        "ErrImagePull",
        "0",
    ),
    (
        pod(
            container("c", ended(0, "Completed")),
            container("d", RUNNING, ready=True),
            phase="Running",
            conditions=[READY],
        ),
        "1/2",
        "Running",
        "0",
    ),
    (
        pod(container("c", ended(0, "Completed")), container("d", RUNNING, ready=True), phase="Running"),
        "1/2",
        "NotReady",
        "0",
    ),
    # initialization
    (pod(init=TWO_INIT), "0/1", "Init:1/2", "0"),
    (pod(init=[container("a", waiting("CrashLoopBackOff"), restarts=2)]), "0/1", "Init:CrashLoopBackOff", "2"),
    (pod(init=[container("a", ended(1, "Error"))]), "0/1", "Init:Error", "0"),
    (pod(init=[container("a", ended(2))]), "0/1", "Init:ExitCode:2", "0"),
    (pod(init=[container("a", ended(137, signal=9))]), "0/1", "Init:Signal:9", "0"),
    (pod(init=[container("a", RUNNING)]), "0/1", "Init:0/1", "0"),
    (
        pod(
            container("c", RUNNING, ready=True),
            init=[container("a", ended(), restarts=4)],
            phase="Running",
        ),
        "1/1",
        "Running",
        "0",
    ),
    # A pod whose sandbox is made anew runs its init containers again, while it still counts as initialized.
    (
        pod(container("c", RUNNING, ready=True), init=[container("a", RUNNING)], conditions=[INITIALIZED]),
        "1/1",
        "Init:0/1",
        "0",
    ),
    # sidecars
    (
        pod(
            container("c", RUNNING, ready=True, restarts=1),
            init=[container("s", RUNNING, ready=True, restarts=2, started=True), container("a", ended(), restarts=5)],
            sidecars=("s",),
            phase="Running",
        ),
        "2/2",
        "Running",
        "3",
    ),
    (
        pod(init=[container("s", RUNNING, started=False), *TWO_INIT], sidecars=("s",)),
        "0/2",
        "Init:0/3",
        "0",
    ),
    # deletion
    (pod(container("c", RUNNING, ready=True), phase="Running", deleted=True), "1/1", "Terminating", "0"),
    (pod(container("c", ended(0, "Completed")), phase="Succeeded", deleted=True), "0/1", "Completed", "0"),
    (pod(phase="Running", reason="NodeLost", deleted=True), "0/1", "Unknown", "0"),
]


@pytest.mark.parametrize(("given", "ready", "status", "restarts"), STATES)
def test_row_says_how_the_pod_is(given: Obj, ready: str, status: str, restarts: str, now: datetime) -> None:
    assert pod_row(given, now)[:5] == ["p", ready, status, restarts, "10s"]


def test_wide_row_says_where_the_pod_is(now: datetime) -> None:
    made = pod(podIPs=[{"ip": "172.30.0.7"}], conditions=[{"type": "example.com/gate", "status": "True"}])
    made["spec"] |= {
        "nodeName": "vm",
        "readinessGates": [{"conditionType": "example.com/gate"}, {"conditionType": "example.com/other"}],
    }
    assert pod_row(made, now)[5:] == ["172.30.0.7", "vm", "<none>", "1/2"]
    assert pod_row(pod(), now)[5:] == ["<none>"] * 4
