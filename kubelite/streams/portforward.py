"""The `portforward` subresource of pods: TCP connections to a pod's ports, many over one client connection.

Each forwarded connection is a pair of SPDY streams, data and error, raw or inside a WebSocket, as kubectl asks for it;
or, in the older WebSocket form of other clients, a pair of channels for each port of the query.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from kubelite.streams.forward import CONNECT_ERRORS, Connect, failure, forward, parse_port
from kubelite.streams.port_channels import PROTOCOLS, query_ports, serve_port_channels
from kubelite.streams.spdy_connection import SpdyConnection, SpdyStream, Wire
from kubelite.streams.upgrade import (
    MessageWire,
    Upgraded,
    is_websocket,
    negotiate,
    require_upgrade,
    subprotocols,
    upgrade_to_spdy,
    upgrade_to_websocket,
)

_PROTOCOL = "portforward.k8s.io"
_TUNNEL = f"SPDY/3.1+{_PROTOCOL}"
_PAIR_TIMEOUT = 30.0


async def serve_portforward(request: web.Request, connect: Connect, pod: str) -> web.StreamResponse:
    """Upgrade the request and forward; `connect` opens a connection to a port of the pod, `pod` names it in errors."""
    require_upgrade(request)
    if not is_websocket(request):
        wire = await upgrade_to_spdy(request, negotiate(request, (_PROTOCOL,)))
        await _Forwarder(connect, pod).serve(wire)
        return Upgraded()
    if _TUNNEL in subprotocols(request):
        socket = await upgrade_to_websocket(request, (_TUNNEL,))
        await _Forwarder(connect, pod).serve(MessageWire(socket))
        await socket.close()
        return socket
    ports = query_ports(request)
    socket = await upgrade_to_websocket(request, tuple(PROTOCOLS))
    await serve_port_channels(socket, ports, connect, pod)
    return socket


@dataclass(slots=True)
class _Pair:
    """The two streams of one forwarded connection, which arrive one after the other."""

    request_id: str
    streams: dict[str, SpdyStream] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, stream: SpdyStream) -> None:
        self.streams[stream.headers["streamtype"]] = stream
        if len(self.streams) == 2:
            self.complete.set()


class _Forwarder:
    """One client connection and its pairs of streams."""

    def __init__(self, connect: Connect, pod: str) -> None:
        self._connect = connect
        self._pod = pod
        self._pairs: dict[str, _Pair] = {}

    async def serve(self, wire: Wire) -> None:
        """Forward until the client has gone."""
        try:
            async with SpdyConnection(wire) as connection, asyncio.TaskGroup() as group:
                while stream := await connection.accept():
                    if not _is_valid(stream):
                        await connection.refuse(stream)
                        continue
                    request_id = _request_id(stream)
                    if request_id not in self._pairs:
                        pair = self._pairs[request_id] = _Pair(request_id)
                        group.create_task(self._serve_pair(connection, pair))
                    self._pairs[request_id].add(stream)
        except* ConnectionError:
            pass  # the client went

    async def _serve_pair(self, connection: SpdyConnection, pair: _Pair) -> None:
        try:
            async with asyncio.timeout(_PAIR_TIMEOUT):
                await _either(pair.complete, connection.lost)
            if pair.complete.is_set():
                await self._forward(pair.streams["data"], pair.streams["error"])
        except TimeoutError:
            await _fail(pair.streams.get("error"), f"request {pair.request_id}: timed out waiting for streams".encode())
        except ConnectionError:
            pass  # either side dropped this connection; the others go on
        finally:
            del self._pairs[pair.request_id]
            await _end(connection, pair)

    async def _forward(self, data: SpdyStream, error: SpdyStream) -> None:
        port = parse_port(data.headers["port"])
        try:
            target = await self._connect(port)
        except CONNECT_ERRORS as problem:
            await _fail(error, failure(port, self._pod, problem))
            return
        await forward(data, target)


async def _fail(stream: SpdyStream | None, text: bytes) -> None:
    try:
        if stream:
            await stream.write(text)
    except ConnectionError:
        pass  # nobody to tell


async def _end(connection: SpdyConnection, pair: _Pair) -> None:
    """Close what is still open of a pair, the error stream first as upstream does: its end tells of success."""
    try:
        for kind in ("error", "data"):
            if stream := pair.streams.get(kind):
                await stream.close()
                stream.incoming.discard()
    except ConnectionError:
        pass  # the client went
    connection.forget(*pair.streams.values())


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()


def _is_valid(stream: SpdyStream) -> bool:
    try:
        parse_port(stream.headers.get("port", ""))
    except ValueError:
        return False
    return stream.headers.get("streamtype") in ("data", "error")


def _request_id(stream: SpdyStream) -> str:
    """Old clients send none, but open the error stream right before the data stream."""
    if request_id := stream.headers.get("requestid"):
        return request_id
    return str(stream.stream_id - 2 if stream.headers["streamtype"] == "data" else stream.stream_id)
