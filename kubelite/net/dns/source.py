"""Keeps the index like the API's Services, EndpointSlices and Namespaces. Called by `__main__`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from kubelite.net.dns.index import Index
from kubelite.net.dns.model import KINDS
from kubelite.net.watch import Access, Change, Follower


class Source:
    """Threads follow the kinds, the event loop changes the index; `changed` when an answer may be another one now."""

    def __init__(self, access: Access, index: Index, changed: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._index = index
        self._changed = changed
        self._followers = [Follower(access, kind, self._post) for kind in KINDS]

    def start(self) -> None:
        for follower in self._followers:
            follower.start()

    def close(self) -> None:
        for follower in self._followers:
            follower.close()

    def _post(self, change: Change) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._apply, change)

    def _apply(self, change: Change) -> None:
        if change(self._index):
            self._changed()
