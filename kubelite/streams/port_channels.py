"""Port-forward in its older WebSocket form: for each port of the query a data and an error channel.

Other clients than kubectl use it. Each channel's first message is its port, as 16 bits in little-endian order; there
is one connection to each port and no half-close.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

from aiohttp import web

from kubelite.errors import bad_request
from kubelite.streams.channels import PORT_FORWARD, UNNAMED, ChannelData, ChannelError, ChannelProtocol
from kubelite.streams.forward import CONNECT_ERRORS, Connect, failure, forward, parse_port
from kubelite.streams.pipe import Pipe
from kubelite.streams.upgrade import next_message

PROTOCOLS = {protocol.name: protocol for protocol in PORT_FORWARD}


def query_ports(request: web.Request) -> list[int]:
    """The ports of the query: repeated, or separated by commas."""
    texts = [text for value in request.query.getall("ports", ()) for text in value.split(",")]
    if not texts:
        raise bad_request('query parameter "port" is required')
    try:
        return [parse_port(text) for text in texts]
    except ValueError as error:
        raise bad_request(str(error)) from error


class _PortChannel:
    """The data and error channel of one port."""

    def __init__(self, socket: web.WebSocketResponse, protocol: ChannelProtocol, index: int, port: int) -> None:
        self.port = port
        self.incoming = Pipe()
        self.aborted = asyncio.Event()
        self._socket = socket
        self._protocol = protocol
        self._data_channel, self._error_channel = 2 * index, 2 * index + 1

    async def open(self) -> None:
        announcement = struct.pack("<H", self.port)
        await self._send(self._data_channel, announcement)
        await self._send(self._error_channel, announcement)

    async def read(self) -> bytes:
        return await self.incoming.read()

    async def write(self, data: bytes) -> None:
        await self._send(self._data_channel, data)

    async def close(self) -> None:
        self.aborted.set()  # the protocol can't say it; the connection is over

    async def fail(self, text: bytes) -> None:
        await self._send(self._error_channel, text)

    async def _send(self, channel: int, data: bytes) -> None:
        message = self._protocol.encode(channel, data)
        if self._protocol.binary:
            await self._socket.send_bytes(message)
        else:
            await self._socket.send_str(message.decode())


async def serve_port_channels(socket: web.WebSocketResponse, ports: Sequence[int], connect: Connect, pod: str) -> None:
    """Forward until every port's connection has ended or the client has gone."""
    protocol = PROTOCOLS.get(socket.ws_protocol or "", UNNAMED)
    channels = [_PortChannel(socket, protocol, index, port) for index, port in enumerate(ports)]
    pump = asyncio.create_task(_dispatch(socket, protocol, channels))
    try:
        for channel in channels:
            await channel.open()
        await asyncio.gather(*(_serve(channel, connect, pod) for channel in channels))
    except ConnectionError:
        return  # the client went
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
    await socket.close()


async def _serve(channel: _PortChannel, connect: Connect, pod: str) -> None:
    try:
        target = await connect(channel.port)
    except CONNECT_ERRORS as error:
        await channel.fail(failure(channel.port, pod, error))
        return
    try:
        await forward(channel, target)
    except OSError:
        return  # either side reset the connection
    finally:
        channel.incoming.discard()


async def _dispatch(socket: web.WebSocketResponse, protocol: ChannelProtocol, channels: Sequence[_PortChannel]) -> None:
    try:
        while (message := await next_message(socket)) is not None:
            match protocol.decode(message):
                case ChannelData(number, data) if number % 2 == 0 and number // 2 < len(channels):
                    pipe = channels[number // 2].incoming
                    pipe.write(data)
                    await pipe.room(meanwhile=socket.pong)
    except (ChannelError, ConnectionError):
        pass  # who can't be understood has gone
    finally:
        for channel in channels:
            channel.incoming.end()
            channel.aborted.set()
