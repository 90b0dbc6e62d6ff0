"""One forwarded connection: bytes both ways between a client's stream and a pod's port, half-closes kept.

Used by both forms of port-forward.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from kubelite.errors import StatusError
from kubelite.node.runtime import EngineError

Target = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[int], Awaitable[Target]]
CONNECT_ERRORS = (OSError, EngineError, StatusError)  # what `Connect` may raise; the text is for the user

_CHUNK = 64 * 1024


class Peer(Protocol):
    """The client's side of one connection."""

    aborted: asyncio.Event

    async def read(self) -> bytes:
        """What the client sent; b"" after its half-close."""

    async def write(self, data: bytes) -> None:
        """Send; raises ConnectionError when the client no longer wants it."""

    async def close(self) -> None:
        """Half-close: the pod has no more to send."""


async def forward(peer: Peer, target: Target) -> None:
    """Copy until both directions have ended or either side has dropped the connection."""
    reader, writer = target
    copies = asyncio.gather(_upload(peer, writer), _download(reader, peer))
    aborted = asyncio.create_task(peer.aborted.wait())
    try:
        await asyncio.wait((copies, aborted), return_when=asyncio.FIRST_COMPLETED)
        if copies.done():
            copies.result()
    finally:
        writer.close()
        for task in (copies, aborted):
            task.cancel()
        await asyncio.gather(copies, aborted, return_exceptions=True)


async def _upload(peer: Peer, writer: asyncio.StreamWriter) -> None:
    while data := await peer.read():
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _download(reader: asyncio.StreamReader, peer: Peer) -> None:
    while data := await reader.read(_CHUNK):
        await peer.write(data)
    await peer.close()


def failure(port: int, pod: str, error: Exception) -> bytes:
    """Upstream's words for a port that could not be reached."""
    return f"error forwarding port {port} to pod {pod}, uid : {error}".encode()


def parse_port(text: str) -> int:
    """A port as clients write it; ValueError carries upstream's words."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError(f'unable to parse "{text}" as a port')
    if int(text) < 1:
        raise ValueError(f'port "{text}" must be > 0')
    return int(text)
