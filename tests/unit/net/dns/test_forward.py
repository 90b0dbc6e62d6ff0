"""Asking the host's resolvers: order, failures, loops, time limits. Fake servers on loopback."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from kubelite.net.dns import forward
from kubelite.net.dns.forward import Address, Forwarder, ResolvConf, nameservers

QUERY = dns.message.make_query("Example.ORG", "A", id=7)
Change = Callable[[dns.message.Message], object]
Bind = Callable[[], tuple[socket.socket, socket.socket]]


class FakeServer(asyncio.DatagramProtocol):
    """A resolver that knows one address, and can be made to misbehave."""

    def __init__(self, address: str) -> None:
        self.known = address
        self.asked = 0
        self.ids: list[int] = []
        self.silent = False
        self.change: Change = lambda reply: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    @property
    def at(self) -> Address:
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.asked += 1
        reply = self.reply(data)
        if not self.silent:
            self.change(reply)
            self.transport.sendto(reply.to_wire(), addr)

    def reply(self, data: bytes) -> dns.message.Message:
        query = dns.message.from_wire(data)
        self.ids.append(query.id)
        reply = dns.message.make_response(query, recursion_available=True)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", self.known))
        return reply

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = self.reply(await reader.readexactly(struct.unpack(">H", await reader.readexactly(2))[0])).to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        await reader.read()
        writer.close()


@pytest.fixture
async def one(bind: Bind) -> AsyncIterator[FakeServer]:
    async for server in started("192.0.2.1", bind):
        yield server


@pytest.fixture
async def two(bind: Bind) -> AsyncIterator[FakeServer]:
    async for server in started("192.0.2.2", bind):
        yield server


async def closing() -> None:
    """Let the event loop carry out what `close` has asked for."""
    await asyncio.sleep(0)


async def started(address: str, bind: Bind) -> AsyncIterator[FakeServer]:
    loop = asyncio.get_running_loop()
    stream, datagram = bind()
    transport, server = await loop.create_datagram_endpoint(lambda: FakeServer(address), sock=datagram)
    tcp = await asyncio.start_server(server.serve_tcp, sock=stream)
    yield server
    tcp.close()
    transport.close()
    await closing()


@pytest.fixture
async def servers() -> list[Address]:
    return []


@pytest.fixture
async def forwarder(servers: list[Address]) -> AsyncIterator[Forwarder]:
    forwarder = Forwarder(lambda: servers)
    yield forwarder
    forwarder.close()
    await closing()


@pytest.fixture
def nobody() -> Address:
    """An address where nothing listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
    return host, port


async def ask(forwarder: Forwarder, over_tcp: bool = False) -> str:
    """The address a forwarder finds, or the reply's code."""
    wire = await forwarder.exchange(QUERY.to_wire(), over_tcp)
    if wire is None:
        return "nothing"
    reply = dns.message.from_wire(wire)
    assert reply.id == QUERY.id
    return str(reply.answer[0][0]) if reply.answer else dns.rcode.to_text(reply.rcode())


async def test_first_server_is_asked(
    forwarder: Forwarder, servers: list[Address], one: FakeServer, two: FakeServer
) -> None:
    servers += [one.at, two.at]
    assert await ask(forwarder) == "192.0.2.1"
    assert two.asked == 0


async def test_questions_under_way_have_ids_of_their_own(
    forwarder: Forwarder, servers: list[Address], one: FakeServer
) -> None:
    servers += [one.at]
    assert await asyncio.gather(*(ask(forwarder) for _ in range(50))) == ["192.0.2.1"] * 50
    assert len(set(one.ids)) == 50


async def test_next_server_at_once_when_nobody_listens(
    forwarder: Forwarder, servers: list[Address], nobody: Address, two: FakeServer
) -> None:
    servers += [nobody, two.at]
    async with asyncio.timeout(forward.SERVER_SECONDS / 2):
        assert await ask(forwarder) == "192.0.2.2"


async def test_silent_server_is_asked_last_until_it_answers_again(
    forwarder: Forwarder,
    servers: list[Address],
    one: FakeServer,
    two: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forward, "SERVER_SECONDS", 0.05)
    servers += [one.at, two.at]
    one.silent = True
    assert [await ask(forwarder) for _ in range(3)] == ["192.0.2.2"] * 3
    assert one.asked == 1
    one.silent, two.silent = False, True
    assert [await ask(forwarder) for _ in range(3)] == ["192.0.2.1"] * 3


async def test_all_silent_ends_within_the_limit(
    forwarder: Forwarder,
    servers: list[Address],
    one: FakeServer,
    two: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forward, "TOTAL_SECONDS", 0.1)
    servers += [one.at, two.at]
    one.silent = two.silent = True
    assert await ask(forwarder) == "nothing"


async def test_no_servers_no_reply(forwarder: Forwarder) -> None:
    assert await ask(forwarder) == "nothing"


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_failure_of_one_server_is_told_only_if_no_other_answers(
    forwarder: Forwarder, servers: list[Address], one: FakeServer, two: FakeServer, rcode: dns.rcode.Rcode
) -> None:
    def fail(reply: dns.message.Message) -> None:
        reply.answer.clear()
        reply.set_rcode(rcode)

    one.change = fail
    servers += [one.at, two.at]
    assert await ask(forwarder) == "192.0.2.2"
    servers.pop()
    assert await ask(forwarder) == dns.rcode.to_text(rcode)


async def test_name_error_is_an_answer(
    forwarder: Forwarder, servers: list[Address], one: FakeServer, two: FakeServer
) -> None:
    def deny(reply: dns.message.Message) -> None:
        reply.answer.clear()
        reply.set_rcode(dns.rcode.NXDOMAIN)

    one.change = deny
    servers += [one.at, two.at]
    assert await ask(forwarder) == "NXDOMAIN"


def cut(reply: dns.message.Message) -> None:
    reply.answer.clear()
    reply.flags |= dns.flags.TC


async def test_truncated_reply_is_asked_for_again_over_tcp_for_a_tcp_client(
    forwarder: Forwarder, servers: list[Address], one: FakeServer
) -> None:
    one.change = cut
    servers += [one.at]
    assert await ask(forwarder, over_tcp=True) == "192.0.2.1"


async def test_truncated_reply_is_passed_on_to_a_udp_client(
    forwarder: Forwarder, servers: list[Address], one: FakeServer
) -> None:
    one.change = cut
    servers += [one.at]
    wire = await forwarder.exchange(QUERY.to_wire(), over_tcp=False)
    assert wire is not None
    assert dns.message.from_wire(wire).flags & dns.flags.TC


async def test_reply_to_another_question_is_ignored(
    forwarder: Forwarder, servers: list[Address], one: FakeServer, two: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mislead(reply: dns.message.Message) -> None:
        reply.question = dns.message.make_query("example.com", "A").question

    monkeypatch.setattr(forward, "SERVER_SECONDS", 0.05)
    one.change = mislead
    servers += [one.at, two.at]
    assert await ask(forwarder) == "192.0.2.2"


async def test_questions_under_way_are_bounded(
    forwarder: Forwarder, servers: list[Address], one: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "MAX_IN_FLIGHT", 2)
    servers += [one.at]
    replies = await asyncio.gather(*(ask(forwarder) for _ in range(5)))
    assert sorted(replies) == ["192.0.2.1"] * 2 + ["nothing"] * 3
    assert await ask(forwarder) == "192.0.2.1"


async def test_server_that_comes_back_is_used_again(
    forwarder: Forwarder, servers: list[Address], nobody: Address
) -> None:
    servers += [nobody]
    assert await ask(forwarder) == "nothing"
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: FakeServer("192.0.2.3"), local_addr=nobody)
    assert await ask(forwarder) == "192.0.2.3"
    transport.close()
    await closing()


def test_nameservers_of_a_resolv_conf() -> None:
    text = """
        # nameserver 192.0.2.1
        nameserver 192.0.2.2   # office
        nameserver fe80::1%eth0
        nameserver 172.30.0.2
        nameserver not-an-address
        nameserver
        search example.org
        options ndots:1
    """
    assert nameservers(text, lambda address: address == "172.30.0.2") == [("192.0.2.2", 53), ("fe80::1%eth0", 53)]


def test_resolv_conf_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    servers = ResolvConf(path, lambda address: False)
    assert servers() == []
    path.write_text("nameserver 192.0.2.1\n")
    assert servers() == [("192.0.2.1", 53)]
    (tmp_path / "new").write_text("nameserver 192.0.2.2\n")
    os.replace(tmp_path / "new", path)
    assert servers() == [("192.0.2.2", 53)]
    path.unlink()
    assert servers() == []
