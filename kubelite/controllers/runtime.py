"""Controller runtime: watches feed keys into work queues, workers reconcile one key at a time.

Level-triggered: an event only says which key to look at again; `reconcile` reads the present state through the client
and brings it one step closer to what is asked. Keys are deduplicated while they wait and never run twice at once;
failures come back with exponential back-off (upstream's `util/workqueue`).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Client, Event, Recorder
from kubelite.registry.webhook_review import Caller, Pending, Review, reviewed

Key = tuple[str | None, str]  # namespace, name
Mapper = Callable[[Event], Iterable[Key]]

log = logging.getLogger(__name__)

BACKOFF_FIRST = 0.005
BACKOFF_CAP = 60.0


def key_of(obj: Obj) -> Key:
    return meta.namespace(obj), meta.name(obj)


def own(event: Event) -> Iterable[Key]:
    """The mapper of the controller's own kind."""
    return [key_of(event.object)]


def by_controller(kind: str) -> Mapper:
    """The mapper for objects that a `kind` controls: the key of their controlling owner, old and new."""

    def mapper(event: Event) -> Iterable[Key]:
        keys = []
        for obj in (event.object, event.old):
            ref = meta.controller_of(obj) if obj else None
            if obj and ref and ref["kind"] == kind:
                keys.append((meta.namespace(obj), str(ref["name"])))
        return keys

    return mapper


class Controller:
    """Subclasses give `name`, `watches` and `reconcile`."""

    name = "controller"

    def __init__(self, client: Client, recorder: Recorder, now: Callable[[], datetime] | None = None) -> None:
        self.client = client
        self.recorder = recorder
        self.now = now or (lambda: datetime.now(UTC))

    def watches(self) -> Mapping[str, Mapper]:
        """Plural -> which keys to reconcile when an object of that kind changes."""
        raise NotImplementedError

    def initial(self) -> Iterable[Key]:
        """Keys to look at when the control plane starts; by default, what every existing object maps to."""
        for watched, mapper in self.watches().items():
            for plural in {kind.resource for kind in self.client.custom} if watched == CUSTOM else [watched]:
                for obj in self.client.list(plural):
                    yield from mapper(Event("ADDED", plural, obj, None))

    def reconcile(self, key: Key) -> float | Awaitable[float | None] | None:
        """Bring `key` closer to its spec; a number asks to be called again after so many seconds.

        Plain functions run to the end undisturbed; only work that must wait (files, the engine) is `async`.
        """
        raise NotImplementedError


class WorkQueue:
    """Keys that wait, deduplicated; delayed additions; back-off per key."""

    def __init__(self) -> None:
        self._waiting: dict[Key, None] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._filled = asyncio.Event()

    def add(self, key: Key) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._waiting[key] = None
        self._filled.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Add later; an earlier wish for the same key wins."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(seconds, 0)
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= at:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_at(at, self._due, key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def failed(self, key: Key) -> float:
        """Put `key` back after its back-off; the seconds come back."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay: float = min(BACKOFF_FIRST * 2**count, BACKOFF_CAP)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        self._failures.pop(key, None)

    async def get(self) -> Key:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        return key

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()


class Manager:
    """Runs controllers: one watch for all of them, one queue and one worker each; `caller` asks admission webhooks."""

    def __init__(self, client: Client, controllers: Sequence[Controller], caller: Caller | None = None) -> None:
        self._client = client
        self._caller = caller
        self._controllers = controllers
        self._queues = {controller.name: WorkQueue() for controller in controllers}

    async def run(self) -> None:
        """Until cancelled."""
        routes: dict[str, list[tuple[Mapper, WorkQueue]]] = {}
        for controller in self._controllers:
            for plural, mapper in controller.watches().items():
                routes.setdefault(plural, []).append((mapper, self._queues[controller.name]))
        events = self._client.watch(list(routes))
        for controller in self._controllers:
            for key in controller.initial():
                self._queues[controller.name].add(key)
        try:
            async with asyncio.TaskGroup() as tasks:
                for controller in self._controllers:
                    tasks.create_task(self._work(controller, tasks), name=controller.name)
                async for event in events:
                    for mapper, queue in routes[event.plural if event.plural in routes else CUSTOM]:
                        for key in mapper(event):
                            queue.add(key)
        finally:
            for queue in self._queues.values():
                queue.close()

    async def _work(self, controller: Controller, tasks: asyncio.TaskGroup) -> None:
        queue, user = self._queues[controller.name], _account(controller)
        reviews: dict[Key, Review] = {}  # of what waits for webhooks
        while True:
            key = await queue.get()
            review = reviews.pop(key, None) or self._review(user)
            if review is not None and review.waiting:
                reviews[key] = review
                continue  # it comes back with the answers
            try:
                with reviewed(review):
                    result = controller.reconcile(key)
                    again = await result if inspect.isawaitable(result) else result
            except Pending as pending:
                if review is not None:
                    reviews[key], review.waiting = review, True
                    tasks.create_task(self._settle(review, pending, queue, key))
            except Exception as error:
                self._log_failure(controller, key, error, queue.failed(key))
            else:
                queue.forget(key)
                if again is not None:
                    queue.add_after(key, again)
            await asyncio.sleep(0)

    def _review(self, user: Mapping[str, object]) -> Review | None:
        return Review(user, self._caller, of_client=False) if self._caller else None

    @staticmethod
    async def _settle(review: Review, pending: Pending, queue: WorkQueue, key: Key) -> None:
        try:
            await review.settle(pending)
        except StatusError as error:
            log.info("%s: %s", key, error)
            queue.failed(key)
        else:
            queue.add(key)

    @staticmethod
    def _log_failure(controller: Controller, key: Key, error: Exception, delay: float) -> None:
        where = "/".join(part for part in key if part)
        if isinstance(error, StatusError):
            log.info("%s: %s: %s; again in %.3f s", controller.name, where, error, delay)
        else:
            log.error("%s: %s failed; again in %.3f s", controller.name, where, delay, exc_info=error)


def _account(controller: Controller) -> Mapping[str, object]:
    """As whom webhooks see it."""
    groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
    return {"username": f"system:serviceaccount:kube-system:{controller.name}", "groups": groups}
