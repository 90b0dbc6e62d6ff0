"""The client's end of exec and attach, the same for both wires: what it sends and what it is sent.

`kubelite.streams.session` runs a process against a `Remote`; here are its two forms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec
from aiohttp import web

from kubelite.errors import bad_request
from kubelite.node.process import STDOUT
from kubelite.streams.channels import Channel, ChannelClosed, ChannelData, ChannelError, ChannelProtocol
from kubelite.streams.pipe import Pipe
from kubelite.streams.spdy_connection import SpdyConnection, SpdyStream
from kubelite.streams.upgrade import next_message

SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_RESIZING = SPDY_PROTOCOLS[:2]
_JSON_STATUS = SPDY_PROTOCOLS[:1]
_STREAMS_TIMEOUT = 30.0

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Which streams the client wants."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> StreamOptions:
        """From the query of an exec or attach request; a terminal has no separate stderr."""
        stdin, stdout, stderr, tty = (
            query.get(name, "").lower() in ("true", "1", "t") for name in ("stdin", "stdout", "stderr", "tty")
        )
        if not (stdin or stdout or stderr):
            raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
        return cls(stdin, stdout, stderr and not tty, tty)


class Remote(Protocol):
    """One client. `resize` carries JSON objects; sending raises ConnectionError when the client has gone."""

    lost: asyncio.Event
    stdin: Pipe
    resize: Pipe

    async def write(self, stream: int, data: bytes) -> None:
        """Output of the process; waits while the client is slow."""

    async def finish(self, status: Status) -> None:
        """The outcome, then the end of all streams."""


class SpdyRemote:
    """A client with one SPDY stream for each of stdin, stdout, stderr, error and resize."""

    def __init__(self, lost: asyncio.Event, protocol: str, streams: Mapping[str, SpdyStream]) -> None:
        self.lost = lost
        self.stdin = streams["stdin"].incoming if "stdin" in streams else Pipe()
        self.resize = streams["resize"].incoming if "resize" in streams else Pipe()
        self._protocol = protocol
        self._streams = streams

    @classmethod
    async def open(cls, connection: SpdyConnection, protocol: str, options: StreamOptions) -> SpdyRemote:
        """Wait for the streams that the request announced."""
        resizes = options.tty and protocol in _RESIZING
        expected = 1 + sum((options.stdin, options.stdout, options.stderr, resizes))
        streams: dict[str, SpdyStream] = {}
        async with asyncio.timeout(_STREAMS_TIMEOUT):
            while len(streams) < expected:
                stream = await connection.accept()
                if stream is None:
                    raise ConnectionResetError("client went before it opened its streams")
                streams[stream.headers.get("streamtype", "")] = stream
        return cls(connection.lost, protocol, streams)

    async def write(self, stream: int, data: bytes) -> None:
        if target := self._streams.get("stdout" if stream == STDOUT else "stderr"):
            await target.write(data)

    async def finish(self, status: Status) -> None:
        payload = error_payload(status, self._protocol in _JSON_STATUS)
        if payload and "error" in self._streams:
            await self._streams["error"].write(payload)
        for stream in self._streams.values():
            await stream.close()


class ChannelRemote:
    """A client with numbered channels in one WebSocket; `async with` reads from it, and closes it at the end."""

    def __init__(self, socket: web.WebSocketResponse, protocol: ChannelProtocol, options: StreamOptions) -> None:
        self.lost = asyncio.Event()
        self.stdin = Pipe()
        self.resize = Pipe()
        self._socket = socket
        self._protocol = protocol
        self._options = options

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        if error is None:
            await self._socket.close()

    async def greet(self) -> None:
        """An empty message, as upstream sends it: tells waiting clients that the connection stands.

        Those of v5 don't wait: kubectl 1.30 to 1.32 starts to read before it has its streams, and complains on stderr
        of a message that is there that early.
        """
        if self._protocol.closes_channels:
            return
        first = Channel.STDOUT if self._options.stdout else Channel.STDERR if self._options.stderr else Channel.ERROR
        await self._send(first, b"")

    async def _run(self) -> None:
        try:
            while (message := await next_message(self._socket)) is not None:
                match self._protocol.decode(message):
                    case ChannelData(Channel.STDIN, data) if self._options.stdin:
                        self.stdin.write(data)
                        # kubectl gives up after a minute without a pong, and its pings wait unread
                        await self.stdin.room(meanwhile=self._socket.pong)
                    case ChannelData(Channel.RESIZE, data):
                        self.resize.write(data)
                    case ChannelClosed(Channel.STDIN):
                        self.stdin.end()
        except (ChannelError, ConnectionError):
            pass  # who can't be understood has gone
        finally:
            self.stdin.end()
            self.lost.set()

    async def write(self, stream: int, data: bytes) -> None:
        if self._options.stdout if stream == STDOUT else self._options.stderr:
            await self._send(stream, data)

    async def finish(self, status: Status) -> None:
        self.stdin.discard()
        if payload := error_payload(status, self._protocol.json_status):
            await self._send(Channel.ERROR, payload)

    async def _send(self, channel: int, data: bytes) -> None:
        message = self._protocol.encode(channel, data)
        if self._protocol.binary:
            await self._socket.send_bytes(message)
        else:
            await self._socket.send_str(message.decode())


def error_payload(status: Status, as_json: bool) -> bytes:
    """What the error stream carries: a Status, or only the text of a failure in the older protocols."""
    if as_json:
        return msgspec.json.encode(status)
    return b"" if status["status"] == "Success" else str(status["message"]).encode()
