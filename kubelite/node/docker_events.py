"""The engine's event stream as an async iterator. Called by docker_runtime.

A daemon thread reads the endless answer and hands each event to the loop. After a lost connection (the engine
restarted) it connects again, for ever, and announces a `resync`: whatever happened in between must be looked up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal, cast

import docker
import requests
import urllib3
from docker.errors import DockerException

from kubelite.node.runtime import EngineEvent

log = logging.getLogger(__name__)

KINDS = ("start", "die", "oom", "destroy")
RETRY_FIRST = 0.05
RETRY_CAP = 2.0


async def watch_events(
    client: docker.APIClient, filters: dict[str, list[str]], closing: threading.Event
) -> AsyncIterator[EngineEvent]:
    """Events of containers that pass `filters`, until `closing` is set or the iterator is dropped."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[EngineEvent] = asyncio.Queue()
    reader = _Reader(client, filters | {"type": ["container"], "event": list(KINDS)}, closing)

    def put(event: EngineEvent) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(queue.put_nowait, event)

    threading.Thread(target=reader.run, args=(put,), name="engine-events", daemon=True).start()
    try:
        while True:
            yield await queue.get()
    finally:
        reader.stop()


class _Reader:
    """The thread's side."""

    def __init__(self, client: docker.APIClient, filters: dict[str, list[str]], closing: threading.Event) -> None:
        self._client = client
        self._filters = filters
        self._closing = closing
        self._stream: Any = None
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        if self._stream is not None:
            with contextlib.suppress(Exception):  # the SDK digs for the socket and may find it gone
                self._stream.close()

    def run(self, put: Any) -> None:
        delay = RETRY_FIRST
        while not self._stopped and not self._closing.is_set():
            try:
                self._stream = self._client.events(decode=True, filters=self._filters)
                put(EngineEvent("resync"))
                delay = RETRY_FIRST
                for raw in self._stream:
                    put(_event(raw))
            except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                log.debug("engine events: %s", error)
            except (AttributeError, ValueError) as error:
                # A stream closed under its reader shows up as these in urllib3.
                log.debug("engine events: closed: %s", error)
            self._closing.wait(delay)
            delay = min(delay * 2, RETRY_CAP)


def _event(raw: dict[str, Any]) -> EngineEvent:
    kind = cast(Literal["start", "die", "oom", "destroy"], raw["Action"])
    at = datetime.fromtimestamp(raw.get("timeNano", 0) / 1e9, UTC)
    return EngineEvent(kind, raw["Actor"]["ID"], at)
