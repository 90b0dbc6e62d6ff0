"""A pod's row in the Table form: what its READY, STATUS and RESTARTS say; after upstream's `printPod`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column
from kubelite.registry.printing import NONE, age, translate_timestamp

COLUMNS = (
    NAME_COLUMN,
    Column("Ready", description="How many of its containers are ready, of how many."),
    Column("Status", description="Its phase, or what keeps it from going on."),
    Column("Restarts", description="How often its containers were started again, and when last."),
    AGE_COLUMN,
    Column("IP", description="The address it was given.", priority=1),
    Column("Node", description="The node that runs it.", priority=1),
    Column("Nominated Node", description="The node on which room is being made for it.", priority=1),
    Column("Readiness Gates", description="How many of its own readiness conditions are true.", priority=1),
)
_UNREACHABLE = "NodeLost"
_TERMINAL = ("Succeeded", "Failed")


@dataclass(slots=True)
class _Restarts:
    count: int = 0
    last: str = ""

    def add(self, status: Obj) -> None:
        self.count += status.get("restartCount", 0)
        ended = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        self.last = max(self.last, ended or "")

    def shown(self, now: datetime) -> str:
        since = f" ({translate_timestamp(self.last, now)} ago)" if self.count and self.last else ""
        return f"{self.count}{since}"


def pod_row(pod: Obj, now: datetime) -> list[Any]:
    spec, status = pod["spec"], pod.get("status") or {}
    sidecars = _sidecars(spec)
    ready, total, reason, restarts = _progress(pod, sidecars)
    return [
        meta.name(pod),
        f"{ready}/{total}",
        reason,
        restarts.shown(now),
        age(pod, now),
        ((status.get("podIPs") or [{}])[0]).get("ip") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _readiness_gates(pod),
    ]


def _sidecars(spec: Obj) -> set[str]:
    return {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _progress(pod: Obj, sidecars: set[str]) -> tuple[int, int, str, _Restarts]:
    spec, status = pod["spec"], pod.get("status") or {}
    total = len(spec.get("containers") or ()) + len(sidecars)
    reason = _overall_reason(status)
    ready, stuck, restarts, of_sidecars = _initialization(pod, sidecars)
    if stuck is None or meta.condition_is_true(status.get("conditions"), "Initialized"):
        restarts = of_sidecars
        more, reason = _main_containers(status, stuck or reason, restarts)
        ready += more
    else:
        reason = stuck
    if meta.is_terminating(pod):
        if status.get("reason") == _UNREACHABLE:
            reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            reason = "Terminating"
    return ready, total, reason, restarts


def _overall_reason(status: Obj) -> str:
    gated = meta.condition(status.get("conditions"), "PodScheduled") or {}
    if gated.get("reason") == "SchedulingGated":
        return "SchedulingGated"
    return str(status.get("reason") or status.get("phase") or "")


def _initialization(pod: Obj, sidecars: set[str]) -> tuple[int, str | None, _Restarts, _Restarts]:
    """Ready sidecars, where initialization stands (None: done), restarts of all init containers and of sidecars."""
    ready = 0
    restarts, of_sidecars = _Restarts(), _Restarts()
    for index, status in enumerate((pod.get("status") or {}).get("initContainerStatuses") or ()):
        is_sidecar = status["name"] in sidecars
        restarts.add(status)
        if is_sidecar:
            of_sidecars.add(status)
        state = status.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode") == 0:
            continue
        if is_sidecar and status.get("started"):
            ready += bool(status.get("ready"))
            continue
        total = len(pod["spec"].get("initContainers") or ())
        return ready, f"Init:{_init_trouble(state) or f'{index}/{total}'}", restarts, of_sidecars
    return ready, None, restarts, of_sidecars


def _init_trouble(state: Obj) -> str:
    if (ended := state.get("terminated")) is not None:
        return _ending(ended)
    reason = (state.get("waiting") or {}).get("reason") or ""
    return "" if reason == "PodInitializing" else reason


def _ending(ended: Obj) -> str:
    """Why a container ended."""
    if reason := ended.get("reason"):
        return str(reason)
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _main_containers(status: Obj, reason: str, restarts: _Restarts) -> tuple[int, str]:
    """How many are ready, and the reason: the first container's counts most, so it is looked at last."""
    ready = 0
    for container in reversed(status.get("containerStatuses") or ()):
        restarts.add(container)
        state = container.get("state") or {}
        if waiting := (state.get("waiting") or {}).get("reason"):
            reason = waiting
        elif state.get("terminated") is not None:
            reason = _ending(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            ready += 1
    if reason == "Completed" and ready:
        reason = "Running" if meta.condition_is_true(status.get("conditions"), "Ready") else "NotReady"
    return ready, reason


def _readiness_gates(pod: Obj) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    conditions = (pod.get("status") or {}).get("conditions")
    true = sum(meta.condition_is_true(conditions, gate["conditionType"]) for gate in gates)
    return f"{true}/{len(gates)}" if gates else NONE
