"""Ends containers (preStop, the stop signal, SIGKILL at the deadline), then the pod. Called by the pod worker.

Follows upstream's `killContainer` and its termination ordering: preStop hooks of all containers run at once, sidecars
get their signal only when the regular containers are gone, last one first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kubelite.errors import StatusError
from kubelite.node.lifecycle import HookFailed, run_hook
from kubelite.node.runtime import Container, EngineError
from kubelite.node.view import Ending, container_of, field_path, regular_containers, sidecars
from kubelite.objects import meta
from kubelite.objects.meta import Obj

if TYPE_CHECKING:
    from kubelite.node.pod_worker import PodWorker

log = logging.getLogger(__name__)

SHUTDOWN_WINDOW = timedelta(seconds=2)  # what a container gets at least, though its preStop hook used up the grace
RETRY = 1.0

Deadline = Callable[[], datetime]  # may move closer while a container is being stopped


def grace_of(pod: Obj) -> int:
    """Seconds that a pod's containers get when nobody says otherwise."""
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    return 30 if grace is None else int(grace)


def grace_for(pod: Obj, container: Container, probe: str) -> int:
    """A probe ("liveness", "startup") may have a grace period of its own for the kill that it causes."""
    spec = container_of(pod, container.name) or {}
    own = (spec.get(f"{probe}Probe") or {}).get("terminationGracePeriodSeconds")
    return grace_of(pod) if own is None else int(own)


class GraceClock:
    """The deadline of a deleted pod; every later delete may shorten it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._seen: dict[int, datetime] = {}

    def deadline(self, pod: Obj | None) -> datetime:
        """`pod` is the object as it is now; None when it was removed by force."""
        now = self._now()
        if pod is None:
            return now
        grace = int(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        first = self._seen.setdefault(grace, now)
        # Written in whole seconds; it matters when this kubelet wasn't there when the delete came.
        written = meta.parse_time(pod["metadata"]["deletionTimestamp"]) + timedelta(seconds=1)
        return min(first + timedelta(seconds=grace), written)


async def stop_all(worker: PodWorker, pod: Obj, deadline: Deadline) -> None:
    """End everything that runs in the pod; returns when it is dead."""
    running = {container.name: container for container in worker.records.running()}
    gone = {name: asyncio.Event() for name in running}
    async with asyncio.TaskGroup() as group:
        for container in running.values():
            turn = [gone[name] for name in _before(pod, container.name) if name in gone]
            group.create_task(_stop_in_turn(worker, pod, container, deadline, turn, gone[container.name]))


async def stop_finished(worker: PodWorker, pod: Obj, ending: Ending | None) -> None:
    """A pod that is done: end the sidecars, then the sandbox; the dead containers stay for their logs."""
    await worker.start_no_more()
    grace = grace_of(pod) if ending is None or ending.grace is None else ending.grace
    await stop_all(worker, pod, worker.deadline_in(grace))
    for sandbox in worker.records.sandboxes():
        await worker.remove(sandbox.id)
    worker.services.addresses.release(worker.uid)  # the status goes on saying which one it was


def _before(pod: Obj, name: str) -> list[str]:
    """Who must be gone before a sidecar: the regular containers and the sidecars that came after it."""
    order = [spec["name"] for spec in sidecars(pod)]
    if name not in order:
        return []
    return [*(spec["name"] for spec in regular_containers(pod)), *order[order.index(name) + 1 :]]


async def _stop_in_turn(
    worker: PodWorker,
    pod: Obj,
    container: Container,
    deadline: Deadline,
    turn: list[asyncio.Event],
    done: asyncio.Event,
) -> None:
    try:
        await stop_container(worker, pod, container, "", deadline, turn)
    finally:
        done.set()
        worker.signal.notify()


async def stop_container(
    worker: PodWorker,
    pod: Obj,
    container: Container,
    message: str,
    deadline: Deadline,
    turn: Sequence[asyncio.Event] = (),
) -> None:
    """End one container; `message` is the Killing event's, by default upstream's."""
    services, path = worker.services, field_path(pod, container.name)
    text = message or f"Stopping container {container.name}"
    services.recorder.event(pod, "Normal", "Killing", text, path)
    graceful = deadline() > services.now()
    if graceful:
        await _pre_stop(worker, pod, container, deadline)
        for event in turn:
            await _until(worker, event.is_set, deadline)
        window = services.now() + SHUTDOWN_WINDOW
        await _persist(worker, container, container.stop_signal)
        await _until(worker, lambda: _is_gone(worker, container), _at_least(worker, deadline, window))
    while not _is_gone(worker, container):
        await _persist(worker, container, "SIGKILL")
        await _refresh(worker, container)


def _at_least(worker: PodWorker, deadline: Deadline, window: datetime) -> Deadline:
    """The shutdown window counts, unless the pod was removed by force."""
    return lambda: deadline() if worker.pod() is None else max(deadline(), window)


async def _pre_stop(worker: PodWorker, pod: Obj, container: Container, deadline: Deadline) -> None:
    spec = container_of(pod, container.name)
    hook = ((spec or {}).get("lifecycle") or {}).get("preStop")
    if spec is None or not hook:
        return
    work = asyncio.ensure_future(run_hook(worker.services, pod, spec, container.id, hook, worker.address))
    work.add_done_callback(lambda _: worker.signal.notify())
    await _until(worker, lambda: work.done() or _is_gone(worker, container), deadline)
    if not work.done():
        work.cancel()
    try:
        await work
    except HookFailed:
        path = field_path(pod, container.name)
        worker.services.recorder.event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", path)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise


def _is_gone(worker: PodWorker, container: Container) -> bool:
    found = worker.records.get(container.id)
    return found is None or found.state != "running"


async def _until(worker: PodWorker, holds: Callable[[], bool], deadline: Deadline) -> None:
    """Wait for a condition, or for the deadline, which may move."""
    while not holds():
        left = (deadline() - worker.services.now()).total_seconds()
        if left <= 0:
            return
        await worker.signal.wait(left)


async def _persist(worker: PodWorker, container: Container, signal: str) -> None:
    """Send a signal, also to a container of an engine that is just restarting."""
    while not _is_gone(worker, container):
        try:
            await worker.services.runtime.kill(container.id, signal)
            return
        except EngineError:
            await asyncio.sleep(RETRY)


async def _refresh(worker: PodWorker, container: Container) -> None:
    try:
        found = await worker.services.runtime.inspect(container.id)
    except EngineError:
        return
    if found is None:
        worker.forgotten(container.id)
    else:
        worker.observed(found)
    if found is not None and found.state == "running":
        await worker.signal.wait(RETRY)


async def let_go(worker: PodWorker) -> None:
    """Remove the object, as soon as the state can be written."""
    while worker.pod() is not None:
        try:
            worker.services.client.delete("pods", worker.namespace, worker.name, grace=0, uid=worker.uid)
        except StatusError as error:
            if error.code >= 500:
                await asyncio.sleep(RETRY)
                continue
        return


async def clean_up(worker: PodWorker) -> None:
    """Containers, address and directory. The engine may be away; this comes back until it's done."""
    while left := worker.records.all():
        try:
            await asyncio.gather(*(worker.remove(container.id) for container in left))
        except EngineError as error:
            log.info("%s/%s: %s", worker.namespace, worker.name, error)
            await asyncio.sleep(RETRY)
    worker.services.addresses.release(worker.uid)
    worker.services.images.forget(worker.uid)
    await worker.disk.tear_down()
