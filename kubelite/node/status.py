"""A pod's status from what runs. PURE; called by the pod worker after each change.

Follows upstream's `generateAPIPodStatus` (kubelet_pods.go), its condition generators (kubelet/status/generate.go) and
its `getPhase`. What others own (conditions of foreign types, qosClass) is kept from the previous status.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kubelite.node.container_status import container_statuses, ephemeral_statuses, final_statuses
from kubelite.node.plan import HoldBack
from kubelite.node.view import (
    Ending,
    View,
    ephemeral_containers,
    full_name,
    init_containers,
    is_finished,
    is_host_network,
    regular_containers,
    restart_policy,
    restarts_always,
)
from kubelite.objects import meta
from kubelite.objects.meta import Obj

FINAL = ("Succeeded", "Failed")
PAST_DEADLINE = Ending("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


def pod_status(view: View, now: datetime, *, terminated: bool = False) -> Obj:
    """The whole status; `terminated` when every container has been ended for good."""
    old = view.pod.get("status") or {}
    inits = container_statuses(view, init_containers(view.pod))
    regulars = container_statuses(view, regular_containers(view.pod))
    phase = old["phase"] if is_finished(view.pod) else _phase(view, inits, regulars, terminated)
    if phase in FINAL and not view.is_quiet:
        phase = old.get("phase") or "Pending"  # others may count on what a finished pod had being free
    elif (terminated or view.ending is not None) and not is_finished(view.pod):
        inits, regulars = final_statuses(view.pod, inits, regulars)
    gone = _REBUILT if phase == old.get("phase") else (*_REBUILT, "reason", "message")
    status: dict[str, Any] = {key: value for key, value in old.items() if key not in gone}
    status["phase"] = phase
    status["conditions"] = _conditions(view, phase, inits, regulars, now)
    if view.ending is not None and phase == "Failed":
        status |= {"reason": view.ending.reason, "message": view.ending.message}
    status |= _addresses(view, old)
    status["startTime"] = old.get("startTime") or meta.format_time(now)
    if inits:
        status["initContainerStatuses"] = inits
    status["containerStatuses"] = _by_name(regulars)
    if ephemerals := ephemeral_containers(view.pod):
        status["ephemeralContainerStatuses"] = _by_name(ephemeral_statuses(view, ephemerals))
    return status


def _by_name(entries: list[Obj]) -> list[Obj]:
    """Upstream's order; only init containers are told in theirs."""
    return sorted(entries, key=lambda entry: str(entry["name"]))


_REBUILT = ("phase", "conditions", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def active_deadline(pod: Obj) -> datetime | None:
    """When activeDeadlineSeconds end; None while they don't count."""
    allowed = pod["spec"].get("activeDeadlineSeconds")
    started = (pod.get("status") or {}).get("startTime")
    return meta.parse_time(started) + timedelta(seconds=allowed) if allowed is not None and started else None


def back_off_message(pod: Obj, action: HoldBack) -> str:
    """The waiting message of CrashLoopBackOff."""
    minutes, seconds = divmod(action.seconds, 60)
    duration = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
    return f"back-off {duration} restarting failed container={action.name} pod={full_name(pod)}"


def _addresses(view: View, old: Obj) -> Obj:
    found: dict[str, Any] = {"hostIP": view.host_address, "hostIPs": [{"ip": view.host_address}]}
    address = view.host_address if is_host_network(view.pod) else view.address
    if not (view.sandbox and address):
        return found
    return found | {"podIP": address, "podIPs": [{"ip": address}]}


# --- phase -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Count:
    """How many containers are in which state, in upstream's counting."""

    running: int = 0
    waiting: int = 0
    stopped: int = 0
    succeeded: int = 0
    init_pending: int = 0
    init_failed: int = 0
    sidecars_pending: int = 0


def _phase(view: View, inits: list[Obj], regulars: list[Obj], terminated: bool) -> str:
    if view.ending is not None:
        return "Failed"
    count = _count(view, inits, regulars)
    policy = restart_policy(view.pod)
    if count.init_failed and policy == "Never":
        return "Failed"
    if terminated:
        return "Succeeded" if count.stopped and count.stopped == count.succeeded and not count.waiting else "Failed"
    if count.waiting or count.init_pending or (count.sidecars_pending and not _any_active(view)):
        return "Pending"
    if count.running:
        return "Running"
    if not count.stopped:
        return "Pending"
    return _stopped_phase(policy, count)


def _stopped_phase(policy: str, count: _Count) -> str:
    if policy == "Always":
        return "Running"
    if count.stopped == count.succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _count(view: View, inits: list[Obj], regulars: list[Obj]) -> _Count:
    count = _Count()
    for spec, status in zip(init_containers(view.pod), inits, strict=True):
        if restarts_always(spec):
            _count_sidecar(count, status)
        else:
            _count_init(count, status)
    for status in regulars:
        _count_regular(count, status)
    return count


def _any_active(view: View) -> bool:
    """Whether there is a regular container in the present sandbox, so that its init containers are done."""
    return any(view.is_current(view.latest(spec["name"])) for spec in regular_containers(view.pod))


def _any_started(regulars: list[Obj]) -> bool:
    """Whether one of the regular containers runs or ran, so that the init containers were done once."""
    return any("running" in status["state"] or "terminated" in status["state"] for status in regulars)


def _count_sidecar(count: _Count, status: Obj) -> None:
    if "running" in status["state"]:
        count.running += 1
        count.sidecars_pending += not status["started"]
    elif "waiting" in status["state"] and "terminated" not in status["lastState"]:
        count.sidecars_pending += 1
        count.waiting += 1


def _count_init(count: _Count, status: Obj) -> None:
    state, last = status["state"], status["lastState"]
    if ended := state.get("terminated") or ("waiting" in state and last.get("terminated")):
        count.init_failed += ended["exitCode"] != 0
    else:
        count.init_pending += 1


def _count_regular(count: _Count, status: Obj) -> None:
    state, last = status["state"], status["lastState"]
    if "running" in state:
        count.running += 1
    elif ended := state.get("terminated"):
        count.stopped += 1
        count.succeeded += ended["exitCode"] == 0
    elif "terminated" in last:
        count.stopped += 1
    else:
        count.waiting += 1


# --- conditions ------------------------------------------------------------------------------------------------------


def _conditions(view: View, phase: str, inits: list[Obj], regulars: list[Obj], now: datetime) -> list[Obj]:
    """Others' first, as upstream merges them."""
    old = (view.pod.get("status") or {}).get("conditions") or []
    containers_ready = _containers_ready(view, phase, inits, regulars)
    fresh = [
        _verdict("PodReadyToStartContainers", view.has_running_sandbox and not is_finished(view.pod)),
        _initialized(view, phase, inits, regulars),
        _ready(view, containers_ready, old),
        containers_ready,
        _verdict("PodScheduled", True),
    ]
    if view.ending is not None and view.ending.disruption and phase == "Failed":
        fresh.insert(0, _verdict("DisruptionTarget", True, "TerminationByKubelet", view.ending.disruption))
    own = [_stamped(entry, meta.condition(old, entry["type"]), now) for entry in fresh]
    told = {entry["type"] for entry in own}
    return [*(entry for entry in old if entry["type"] not in told), *own]


def _verdict(kind: str, true: bool, reason: str = "", message: str = "") -> Obj:
    entry = {"type": kind, "status": "True" if true else "False"}
    if reason:
        entry["reason"] = reason
    if message:
        entry["message"] = message
    return entry


def _stamped(entry: Obj, old: Obj | None, now: datetime) -> Obj:
    unchanged = old is not None and old["status"] == entry["status"]
    moved = old.get("lastTransitionTime") if unchanged and old else None
    return {"lastProbeTime": None, "lastTransitionTime": moved or meta.format_time(now)} | entry


def _initialized(view: View, phase: str, inits: list[Obj], regulars: list[Obj]) -> Obj:
    pairs = list(zip(init_containers(view.pod), inits, strict=True))
    incomplete = [s["name"] for spec, s in pairs if not (s["started"] if restarts_always(spec) else s["ready"])]
    if phase == "Succeeded":
        return _verdict("Initialized", True, "PodCompleted")
    if _any_started(regulars) or not incomplete:
        return _verdict("Initialized", True)
    message = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return _verdict("Initialized", False, "ContainersNotInitialized", message)


def _containers_ready(view: View, phase: str, inits: list[Obj], regulars: list[Obj]) -> Obj:
    if phase == "Succeeded":
        return _verdict("ContainersReady", False, "PodCompleted")
    if phase == "Failed":
        return _verdict("ContainersReady", False, "PodFailed")
    sidecars = [s for spec, s in zip(init_containers(view.pod), inits, strict=True) if restarts_always(spec)]
    unready = [status["name"] for status in [*sidecars, *regulars] if not status["ready"]]
    if not unready:
        return _verdict("ContainersReady", True)
    message = f"containers with unready status: [{' '.join(unready)}]"
    return _verdict("ContainersReady", False, "ContainersNotReady", message)


def _ready(view: View, containers_ready: Obj, old: list[Obj]) -> Obj:
    if containers_ready["status"] != "True":
        return containers_ready | {"type": "Ready"}
    problems = []
    for gate in view.pod["spec"].get("readinessGates") or ():
        found = meta.condition(old, gate["conditionType"])
        if found is None:
            problems.append(f'corresponding condition of pod readiness gate "{gate["conditionType"]}" does not exist.')
        elif (status := found.get("status", "")) != "True":  # anybody may write it
            problems.append(f'the status of pod readiness gate "{gate["conditionType"]}" is not "True", but {status}')
    if problems:
        return _verdict("Ready", False, "ReadinessGatesNotReady", ", ".join(problems))
    return _verdict("Ready", True)
