"""Ends every pod of the node as before the machine is switched off. Run by the kubelet for `kubelite down`.

After upstream's graceful node shutdown: ordinary pods first, then what the cluster depends on, all of a group at once,
each with its preStop hooks and its own grace period, up to a limit. Unlike upstream the pods' objects stay as they are:
the next start of the kubelet finds their containers dead and starts them again. Pods that are critical to the node are
left to the caller: the Services' rules go last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from kubelite.node import termination
from kubelite.node.runtime import EngineError

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
    await termination.stop_all(worker, pod, lambda: until)
    for sandbox in worker.records.sandboxes():
        try:
            await worker.services.runtime.kill(sandbox.id, "SIGKILL")
        except EngineError:
            continue
