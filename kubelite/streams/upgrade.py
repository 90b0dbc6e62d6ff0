"""From an HTTP request to a raw connection or a WebSocket: who asked for which, and which subprotocol.

Used by exec, attach and port-forward. Negotiation and refusals follow upstream's `httpstream.Handshake` and
`wsstream`; errors before the upgrade are ordinary answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import WSMsgType, hdrs, web

from kubelite.errors import bad_request

_PROTOCOL_HEADER = "X-Stream-Protocol-Version"
_ACCEPTED_HEADER = "X-Accepted-Stream-Protocol-Versions"
_SPDY = "SPDY/3.1"
_MAX_MESSAGE = 32 * 1024 * 1024  # the limit of upstream's WebSocket library
_CLOSE_TIMEOUT = 15 * 60.0  # a slow client may still have output to read before it answers the close


def is_websocket(request: web.Request) -> bool:
    return _asks_upgrade(request) and request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"


def require_upgrade(request: web.Request) -> None:
    """Refuse what is neither a WebSocket nor a SPDY request."""
    if is_websocket(request):
        return
    if not _asks_upgrade(request) or _SPDY.lower() not in request.headers.get(hdrs.UPGRADE, "").lower():
        raise bad_request("Upgrade request required")


def _asks_upgrade(request: web.Request) -> bool:
    return any("upgrade" in value.lower() for value in request.headers.getall(hdrs.CONNECTION, ()))


def negotiate(request: web.Request, supported: Sequence[str]) -> str:
    """The first protocol of the client's list that is served here."""
    offered = [
        name
        for value in request.headers.getall(_PROTOCOL_HEADER, ())
        for item in value.split(",")
        if (name := item.strip())
    ]
    if not offered:
        raise bad_request(f"unable to upgrade: {_PROTOCOL_HEADER} is required")
    chosen = next((name for name in offered if name in supported), None)
    if chosen is None:
        wanted, served = " ".join(offered), " ".join(supported)
        raise web.HTTPForbidden(
            text=f"unable to upgrade: unable to negotiate protocol: client supports [{wanted}], server accepts [{served}]",
            headers=[(_ACCEPTED_HEADER, name) for name in supported],
        )
    return chosen


class RawWire:
    """The connection below an HTTP request, with asyncio's own buffering and back-pressure."""

    def __init__(self, request: web.Request) -> None:
        transport, loop = request.transport, asyncio.get_running_loop()
        if transport is None:
            raise ConnectionResetError("client has gone")
        self._reader = asyncio.StreamReader(loop=loop)
        protocol = _TakenOver(self._reader, request.protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)

    async def receive(self) -> bytes:
        return await self._reader.read(256 * 1024)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.transport.abort()

    def finish(self) -> None:
        """Close once everything is sent."""
        self._writer.close()


class _TakenOver(asyncio.StreamReaderProtocol):
    """Reads in place of the HTTP protocol, which must still learn of the connection's end to forget it."""

    def __init__(self, reader: asyncio.StreamReader, http: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._http = http

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._http.connection_lost(exc)


class Upgraded(web.StreamResponse):
    """What a handler returns after it took the connection over: aiohttp must send nothing and close."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


async def upgrade_to_spdy(request: web.Request, protocol: str) -> RawWire:
    """Answer 101 and take the connection over. A client speaks only after the 101, so no byte of its can be lost
    in the HTTP parser."""
    wire = RawWire(request)
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        f"{hdrs.CONNECTION}: Upgrade",
        f"{hdrs.UPGRADE}: {_SPDY}",
        f"{_PROTOCOL_HEADER}: {protocol}",
    )
    await wire.send(("\r\n".join(lines) + "\r\n\r\n").encode())
    return wire


async def upgrade_to_websocket(request: web.Request, protocols: Sequence[str]) -> web.WebSocketResponse:
    """Answer 101 with the first subprotocol of the client's list that is served; none asked for is fine too."""
    socket = web.WebSocketResponse(
        protocols=protocols, compress=False, max_msg_size=_MAX_MESSAGE, timeout=_CLOSE_TIMEOUT
    )
    if (offered := subprotocols(request)) and not set(offered) & set(protocols):
        wanted, served = " ".join(offered), " ".join(protocols)
        raise bad_request(f"requested protocol(s) are not supported: [{wanted}]; supports [{served}]")
    await socket.prepare(request)
    return socket


def subprotocols(request: web.Request) -> list[str]:
    """The WebSocket subprotocols that the client offers."""
    return [item.strip() for item in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",") if item.strip()]


async def next_message(socket: web.WebSocketResponse) -> bytes | None:
    """The next message's bytes, text or binary; None when the client has closed or gone."""
    message = await socket.receive()
    if message.type is WSMsgType.TEXT:
        return str(message.data).encode()
    return bytes(message.data) if message.type is WSMsgType.BINARY else None


class MessageWire:
    """SPDY's bytes inside binary WebSocket messages."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> bytes:
        while (message := await next_message(self._socket)) is not None:
            if message:
                return message
        return b""

    async def send(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    def close(self) -> None:
        """The handler's return closes the socket."""
