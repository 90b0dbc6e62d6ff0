"""The engine's event stream as an async iterator. Called by docker_runtime.

After a lost connection (the engine restarted) it connects again, for ever, and announces a `resync`: whatever
happened in between must be looked up.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from docker import DockerClient

from kubelite.node.docker_connection import Connection, connect
from kubelite.node.runtime import EngineError, EngineEvent

log = logging.getLogger(__name__)

KINDS = ("die", "destroy")
RETRY_FIRST = 0.05
RETRY_CAP = 2.0


async def watch_events(client: DockerClient, labels: list[str]) -> AsyncGenerator[EngineEvent, None]:
    """Events of containers that carry all `labels`, until the iterator is dropped."""
    filters = {"label": labels, "type": ["container"], "event": list(KINDS)}
    path = f"/events?{urlencode({'filters': json.dumps(filters)})}"
    delay = RETRY_FIRST
    while True:
        try:
            connection = await connect(client, "GET", path, None)
        except EngineError as error:
            log.info("engine events: %s", error)
        else:
            delay = RETRY_FIRST
            yield EngineEvent("resync")
            async for event in _read(connection):
                yield event
            log.info("engine events: the engine closed the stream")
            yield EngineEvent("lost")
        await asyncio.sleep(delay)
        delay = min(delay * 2, RETRY_CAP)


async def _read(connection: Connection) -> AsyncGenerator[EngineEvent, None]:
    try:
        while line := await connection.reader.readline():
            if line.strip():
                yield _event(json.loads(line))
    except OSError as error:
        log.info("engine events: %s", error)
    finally:
        connection.close()


def _event(raw: dict[str, Any]) -> EngineEvent:
    at = datetime.fromtimestamp(raw.get("timeNano", 0) / 1e9, UTC)
    return EngineEvent("die" if raw["Action"] == "die" else "destroy", raw["Actor"]["ID"], at)
