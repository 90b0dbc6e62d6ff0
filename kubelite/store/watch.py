"""What the store gives out: versions of objects, changes, and watches of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Container, Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from kubelite.objects.meta import Obj

_decode = msgspec.json.Decoder(dict).decode


class Stored:
    """One version of an object: its JSON bytes and, decoded when needed, the object itself (shared: don't change)."""

    __slots__ = ("_object", "name", "namespace", "raw", "revision")

    def __init__(self, namespace: str, name: str, revision: int, raw: bytes, obj: Obj | None = None) -> None:
        self.namespace = namespace
        self.name = name
        self.revision = revision
        self.raw = raw
        self._object = obj

    @property
    def object(self) -> Obj:
        if self._object is None:
            self._object = _decode(self.raw)
        return self._object

    def release(self) -> None:
        """Forget the decoded form; it comes back on demand."""
        self._object = None


@dataclass(frozen=True, slots=True)
class Change:
    """`now` is the new version, for DELETED the last one with the deletion's revision; `before` what it replaced."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: str
    now: Stored
    before: Stored | None

    @property
    def revision(self) -> int:
        return self.now.revision


class Watch(AsyncIterator[Change]):
    """Changes of some resources in order; ends when closed, by either side or because the reader fell far behind."""

    def __init__(
        self,
        resources: Container[str],
        backlog: Iterable[Change],
        closed: Callable[[Watch], None],
        most: int | None = None,
    ) -> None:
        self._when_closed = closed
        self._most = most
        self.resources = resources
        self._waiting = deque(backlog)
        self._filled = asyncio.Event()
        self._closed = False

    def push(self, change: Change) -> None:
        if self._most is not None and len(self._waiting) >= self._most:
            self._waiting.clear()
            self.close()
        else:
            self._waiting.append(change)
            self._filled.set()

    def close(self) -> None:
        self._closed = True
        self._filled.set()
        self._when_closed(self)

    async def __anext__(self) -> Change:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            await self._arrival()
        return self._waiting.popleft()

    async def batch(self) -> list[Change]:
        """Everything that is waiting, nothing after a `wake`; StopAsyncIteration when the watch has ended."""
        if not self._waiting and not self._closed:
            await self._arrival()
        if not self._waiting and self._closed:
            raise StopAsyncIteration
        changes = list(self._waiting)
        self._waiting.clear()
        return changes

    async def _arrival(self) -> None:
        self._filled.clear()
        await self._filled.wait()

    def wake(self) -> None:
        """Let `batch` return, for who has something else to do now."""
        self._filled.set()

    @property
    def idle(self) -> bool:
        return not self._waiting
