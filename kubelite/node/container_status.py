"""The containerStatuses of a pod. PURE; called by status. Follows upstream's `convertToAPIContainerStatuses`."""

from __future__ import annotations

from typing import Any

from kubelite.node.plan import restarts
from kubelite.node.runtime import Container
from kubelite.node.view import (
    View,
    Waiting,
    all_containers,
    container_entries,
    init_containers,
    is_finished,
    restarts_always,
)
from kubelite.objects import meta
from kubelite.objects.meta import Obj

MESSAGES_BYTES = 12 * 1024  # of all containers' termination messages
NOT_LOCATED = "The container could not be located when the pod was terminated"
LOST = "The container could not be located when the pod was deleted.  The container used to be Running"


def container_statuses(view: View, specs: list[Obj]) -> list[Obj]:
    return [_container_status(view, spec) for spec in specs]


def ephemeral_statuses(view: View, specs: list[Obj]) -> list[Obj]:
    """Nobody probes them: they are never ready, and of `started` nothing is said."""
    found = container_statuses(view, specs)
    return [{key: value for key, value in entry.items() if key != "started"} | {"ready": False} for entry in found]


def _container_status(view: View, spec: Obj) -> Obj:
    name = spec["name"]
    found, old = view.told(name), _old_status(view.pod, name)
    if found is None and old is not None and (old.get("containerID") or "terminated" in (old.get("state") or {})):
        return _lost(view, old)
    if old is not None and _is_being_replaced(view, found):
        return old | {"ready": False}
    state, last = _state(view, name, found)
    status: dict[str, Any] = {
        "name": name,
        "state": state,
        "lastState": last,
        "ready": _is_ready(view, spec, found),
        "restartCount": found.attempt if found else 0,
        "image": found.image if found else spec.get("image", ""),
        "imageID": found.image_id if found else "",
    }
    shown = found if found is None or found.state != "created" else view.previous(name)
    if shown is not None:
        status["containerID"] = container_id(shown)
    status["started"] = _is_started(view, spec, found)
    if mounts := spec.get("volumeMounts"):
        status["volumeMounts"] = [_mount_status(mount) for mount in mounts]
    return status


def _is_being_replaced(view: View, found: Container | None) -> bool:
    """A successor is told of when it runs. Of a container that the kubelet ended for one not even the end is: upstream
    does both in one go."""
    if found is None or _is_over(view.pod):
        return False
    if found.state == "created":
        return view.previous(found.name) is not None
    ended_by_us = found.state == "exited" and found.id in view.replaced | view.hooked
    at_once = found.name not in view.waiting and (view.is_current(found) or not init_containers(view.pod))
    return ended_by_us and at_once and restarts(view, found)


def _is_over(pod: Obj) -> bool:
    return is_finished(pod) or meta.is_terminating(pod)


def _mount_status(mount: Obj) -> Obj:
    status = {"name": mount["name"], "mountPath": mount["mountPath"]}
    return status | ({"readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {})


def container_id(container: Container) -> str:
    return f"docker://{container.id}"


def _old_status(pod: Obj, name: str) -> Obj | None:
    return next((entry for entry in container_entries(pod) if entry["name"] == name), None)


def _state(view: View, name: str, found: Container | None) -> tuple[Obj, Obj]:
    """(state, lastState)."""
    before, waiting = view.previous(name), view.waiting.get(name)
    room = MESSAGES_BYTES // len(all_containers(view.pod))
    last = _terminated(before, room) if before is not None else {}
    if found is None or found.state == "created":
        return {"waiting": _as_obj(waiting) if waiting else _not_started(view)}, last
    if found.state == "running":
        return {"running": {"startedAt": meta.format_time(found.started_at)} if found.started_at else {}}, last
    if waiting is not None and not _is_over(view.pod) and restarts(view, found):
        return {"waiting": _as_obj(waiting)}, _terminated(found, room)
    return _terminated(found, room), last


def _terminated(dead: Container, room: int) -> Obj:
    """The state of an exited container, with so many bytes of its message."""
    state: dict[str, Any] = {"exitCode": dead.exit_code, "reason": _reason(dead)}
    if message := ": ".join(filter(None, (dead.error if dead.started_at is None else "", dead.message))):
        state["message"] = message.encode()[:room].decode(errors="ignore")
    for field, moment in (("startedAt", dead.started_at), ("finishedAt", dead.finished_at)):
        state[field] = meta.format_time(moment) if moment else None
    state["containerID"] = container_id(dead)
    return {"terminated": state}


def _reason(dead: Container) -> str:
    if dead.oom_killed:
        return "OOMKilled"
    if dead.started_at is None:
        return "ContainerCannotRun"
    return "Completed" if dead.exit_code == 0 else "Error"


def _as_obj(waiting: Waiting) -> Obj:
    return {"reason": waiting.reason} | ({"message": waiting.message} if waiting.message else {})


def _not_started(view: View) -> Obj:
    return {"reason": "PodInitializing" if init_containers(view.pod) else "ContainerCreating"}


def _is_ready(view: View, spec: Obj, found: Container | None) -> bool:
    if found is None:
        return False
    if spec in init_containers(view.pod) and not restarts_always(spec):
        return found.state == "exited" and found.exit_code == 0
    return found.state == "running" and view.health_of(found).ready


def _is_started(view: View, spec: Obj, found: Container | None) -> bool:
    if found is None or found.state != "running":
        return False
    if spec in init_containers(view.pod) and not restarts_always(spec):
        return True
    return view.health_of(found).started


def final_statuses(pod: Obj, inits: list[Obj], regulars: list[Obj]) -> tuple[list[Obj], list[Obj]]:
    """Of a pod whose containers are ended for good: what never came to run isn't waited for any more. Upstream's
    `TerminatePod`."""
    begun = 1 + max((i for i, entry in enumerate(inits) if not _only_waited(entry)), default=0)
    inits = [*map(_not_located, inits[:begun]), *inits[begun:]]
    return inits, [*map(_not_located, regulars)] if _initialized(pod, inits, regulars) else regulars


def _only_waited(entry: Obj) -> bool:
    return "waiting" in entry["state"] and "terminated" not in entry["lastState"]


def _initialized(pod: Obj, inits: list[Obj], regulars: list[Obj]) -> bool:
    if not inits or not all(map(_only_waited, regulars)):
        return True
    last, state = init_containers(pod)[-1], inits[-1]["state"]
    return inits[-1]["started"] if restarts_always(last) else (state.get("terminated") or {}).get("exitCode") == 0


def _not_located(entry: Obj) -> Obj:
    if "terminated" in entry["state"]:
        return entry
    unknown = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": NOT_LOCATED}
    gone = {"terminated": unknown | {"startedAt": None, "finishedAt": None}}
    return entry | {"state": gone, "ready": False, "started": False}


def _lost(view: View, old: Obj) -> Obj:
    """Somebody removed the container behind our back."""
    if is_finished(view.pod) or "terminated" in (old.get("state") or {}):
        return old
    unknown = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": LOST}
    gone = {"terminated": unknown | {"startedAt": None, "finishedAt": None}}
    entry = old | {"ready": False, "started": False}
    if meta.is_terminating(view.pod):
        return entry | {"state": gone}
    waiting = view.waiting.get(old["name"])
    state = {"waiting": _as_obj(waiting) if waiting else _not_started(view)}
    was_running = "running" in (old.get("state") or {})
    return entry | {"state": state, "lastState": gone if was_running else old.get("lastState") or {}}
