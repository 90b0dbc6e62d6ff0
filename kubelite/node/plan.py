"""What to do next for a pod. PURE; called by the pod worker whenever something changed.

Follows upstream's `computePodActions` (kuberuntime): first a sandbox, then init containers in order (sidecars among
them stay), then the rest together; dead containers come back as the restart policy says, after their back-off.
An action names what it works on; the worker keeps those names in `View.busy` until the action is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kubelite.node import labels
from kubelite.node.runtime import Container
from kubelite.node.view import (
    View,
    all_containers,
    container_entries,
    container_of,
    ephemeral_containers,
    init_containers,
    is_finished,
    is_sidecar,
    regular_containers,
    restart_policy,
    restarts_always,
    sidecars,
)
from kubelite.objects.meta import Obj

BACKOFF_FIRST = 10
BACKOFF_CAP = 300
BACKOFF_RESET = 2 * BACKOFF_CAP  # a container that ran this long starts over


@dataclass(frozen=True, slots=True)
class SetUp:
    """Make the pod's directory, files and volumes."""


@dataclass(frozen=True, slots=True)
class CreateSandbox:
    attempt: int


@dataclass(frozen=True, slots=True)
class StartContainer:
    name: str
    attempt: int
    backoff: int


@dataclass(frozen=True, slots=True)
class KillContainer:
    container: Container
    message: str  # of the Killing event; "" for the usual one
    probe: str = ""  # whose failure is the reason


@dataclass(frozen=True, slots=True)
class HoldBack:
    """The container waits out its back-off."""

    name: str
    until: datetime
    seconds: int


@dataclass(frozen=True, slots=True)
class Remove:
    """An old container that nobody will ask for again."""

    container: Container


@dataclass(frozen=True, slots=True)
class StopPod:
    """Everything that should run has run: end what is left (sidecars, the sandbox)."""


Action = SetUp | CreateSandbox | StartContainer | KillContainer | HoldBack | Remove | StopPod


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and when to look again at the latest."""

    actions: tuple[Action, ...] = ()
    wake_at: datetime | None = None


@dataclass(slots=True)
class _Draft:
    view: View
    now: datetime
    actions: list[Action] = field(default_factory=list)
    wakes: list[datetime] = field(default_factory=list)

    def add(self, *actions: Action) -> None:
        self.actions.extend(actions)

    def finish(self) -> Plan:
        return Plan(tuple(self.actions), min(self.wakes, default=None))


def plan(view: View, now: datetime) -> Plan:
    """The next actions for a pod that is meant to run; termination is the worker's."""
    draft = _Draft(view, now)
    _collect_garbage(draft)
    if is_finished(view.pod) or is_done(view):
        _wind_down(draft)
        return draft.finish()
    if not view.volumes_ready:
        _at(draft, view.setup_retry_at, SetUp(), "setup")
        return draft.finish()
    if not _has_sandbox(draft):
        return draft.finish()
    _kill_doomed(draft)
    _start_containers(draft)
    return draft.finish()


def is_done(view: View) -> bool:
    """All that ever had to run has run: no container is left that the restart policy brings (back) to life."""
    if view.winding_down or view.ending is not None or _init_failed_for_good(view):
        return True
    if restart_policy(view.pod) == "Always":
        return False
    regular = [view.latest(container["name"]) for container in regular_containers(view.pod)]
    return all(found is not None and _is_over(view, found) for found in regular)


def _is_over(view: View, found: Container) -> bool:
    """It ended for good, or it is to: when the last one is killed for its probe, its pod ends with it, sidecars too."""
    if found.state == "exited":
        return not restarts(view, found)
    doomed = view.health_of(found).failed and restart_policy(view.pod) == "Never"
    return bool(doomed) and found.name not in view.busy and not _is_changed(view, found)


def _init_failed_for_good(view: View) -> bool:
    if restart_policy(view.pod) != "Never":
        return False
    return any(
        found is not None and found.state == "exited" and found.exit_code != 0
        for found in (view.latest(c["name"]) for c in init_containers(view.pod) if not restarts_always(c))
    )


def restarts(view: View, dead: Container) -> bool:
    """Whether an exited container comes back: as the policy says; one that the kubelet ended, however it ended."""
    pod, policy, replaced = view.pod, restart_policy(view.pod), dead.id in view.replaced
    if is_sidecar(pod, dead.name) or (replaced and _is_changed(view, dead)):
        return True
    if any(container["name"] == dead.name for container in ephemeral_containers(pod)):
        return False
    return policy == "Always" or (policy == "OnFailure" and (replaced or dead.exit_code != 0))


def next_backoff(dead: Container) -> tuple[int, int]:
    """(seconds to wait after its end, the back-off to note on its successor).

    Each container carries the delay that its own restart earned, so the back-off survives the kubelet.
    """
    if not dead.backoff or _lifetime(dead) > BACKOFF_RESET:
        return 0, BACKOFF_FIRST
    return dead.backoff, min(dead.backoff * 2, BACKOFF_CAP)


def _own_backoff(view: View, dead: Container) -> tuple[int, int]:
    """Upstream kills and starts in one go, so that it only knows of the end of the life before; if that one still holds
    the next back, the killed one's end counts like any."""
    wait, backoff = next_backoff(dead)
    if dead.id not in view.replaced:
        return wait, backoff
    before = view.previous(dead.name)
    if before is None:
        return 0, dead.backoff
    between = (dead.finished_at - before.finished_at) if dead.finished_at and before.finished_at else timedelta(0)
    return (0 if between >= timedelta(seconds=wait) else wait), backoff


def _lifetime(dead: Container) -> float:
    if dead.started_at is None or dead.finished_at is None:
        return 0
    return (dead.finished_at - dead.started_at).total_seconds()


def _wind_down(draft: _Draft) -> None:
    view = draft.view
    alive = any(view.running()) or any(sandbox.state == "running" for sandbox in view.sandboxes)
    if alive and "stop" not in view.busy:
        draft.add(StopPod())


def _has_sandbox(draft: _Draft) -> bool:
    """True when there is a sandbox to put containers into; plans a new one when there is none."""
    view, sandbox = draft.view, draft.view.sandbox
    if sandbox is not None and sandbox.state != "exited":
        return True
    left = list(view.running())
    draft.add(*(KillContainer(c, "") for c in left if c.name not in view.busy))
    if not left and view.busy.isdisjoint(spec["name"] for spec in all_containers(view.pod)):
        _at(draft, view.sandbox_retry_at, CreateSandbox(sandbox.attempt + 1 if sandbox else 0), "POD")
    return False


def _at(draft: _Draft, when: datetime | None, action: Action, name: str) -> None:
    if name in draft.view.busy:
        return
    if when is not None and when > draft.now:
        draft.wakes.append(when)
    else:
        draft.add(action)


def _kill_doomed(draft: _Draft) -> None:
    view = draft.view
    for spec in [*sidecars(view.pod), *regular_containers(view.pod)]:
        found = view.latest(spec["name"])
        if found is None or found.state != "running" or found.name in view.busy:
            continue
        if found.hash and found.hash != labels.container_hash(spec):
            draft.add(KillContainer(found, _kill_message(view.pod, spec, "definition changed", restarts=True)))
        elif failed := view.health_of(found).failed:
            again = restart_policy(view.pod) != "Never"
            draft.add(
                KillContainer(found, _kill_message(view.pod, spec, f"failed {failed} probe", restarts=again), failed)
            )


def _kill_message(pod: Obj, spec: Obj, why: str, *, restarts: bool) -> str:
    if is_sidecar(pod, spec["name"]):
        return f"Init container {spec['name']} {why}"
    return f"Container {spec['name']} {why}{', will be restarted' if restarts else ''}"


def _start_containers(draft: _Draft) -> None:
    for spec in ephemeral_containers(draft.view.pod):
        if draft.view.latest(spec["name"]) or not next_attempt(draft.view, spec["name"]):
            _keep_running(draft, spec)
    if not _initialized(draft):
        return
    for spec in regular_containers(draft.view.pod):
        _keep_running(draft, spec)


def _initialized(draft: _Draft) -> bool:
    """Walks the init containers in order and stops at the first that isn't done; sidecars are kept running."""
    passed = _passed(draft.view)
    for number, spec in enumerate(init_containers(draft.view.pod)):
        found = _current(draft.view, spec["name"])
        if restarts_always(spec):
            _keep_running(draft, spec)
            started = found is not None and found.state == "running" and draft.view.health_of(found).started
            if number >= passed and not started:
                return False
        elif number >= passed and not (found and found.state == "exited" and found.exit_code == 0):
            _keep_running(draft, spec, again=True)
            return False
    return True


def _passed(view: View) -> int:
    """How many init containers are over, though they were removed: all before one that was made in this sandbox."""
    inits = init_containers(view.pod)
    if any(_current(view, spec["name"]) for spec in regular_containers(view.pod)):
        return len(inits)
    return max((number for number, spec in enumerate(inits) if _current(view, spec["name"])), default=0)


def _current(view: View, name: str) -> Container | None:
    """The container's latest life in the present sandbox; in a new sandbox everything begins again."""
    found = view.latest(name)
    return found if view.is_current(found) else None


def _keep_running(draft: _Draft, spec: Obj, *, again: bool = False) -> None:
    """Start the container unless it runs, waits, or is done; `again` for init containers a new sandbox needs anew."""
    view, name = draft.view, spec["name"]
    found, waiting = view.latest(name), view.waiting.get(name)
    if name in view.busy or (found is not None and found.state == "running"):
        return
    if waiting is not None and waiting.retry_at is not None and waiting.retry_at > draft.now:
        draft.wakes.append(waiting.retry_at)
    elif found is None:
        draft.add(StartContainer(name, next_attempt(view, name), 0))
    elif found.state == "created":
        draft.add(StartContainer(name, found.attempt, found.backoff))
    elif again or restarts(view, found):
        _restart(draft, found)


def _restart(draft: _Draft, dead: Container) -> None:
    view = draft.view
    if _is_changed(view, dead):
        draft.add(StartContainer(dead.name, dead.attempt + 1, BACKOFF_FIRST))
        return
    if _current(view, dead.name) is None:
        draft.add(StartContainer(dead.name, dead.attempt + 1, dead.backoff))
        return
    wait, backoff = _own_backoff(view, dead)
    until = (dead.finished_at or draft.now) + timedelta(seconds=wait)
    if until > draft.now:
        draft.wakes.append(until)
        draft.add(HoldBack(dead.name, until, wait))
        return
    draft.add(StartContainer(dead.name, dead.attempt + 1, backoff))


def _is_changed(view: View, dead: Container) -> bool:
    """Another image, say: what held the old one back says nothing of it."""
    spec = container_of(view.pod, dead.name)
    return spec is not None and bool(dead.hash) and dead.hash != labels.container_hash(spec)


def next_attempt(view: View, name: str) -> int:
    """One more than the restart count that the status knows, for a container that is no longer there."""
    for entry in container_entries(view.pod):
        if entry["name"] == name and (entry.get("containerID") or entry.get("restartCount")):
            return int(entry.get("restartCount") or 0) + 1
    return 0


def _collect_garbage(draft: _Draft) -> None:
    """Of each container the latest and the one before stay (for `logs --previous`), of sandboxes the latest."""
    view = draft.view
    for old in _superseded(view):
        if f"rm:{old.id}" not in view.busy and old.state != "running":
            draft.add(Remove(old))


def _superseded(view: View) -> Iterator[Container]:
    for found in view.containers.values():
        yield from found[2:]
    yield from view.sandboxes[1:]
