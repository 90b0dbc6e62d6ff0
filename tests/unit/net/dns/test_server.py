"""The sockets, over loopback: real clients' bytes in, bytes out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from kubelite.net.dns import server as server_module
from kubelite.net.dns.index import Index
from kubelite.net.dns.model import Endpoint, Slice
from kubelite.net.dns.records import Zone
from kubelite.net.dns.resolver import Resolver
from kubelite.net.dns.server import Probe, TCPServer, UDPServer

WEB = "web.prod.svc.cluster.local"
LOCALHOST = "127.0.0.1"
Bind = Callable[[], tuple[socket.socket, socket.socket]]


class DeadUpstream:
    """Never answers, until let go."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def exchange(self, wire: bytes, over_tcp: bool) -> bytes | None:
        await self.over.wait()
        return None


@dataclass
class Running:
    port: int
    upstream: DeadUpstream
    tcp: TCPServer

    async def udp_query(self, name: str, qtype: str = "A") -> dns.message.Message:
        query = dns.message.make_query(name, qtype)
        return await dns.asyncquery.udp(query, LOCALHOST, port=self.port, timeout=5)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(LOCALHOST, self.port)


@pytest.fixture
async def running(index: Index, zone: Zone, bind: Bind) -> AsyncIterator[Running]:
    upstream = DeadUpstream()
    resolver = Resolver(index, zone, upstream)
    stream, datagram = bind()
    udp, tcp = UDPServer(resolver, datagram), TCPServer(resolver)
    await tcp.start(stream)
    yield Running(stream.getsockname()[1], upstream, tcp)
    upstream.over.set()
    await asyncio.gather(*resolver._tasks)
    udp.close()
    tcp.close()


def framed(*queries: dns.message.Message) -> bytes:
    return b"".join(len(wire).to_bytes(2, "big") + wire for wire in (query.to_wire() for query in queries))


async def next_reply(reader: asyncio.StreamReader) -> dns.message.Message:
    size = int.from_bytes(await reader.readexactly(2), "big")
    return dns.message.from_wire(await reader.readexactly(size))


async def test_udp_answers_the_same_at_first_and_from_memory(running: Running) -> None:
    answers = [(await running.udp_query(WEB)).answer for _ in range(3)]
    assert [str(rrsets[0]) for rrsets in answers] == [f"{WEB}. 5 IN A 10.254.0.10"] * 3


async def test_cluster_names_do_not_wait_for_a_dead_upstream(running: Running) -> None:
    foreign = [asyncio.create_task(running.udp_query("example.org")) for _ in range(20)]
    async with asyncio.timeout(1):
        for _ in range(20):
            assert (await running.udp_query(WEB)).answer
    assert not any(task.done() for task in foreign)
    running.upstream.over.set()
    assert {reply.rcode() for reply in await asyncio.gather(*foreign)} == {dns.rcode.SERVFAIL}


async def test_garbage_does_not_stop_the_server(running: Running) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        for wire in (b"", b"\0", b"\xff" * 4096, b"\0" * 12, dns.message.make_query(WEB, "A").to_wire()[:-1]):
            sock.sendto(wire, (LOCALHOST, running.port))
        assert (await running.udp_query(WEB)).answer


async def test_truncated_answer_is_whole_over_tcp(running: Running, index: Index) -> None:
    members = tuple(Endpoint.named(f"172.30.1.{n}") for n in range(100))
    index.put(Slice(("prod", "nobody-1"), "nobody", members))
    query = dns.message.make_query("nobody.prod.svc.cluster.local", "A")
    reply, used_tcp = await dns.asyncquery.udp_with_fallback(query, LOCALHOST, port=running.port, timeout=5)
    assert used_tcp
    assert len(reply.answer[0]) == 100


async def test_tcp_takes_several_questions_in_one_packet(running: Running) -> None:
    reader, writer = await running.connect()
    queries = [dns.message.make_query(WEB, "A", id=n) for n in (1, 2, 3)]
    writer.write(framed(*queries))
    assert [(await next_reply(reader)).id for _ in queries] == [1, 2, 3]
    writer.close()


async def test_tcp_takes_a_question_in_pieces(running: Running) -> None:
    reader, writer = await running.connect()
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in framed(dns.message.make_query(WEB, "A")):
        writer.write(bytes([octet]))
        await writer.drain()
    assert (await next_reply(reader)).answer
    writer.close()


async def test_tcp_client_that_says_it_is_done_still_gets_its_replies(running: Running) -> None:
    reader, writer = await running.connect()
    writer.write(framed(dns.message.make_query("example.org", "A"), dns.message.make_query(WEB, "A")))
    writer.write_eof()
    assert (await next_reply(reader)).answer
    running.upstream.over.set()
    assert (await next_reply(reader)).rcode() == dns.rcode.SERVFAIL
    assert await reader.read() == b""
    writer.close()


async def test_tcp_client_that_hangs_up_is_forgotten(running: Running) -> None:
    reader, writer = await running.connect()
    writer.write(framed(dns.message.make_query("example.org", "A"), dns.message.make_query(WEB, "A")))
    assert (await next_reply(reader)).answer
    writer.transport.abort()
    running.upstream.over.set()
    assert (await running.udp_query(WEB)).answer


async def test_tcp_client_that_sends_no_dns_is_cut_off(running: Running) -> None:
    reader, writer = await running.connect()
    writer.write(b"\0\4GET ")
    assert await reader.read() == b""
    writer.close()


async def test_idle_tcp_client_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.05)
    reader, writer = await running.connect()
    assert await reader.read() == b""
    writer.close()


async def test_tcp_connections_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 1)
    first, first_writer = await running.connect()
    first_writer.write(framed(dns.message.make_query(WEB, "A")))
    assert (await next_reply(first)).answer
    second, second_writer = await running.connect()
    assert await second.read() == b""
    first_writer.write(framed(dns.message.make_query(WEB, "A")))
    assert (await next_reply(first)).answer
    for writer in (first_writer, second_writer):
        writer.close()


@pytest.mark.parametrize(
    ("request_line", "ready", "status"),
    [
        ("GET /ready HTTP/1.1", False, 503),
        ("GET /ready HTTP/1.1", True, 200),
        ("GET /health HTTP/1.0", False, 200),
        ("GET / HTTP/1.1", True, 404),
        ("nonsense", True, 404),
    ],
)
async def test_probe(request_line: str, ready: bool, status: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Probe(lambda: ready), LOCALHOST, 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(f"{request_line}\r\n".encode())
    await writer.drain()
    writer.write(b"Host: here\r\n\r\n")
    response = (await reader.read()).decode()
    assert int(response.split()[1]) == status
    writer.close()
    server.close()
