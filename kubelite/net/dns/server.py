"""The sockets of the name server: UDP, TCP, and the readiness probe's HTTP.

Called by `__main__`. UDP is read straight from the socket, a batch per wake-up, because that is twice as fast as
a datagram protocol; a kept answer goes out without anything else being looked at.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from kubelite.net.dns.resolver import Resolver

BATCH = 64
MAX_DATAGRAM = 4096
RECEIVE_BUFFER = 1 << 20
MAX_CONNECTIONS = 256
IDLE_SECONDS = 10.0
HTTP_HEAD_LIMIT = 8192

Client = tuple[Any, ...]


class UDPServer:
    """Answers datagrams on one bound socket."""

    def __init__(self, resolver: Resolver, sock: socket.socket) -> None:
        self._resolver = resolver
        self._socket = sock
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        asyncio.get_running_loop().add_reader(sock, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        """Ends when nothing more is there to read; a reply that can't be sent is lost, as datagrams are."""
        kept, receive, send = self._resolver.kept, self._socket.recvfrom, self._socket.sendto
        with suppress(OSError):
            for _ in range(BATCH):
                wire, client = receive(MAX_DATAGRAM)
                replies = kept.get(wire[2:])
                if replies is not None:
                    send(wire[:2] + next(replies), client)
                else:
                    self._resolver.answer(wire, partial(self._send, client))

    def _send(self, client: Client, reply: bytes) -> None:
        with suppress(OSError):
            self._socket.sendto(reply, client)


class TCPServer:
    """Answers streams of messages, each behind its length (RFC 7766); replies may overtake each other."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.connections: set[TCPConnection] = set()

    async def start(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: TCPConnection(self), sock=sock)

    def close(self) -> None:
        self._server.close()
        for connection in tuple(self.connections):
            connection.transport.abort()


class TCPConnection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: TCPServer) -> None:
        self._server = server
        self._received = bytearray()
        self._unanswered = 0
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)
        self._idle = self._start_idling()
        if len(self._server.connections) > MAX_CONNECTIONS:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._idle.cancel()
        self._idle = self._start_idling()
        self._received += data
        while (end := 2 + int.from_bytes(self._received[:2], "big")) <= len(self._received):
            wire = bytes(self._received[2:end])
            del self._received[:end]
            self._unanswered += 1
            if not self._server.resolver.answer(wire, self._reply, over_tcp=True):
                self.transport.close()

    def eof_received(self) -> bool:
        """A client that has sent all it wants still reads: stay until it has its replies."""
        self._ended = True
        return self._unanswered > 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.cancel()
        self._server.connections.discard(self)

    def _reply(self, reply: bytes) -> None:
        self._unanswered -= 1
        if not self.transport.is_closing():
            self.transport.write(len(reply).to_bytes(2, "big") + reply)
            if self._ended and not self._unanswered:
                self.transport.close()

    def _start_idling(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(IDLE_SECONDS, self.transport.close)


class Probe(asyncio.Protocol):
    """HTTP for the kubelet: `/ready` once the records are known, `/health` always."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._transport.write(self._response(self._head.split(b" ", 2)[1:2]))
            self._transport.close()
        elif len(self._head) > HTTP_HEAD_LIMIT:
            self._transport.close()

    def _response(self, path: list[bytes]) -> bytes:
        if path == [b"/health"] or (path == [b"/ready"] and self._ready()):
            status, body = b"200 OK", b"OK"
        elif path == [b"/ready"]:
            status, body = b"503 Service Unavailable", b"waiting for the API"
        else:
            status, body = b"404 Not Found", b""
        length = str(len(body)).encode()
        return b"HTTP/1.1 %b\r\nContent-Length: %b\r\nConnection: close\r\n\r\n%b" % (status, length, body)
