"""The actions that a pod worker has at work: one task for each name. Failures are logged and looked at again later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Set
from typing import Any, TypeVar

from kubelite.node.runtime import EngineError

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE = 1.0  # after a failure, before the plan is made anew


class Abandoned(Exception):
    """The pod or its sandbox went away meanwhile."""


class ActionTasks:
    """`done` is called whenever one ends."""

    def __init__(self, owner: str, done: Callable[[], None]) -> None:
        self._owner = owner
        self._done = done
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._interruptible: set[asyncio.Future[Any]] = set()
        self._interrupted = False

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._tasks)

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start, unless one of that name is at work."""
        if name in self._tasks:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(self._guard(name, work), name=f"{self._owner} {name}")
        self._tasks[name] = task
        task.add_done_callback(lambda _: work.close())  # it may have been cancelled before it began

    async def _guard(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Abandoned:
            log.debug("%s: %s: abandoned", self._owner, name)
        except EngineError as error:
            log.info("%s: %s: %s", self._owner, name, error)
            await self._pause()
        except Exception:
            log.exception("%s: %s failed", self._owner, name)
            await self._pause()
        finally:
            self._tasks.pop(name, None)
            self._done()

    async def _pause(self) -> None:
        if not self._interrupted:
            await asyncio.sleep(PAUSE)

    async def interruptible(self, work: Awaitable[T]) -> T:
        """Await something that `interrupt` cuts short; Abandoned then."""
        future = asyncio.ensure_future(work)
        self._interruptible.add(future)
        if self._interrupted:
            future.cancel()
        try:
            return await future
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and not (task and task.cancelling()):
                raise Abandoned from None
            raise
        finally:
            self._interruptible.discard(future)
            future.cancel()

    def interrupt(self) -> None:
        """From now on nothing interruptible goes on."""
        self._interrupted = True
        self.cut_short()

    def cut_short(self) -> None:
        """What is interruptible at the moment ends."""
        for future in list(self._interruptible):
            future.cancel()

    async def settle(self, background: Set[str]) -> None:
        """Wait for all but those named: for engine calls under way, which can't be taken back."""
        while tasks := [task for name, task in self._tasks.items() if name not in background]:
            await asyncio.wait(tasks)

    def cancel(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
