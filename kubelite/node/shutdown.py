"""Ends every pod of the node as before the machine is switched off. Run by the kubelet for `kubelite down`.

After upstream's graceful node shutdown: ordinary pods first, then what the cluster depends on, all of a group at once,
each with its preStop hooks and its own grace period, up to a limit. Unlike upstream the pods' objects stay as they are:
the next start of the kubelet finds their containers dead and starts them again. Pods that are critical to the node are
left to the caller: the Services' rules go last.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from kubelite.node import termination
from kubelite.node.runtime import Container, EngineError
from kubelite.node.signals import is_deaf
from kubelite.node.view import container_of
from kubelite.objects.meta import Obj

if TYPE_CHECKING:
    from kubelite.node.pod_worker import PodWorker

GRACE_LIMIT = 10
CLUSTER_CRITICAL = 2_000_000_000
NODE_CRITICAL = 2_000_001_000


async def shut_down(workers: Iterable[PodWorker]) -> None:
    """Returns when they are dead, or when their time is over."""
    for group in _in_order(list(workers)):
        if group:
            ends = [asyncio.ensure_future(worker.halt()) for worker in group]
            _, late = await asyncio.wait(ends, timeout=GRACE_LIMIT + termination.SHUTDOWN_WINDOW.total_seconds())
            for end in late:
                end.cancel()


def _in_order(workers: Sequence[PodWorker]) -> tuple[list[PodWorker], list[PodWorker]]:
    ordinary = [worker for worker in workers if worker.priority < CLUSTER_CRITICAL]
    return ordinary, [worker for worker in workers if CLUSTER_CRITICAL <= worker.priority < NODE_CRITICAL]


async def end_containers(worker: PodWorker) -> None:
    """Of one pod, within the limit; its sandbox too."""
    pod = worker.last
    until = worker.services.now() + timedelta(seconds=min(termination.grace_of(pod), GRACE_LIMIT))
    await asyncio.gather(*(_end_deaf(worker, pod, container) for container in worker.records.running()))
    await termination.stop_all(worker, pod, lambda: until)
    await asyncio.gather(*(_kill(worker, sandbox) for sandbox in worker.records.sandboxes()))


async def _end_deaf(worker: PodWorker, pod: Obj, container: Container) -> None:
    """One that wouldn't hear its signal need not be waited for; its preStop hook may still have something to say."""
    if ((container_of(pod, container.name) or {}).get("lifecycle") or {}).get("preStop"):
        return
    with contextlib.suppress(EngineError):
        found = await worker.services.runtime.inspect(container.id)
        if found is not None and is_deaf(found):
            await _kill(worker, container)


async def _kill(worker: PodWorker, container: Container) -> None:
    with contextlib.suppress(EngineError):
        await worker.services.runtime.kill(container.id, "SIGKILL")
