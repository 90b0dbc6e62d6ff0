"""Foreign names: questions are passed to the host's resolvers and their replies back, unread.

Called by `resolver`. A server that failed is asked last until it answers again; nothing here is waited for by
cluster names.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import dns.flags
import dns.rcode

Address = tuple[str, int]

PORT = 53
SERVER_SECONDS = 2.0
TOTAL_SECONDS = 4.5
"""Less than the 5 s after which most clients ask again."""
MAX_IN_FLIGHT = 1000


def nameservers(resolv_conf: str, is_own: Callable[[str], bool]) -> list[Address]:
    """The servers a resolv.conf names, without those that would lead back here."""
    servers = []
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver" and _is_address(words[1]) and not is_own(words[1]):
            servers.append((words[1], PORT))
    return servers


class ResolvConf:
    """The servers of a resolv.conf file, read again when it changes."""

    def __init__(self, path: Path, is_own: Callable[[str], bool]) -> None:
        self._path = path
        self._is_own = is_own
        self._stamp: tuple[int, int, int] | None = None
        self._servers: list[Address] = []

    def __call__(self) -> list[Address]:
        try:
            status = os.stat(self._path)
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._servers = nameservers(self._path.read_text(), self._is_own)
                self._stamp = stamp
        except OSError:
            self._servers, self._stamp = [], None
        return self._servers


class Forwarder:
    """Asks one server after the other until one gives a useful reply."""

    def __init__(self, servers: Callable[[], Sequence[Address]]) -> None:
        self._servers = servers
        self._links: dict[Address, _Link] = {}
        self._failing: set[Address] = set()
        self._in_flight = 0
        self._opening = asyncio.Lock()

    async def exchange(self, wire: bytes, over_tcp: bool) -> bytes | None:
        """The reply to a question, under the question's ID; None when no server gives one."""
        if self._in_flight >= MAX_IN_FLIGHT:
            return None
        self._in_flight += 1
        try:
            return await self._ask_each(wire, over_tcp)
        finally:
            self._in_flight -= 1

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()

    async def _ask_each(self, wire: bytes, over_tcp: bool) -> bytes | None:
        """A server's own failure is passed on only when no other server does better."""
        worst = None
        with suppress(TimeoutError):
            async with asyncio.timeout(TOTAL_SECONDS):
                for server in sorted(self._servers(), key=self._failing.__contains__):
                    reply = await self._ask(server, wire, over_tcp)
                    if reply and reply[3] & 0xF not in (dns.rcode.SERVFAIL, dns.rcode.REFUSED):
                        return reply
                    worst = reply or worst
        return worst

    async def _ask(self, server: Address, wire: bytes, over_tcp: bool) -> bytes | None:
        try:
            async with asyncio.timeout(SERVER_SECONDS):
                reply = await (await self._link(server)).ask(wire)
                if over_tcp and int.from_bytes(reply[2:4], "big") & dns.flags.TC:
                    reply = await _ask_over_tcp(server, wire)
        except (OSError, EOFError, TimeoutError):
            self._failing.add(server)
            return None
        self._failing.discard(server)
        return reply

    async def _link(self, server: Address) -> _Link:
        async with self._opening:
            link = self._links.get(server)
            if link is None or link.closed:
                loop = asyncio.get_running_loop()
                _, link = await loop.create_datagram_endpoint(_Link, remote_addr=server)
                self._links[server] = link
            return link


class _Link(asyncio.DatagramProtocol):
    """A connected socket to one server; questions under way are told apart by IDs chosen here."""

    closed = False

    def __init__(self) -> None:
        self._waiting: dict[bytes, tuple[bytes, asyncio.Future[bytes]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    async def ask(self, wire: bytes) -> bytes:
        ident = random.randbytes(2)
        while ident in self._waiting:
            ident = random.randbytes(2)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[ident] = _question(wire), future
        try:
            self._transport.sendto(ident + wire[2:])
            return wire[:2] + await future
        finally:
            del self._waiting[ident]

    def datagram_received(self, data: bytes, addr: object) -> None:
        question, future = self._waiting.get(data[:2], (b"", None))
        if future and not future.done() and len(data) >= 12 and _question(data) == question:
            future.set_result(data[2:])

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: don't wait for the time-out."""
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.error_received(exc or ConnectionResetError())

    def close(self) -> None:
        self._transport.close()


async def _ask_over_tcp(server: Address, wire: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(wire).to_bytes(2, "big") + wire)
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.close()
    if len(reply) < 12 or reply[:2] != wire[:2]:
        raise ConnectionError(f"{server[0]} answered another question")
    return reply


def _question(wire: bytes) -> bytes:
    """The question section as far as its name and type: the letter case may differ in a reply."""
    end = 12
    while end < len(wire) and wire[end]:
        end += wire[end] + 1
    return wire[12 : end + 5].lower()


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
