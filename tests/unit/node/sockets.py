"""Servers on this machine that answer as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HERE = "127.0.0.1"


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(handle, HERE, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answering(*responses: str, seen: list[str] | None = None) -> Serve:
    """A server that gives these answers, one for each connection."""
    left = list(responses)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(65536)
        if seen is not None:
            seen.append(request.decode(errors="replace"))
        writer.write(left.pop(0).replace("\n", "\r\n").encode())

    return serve
