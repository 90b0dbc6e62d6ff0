"""A SPDY connection as asyncio streams, over anything that carries bytes in order (a `Wire`).

Used by exec and attach (raw connections) and by port-forward (raw, or inside WebSocket messages). When one stream's
reader is slow the whole connection waits, as with upstream's library: the protocol's windows are not in use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from kubelite.streams.pipe import Pipe
from kubelite.streams.spdy import (
    Codec,
    DataReceived,
    Event,
    GoAwayStatus,
    GoneAway,
    PingReceived,
    RemoteProtocolError,
    ResetStatus,
    StreamOpened,
    StreamReset,
)

_OWN_PING = 2  # a server's pings have even numbers; its answer says nothing of interest
FINISH_TIMEOUT = 15 * 60.0  # upstream's patience with a client that neither reads nor closes


class Wire(Protocol):
    """Bytes both ways, in order."""

    async def receive(self) -> bytes:
        """What arrived; b"" when the client has gone."""

    async def send(self, data: bytes) -> None:
        """Send, and wait while the client is slow; raises ConnectionError when it has gone."""

    def close(self) -> None:
        """Drop the connection."""


class SpdyStream:
    """One stream that the client opened."""

    def __init__(self, connection: SpdyConnection, stream_id: int, headers: Mapping[str, str]) -> None:
        self.stream_id = stream_id
        self.headers = headers
        self.aborted = asyncio.Event()  # reset by the client, or the connection is lost
        self.incoming = Pipe()
        self._connection = connection
        self._open = True

    async def read(self) -> bytes:
        """What the client sent; b"" after its half-close."""
        return await self.incoming.read()

    async def write(self, data: bytes) -> None:
        """Send; raises ConnectionError when the client no longer wants it."""
        if self.aborted.is_set():
            raise ConnectionResetError("stream was reset")
        await self._connection.send(self._connection.codec.data(self.stream_id, data))

    async def close(self) -> None:
        """Half-close: this side has no more to send."""
        if self._open and not self.aborted.is_set():
            self._open = False
            await self._connection.send(self._connection.codec.data(self.stream_id, b"", fin=True))

    async def reset(self) -> None:
        """End both directions."""
        self.incoming.discard()
        if not self.aborted.is_set():
            self.abort()
            await self._connection.send(self._connection.codec.reset(self.stream_id))

    def abort(self) -> None:
        self.aborted.set()
        self.incoming.end()


class SpdyConnection:
    """`async with` runs it; `accept` gives the streams one by one, and None once the client has gone."""

    def __init__(self, wire: Wire) -> None:
        self.codec = Codec()
        self.lost = asyncio.Event()
        self._wire = wire
        self._streams: dict[int, SpdyStream] = {}
        self._opened: asyncio.Queue[SpdyStream | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self.lost.is_set():
                await self._finish()
        except (ConnectionError, TimeoutError):
            pass  # it has gone, or reads no more: either way there is nobody to be polite to
        finally:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._wire.close()

    async def _finish(self) -> None:
        """Say goodbye and let the client close: closing first, with its data unread, would reset the connection and
        lose the output that is still on its way."""
        for stream in self._streams.values():
            stream.incoming.discard()
        await self.send(self.codec.go_away())
        async with asyncio.timeout(FINISH_TIMEOUT):
            await self.lost.wait()

    async def accept(self) -> SpdyStream | None:
        return await self._opened.get()

    async def send(self, data: bytes) -> None:
        await self._wire.send(data)

    async def _run(self) -> None:
        try:
            while data := await self._wire.receive():
                for event in self.codec.feed(data):
                    await self._handle(event)
        except RemoteProtocolError:
            await self.send(self.codec.go_away(GoAwayStatus.PROTOCOL_ERROR))
        finally:
            self._lose()

    def _lose(self) -> None:
        self.lost.set()
        for stream in self._streams.values():
            stream.abort()
        self._opened.put_nowait(None)

    async def _handle(self, event: Event) -> None:
        match event:
            case StreamOpened(stream_id, headers, fin):
                stream = self._streams[stream_id] = SpdyStream(self, stream_id, headers)
                await self.send(self.codec.reply(stream_id))
                if fin:
                    stream.incoming.end()
                self._opened.put_nowait(stream)
            case DataReceived(stream_id, data, fin):
                if receiver := self._streams.get(stream_id):
                    await self._deliver(receiver, data, fin)
            case StreamReset(stream_id):
                if dropped := self._streams.pop(stream_id, None):
                    dropped.abort()
            case PingReceived(ping_id):
                await self.send(self.codec.ping(ping_id))
            case GoneAway():
                pass  # the client closes the connection once its streams are done

    async def _deliver(self, stream: SpdyStream, data: bytes, fin: bool) -> None:
        stream.incoming.write(data)
        if fin:
            stream.incoming.end()
        await stream.incoming.room(meanwhile=self._ping)

    async def _ping(self) -> None:
        await self.send(self.codec.ping(_OWN_PING))

    async def refuse(self, stream: SpdyStream) -> None:
        """Turn a stream down."""
        stream.abort()
        await self.send(self.codec.reset(stream.stream_id, ResetStatus.REFUSED_STREAM))

    def forget(self, *streams: SpdyStream) -> None:
        """Both sides are done with these."""
        for stream in streams:
            self._streams.pop(stream.stream_id, None)
