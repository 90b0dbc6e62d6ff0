"""The `log` subresource of pods: a container's log as one endless text answer, or in the messages of a WebSocket."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from kubelite.streams.upgrade import is_websocket, next_message, upgrade_to_websocket

_BASE64 = "base64.binary.k8s.io"
_PROTOCOLS = ("binary.k8s.io", _BASE64)


async def serve_logs(
    request: web.Request, chunks: AsyncGenerator[bytes, None], *, limit_bytes: int | None = None
) -> web.StreamResponse:
    """Send the log as it comes, up to `limit_bytes`, and stop reading it when the client goes."""
    limited = chunks if limit_bytes is None else _first_bytes(chunks, limit_bytes)
    async with aclosing(chunks), aclosing(limited):
        if is_websocket(request):
            return await _send_messages(request, limited)
        return await _send_text(request, limited)


async def _first_bytes(chunks: AsyncGenerator[bytes, None], left: int) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


async def _send_text(request: web.Request, chunks: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    try:
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    except ConnectionError:
        pass  # the client went
    return response


async def _send_messages(request: web.Request, chunks: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    """After an empty message, which tells that the connection stands, each chunk is one."""
    socket = await upgrade_to_websocket(request, _PROTOCOLS)
    sending = asyncio.create_task(_copy(chunks, socket))
    listening = asyncio.create_task(_until_closed(socket))
    try:
        await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sending.cancel()
        listening.cancel()
        await asyncio.gather(sending, listening, return_exceptions=True)
    await socket.close()
    return socket


async def _copy(chunks: AsyncGenerator[bytes, None], socket: web.WebSocketResponse) -> None:
    await _send(socket, b"")
    async for chunk in chunks:
        await _send(socket, chunk)


async def _send(socket: web.WebSocketResponse, data: bytes) -> None:
    if socket.ws_protocol == _BASE64:
        await socket.send_str(base64.b64encode(data).decode())
    else:
        await socket.send_bytes(data)


async def _until_closed(socket: web.WebSocketResponse) -> None:
    while await next_message(socket) is not None:
        pass
