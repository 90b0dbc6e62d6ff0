"""Clients and processes for the stream tests: a SPDY client written against the draft, and processes without an
engine."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from kubelite.errors import StatusError
from kubelite.streams.spdy_dictionary import DICTIONARY

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Frame = tuple[Any, ...]


class SpdyPeer:
    """The client's half of the codec, from the draft's frame layouts."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(6, zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = b""

    @staticmethod
    def control(kind: int, payload: bytes, flags: int = 0) -> bytes:
        return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(payload)) + payload

    def headers(self, headers: dict[str, str]) -> bytes:
        plain = struct.pack(">I", len(headers))
        for word in (word.encode() for pair in headers.items() for word in pair):
            plain += struct.pack(">I", len(word)) + word
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def syn_stream(self, stream_id: int, headers: dict[str, str], fin: bool = False) -> bytes:
        return self.control(1, struct.pack(">IIBB", stream_id, 0, 0, 0) + self.headers(headers), int(fin))

    @staticmethod
    def data(stream_id: int, payload: bytes, fin: bool = False) -> bytes:
        return struct.pack(">II", stream_id, int(fin) << 24 | len(payload)) + payload

    def reset(self, stream_id: int) -> bytes:
        return self.control(3, struct.pack(">II", stream_id, 5))

    def frames(self, data: bytes) -> list[Frame]:
        """What the server sent: ("data", id, payload, fin), ("reply", id), ("reset", id, status), ("ping", n), …"""
        self._buffer += data
        found: list[Frame] = []
        while len(self._buffer) >= 8:
            head, tail = struct.unpack_from(">II", self._buffer)
            size, flags = tail & 0xFFFFFF, tail >> 24
            if len(self._buffer) < 8 + size:
                break
            payload, self._buffer = self._buffer[8 : 8 + size], self._buffer[8 + size :]
            if not head & 0x80000000:
                found.append(("data", head, payload, bool(flags & 1)))
            else:
                found.append(self._control_frame(head & 0xFFFF, payload))
        return found

    def _control_frame(self, kind: int, payload: bytes) -> Frame:
        if kind == 2:
            self._inflate.decompress(payload[4:])
            return ("reply", struct.unpack_from(">I", payload)[0])
        names = {3: "reset", 6: "ping", 7: "goaway"}
        return (names[kind], *struct.unpack(f">{len(payload) // 4}I", payload))


class SpdyClient(SpdyPeer):
    """A client on a raw connection to a server under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        super().__init__()
        self.reader, self.writer, self.head = reader, writer, head
        self.received: dict[int, bytes] = {}
        self.finished: set[int] = set()
        self.resets: set[int] = set()
        self.goaway = False

    @classmethod
    async def dial(cls, server: TestServer, path: str, *protocols: str) -> SpdyClient:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        offers = "".join(f"X-Stream-Protocol-Version: {protocol}\r\n" for protocol in protocols)
        lines = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        writer.write(f"{lines}{offers}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer, head.decode())

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until(self, done: Callable[[SpdyClient], bool]) -> None:
        """Read until the condition holds; the connection's end is an error."""
        while not done(self):
            data = await self.reader.read(65536)
            assert data, "server closed the connection"
            for frame in self.frames(data):
                self._take(frame)

    def _take(self, frame: Frame) -> None:
        match frame:
            case ("data", stream_id, payload, fin):
                self.received[stream_id] = self.received.get(stream_id, b"") + payload
                self.finished |= {stream_id} if fin else set()
            case ("reset", stream_id, _status):
                self.resets.add(stream_id)
            case ("goaway", *_):
                self.goaway = True

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


class FakeProcess:
    """A process as a script: `body(process)` reads `process.stdin` and puts output; its result is the exit code."""

    def __init__(self, body: Callable[[FakeProcess], Awaitable[int]]) -> None:
        self.stdin: asyncio.Queue[bytes] = asyncio.Queue()
        self.output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(maxsize=4)
        self.sizes: list[tuple[int, int]] = []
        self.resized = asyncio.Event()
        self.closed = asyncio.Event()
        self._task = asyncio.create_task(self._run(body))

    async def _run(self, body: Callable[[FakeProcess], Awaitable[int]]) -> int:
        code = await body(self)
        await self.output.put(None)
        return code

    async def read(self) -> tuple[int, bytes] | None:
        return await self.output.get()

    async def write(self, data: bytes) -> None:
        await self.stdin.put(data)

    async def close_stdin(self) -> None:
        await self.stdin.put(b"")

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))
        self.resized.set()

    async def wait(self) -> int:
        return await self._task

    async def close(self) -> None:
        self.closed.set()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
def spdy_peer() -> SpdyPeer:
    return SpdyPeer()


@pytest.fixture
def spdy_dial() -> Callable[..., Awaitable[SpdyClient]]:
    return SpdyClient.dial


@pytest.fixture
def fake_process() -> type[FakeProcess]:
    return FakeProcess


@web.middleware
async def _status_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except StatusError as error:
        return web.json_response(error.to_status(), status=error.code)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[TestClient[web.Request, web.Application]]]]:
    """Serve one handler at every path; gives an HTTP client of it."""
    clients: list[TestClient[web.Request, web.Application]] = []

    async def start(handler: Handler) -> TestClient[web.Request, web.Application]:
        app = web.Application(middlewares=[_status_errors])
        app.router.add_route("*", "/{path:.*}", handler)
        clients.append(TestClient(TestServer(app)))
        await clients[-1].start_server()
        return clients[-1]

    yield start
    for client in clients:
        await client.close()
