"""A bounded pipe of bytes between two tasks: what makes a fast client wait for a slow reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

LIMIT = 256 * 1024
PATIENCE = 5.0


class Pipe:
    """`write` never blocks, so a reader's end can't lose data; callers await `room` before they take in more."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def write(self, data: bytes) -> None:
        """Add data; silently dropped after the end, as nobody reads it."""
        if self._ended or not data:
            return
        self._pieces.append(data)
        self._size += len(data)
        self._readable.set()
        if self._size >= self._limit:
            self._writable.clear()

    def end(self) -> None:
        """No more will come: the reader gets what is there, then b""."""
        self._ended = True
        self._readable.set()

    def discard(self) -> None:
        """The reader has gone: forget what is there and hold up nobody."""
        self.end()
        self._pieces.clear()
        self._size = 0
        self._writable.set()

    async def room(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """Wait until less than the limit is waiting to be read. `meanwhile` is called every few seconds: who waits here
        doesn't read from its client, and learns only by writing to it that it has gone."""
        while not self._writable.is_set():
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._writable.wait()
            except TimeoutError:
                await meanwhile()

    async def read(self) -> bytes:
        """Everything that is there, at least one byte; b"" at the end."""
        await self._readable.wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._writable.set()
        if not self._ended:
            self._readable.clear()
        return data
