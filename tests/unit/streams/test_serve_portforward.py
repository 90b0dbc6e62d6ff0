"""port-forward in its three forms, to servers of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from kubelite.node.runtime import EngineError
from kubelite.streams.portforward import serve_portforward

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo_after_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only after the client's half-close: shows that it arrives, and that the way back stays open."""
    writer.write(b"got " + await reader.read())
    await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@pytest.fixture
async def pod() -> AsyncIterator[Callable[[Serve], Awaitable[int]]]:
    """Start a TCP server; gives its port."""
    servers: list[asyncio.Server] = []

    async def start(serve: Serve) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        servers.append(await asyncio.start_server(connected, "127.0.0.1", 0))
        port: int = servers[-1].sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def api(serve: Any) -> Any:
    async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_portforward(request, connect, "sandbox")

    return await serve(handler)


def open_pair(peer: Any, first_id: int, port: int, request_id: int) -> bytes:
    headers = {"port": str(port), "requestid": str(request_id)}
    error = peer.syn_stream(first_id, {"streamtype": "error", **headers}, fin=True)
    data: bytes = peer.syn_stream(first_id + 2, {"streamtype": "data", **headers})
    return bytes(error) + data


async def test_half_closes_both_ways(api: Any, pod: Any, spdy_dial: Any) -> None:
    port = await pod(echo_after_end)
    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    peer.send(open_pair(peer, 1, port, 0) + peer.data(3, b"question") + peer.data(3, b"", fin=True))
    await peer.until(lambda peer: peer.finished == {1, 3})
    assert peer.received == {3: b"got question", 1: b""}
    await peer.close()


async def test_connections_are_independent(api: Any, pod: Any, spdy_dial: Any) -> None:
    port = await pod(echo)
    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    payloads = {4 * n + 3: bytes([n]) * 200_000 for n in range(10)}
    for data_id, payload in payloads.items():
        peer.send(open_pair(peer, data_id - 2, port, data_id) + peer.data(data_id, payload))
    await peer.until(lambda peer: all(len(peer.received.get(i, b"")) == 200_000 for i in payloads))
    assert {i: peer.received[i] for i in payloads} == payloads
    await peer.close()


async def test_pair_without_request_id_is_matched_by_stream_number(api: Any, pod: Any, spdy_dial: Any) -> None:
    port = await pod(echo_after_end)
    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    for stream_id, kind in ((1, "error"), (3, "data")):
        peer.send(peer.syn_stream(stream_id, {"streamtype": kind, "port": str(port)}))
    peer.send(peer.data(3, b"x", fin=True))
    await peer.until(lambda peer: peer.received.get(3) == b"got x")
    await peer.close()


async def test_port_nobody_listens_on_is_told_on_the_error_stream(api: Any, spdy_dial: Any) -> None:
    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    peer.send(open_pair(peer, 1, 1, 0))
    await peer.until(lambda peer: peer.finished == {1, 3})
    assert peer.received[1].startswith(b"error forwarding port 1 to pod sandbox, uid : ")
    await peer.close()


async def test_pod_that_cannot_be_reached_at_all_is_told_too(serve: Any, spdy_dial: Any) -> None:
    async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise EngineError("no sandbox")

    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_portforward(request, connect, "sandbox")

    peer = await spdy_dial((await serve(handler)).server, "/portforward", PROTOCOL)
    peer.send(open_pair(peer, 1, 80, 0))
    await peer.until(lambda peer: peer.finished == {1, 3})
    assert peer.received[1] == b"error forwarding port 80 to pod sandbox, uid : no sandbox"
    await peer.close()


async def test_reset_by_the_client_closes_the_pods_connection(api: Any, pod: Any, spdy_dial: Any) -> None:
    closed = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ready")
        await reader.read()
        closed.set()

    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    peer.send(open_pair(peer, 1, await pod(watch), 0))
    await peer.until(lambda peer: peer.received.get(3) == b"ready")
    peer.send(peer.reset(3))
    await closed.wait()
    await peer.close()


async def test_client_that_vanishes_closes_the_pods_connections(api: Any, pod: Any, spdy_dial: Any) -> None:
    closed = asyncio.Event()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ready")
        await reader.read()
        closed.set()

    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    peer.send(open_pair(peer, 1, await pod(watch), 0))
    await peer.until(lambda peer: peer.received.get(3) == b"ready")
    peer.writer.transport.abort()
    await closed.wait()


@pytest.mark.parametrize(
    "headers",
    [
        {"streamtype": "data"},
        {"streamtype": "data", "port": "0"},
        {"streamtype": "data", "port": "99999"},
        {"streamtype": "stdin", "port": "80"},
    ],
)
async def test_stream_with_wrong_headers_is_refused(api: Any, spdy_dial: Any, headers: dict[str, str]) -> None:
    peer = await spdy_dial(api.server, "/portforward", PROTOCOL)
    peer.send(peer.syn_stream(1, headers))
    await peer.until(lambda peer: peer.resets == {1})
    await peer.close()


async def test_spdy_inside_a_websocket(api: Any, pod: Any, spdy_peer: Any) -> None:
    port = await pod(echo_after_end)
    socket = await api.ws_connect("/portforward", protocols=(TUNNEL,))
    assert socket.protocol == TUNNEL
    sent = open_pair(spdy_peer, 1, port, 0) + spdy_peer.data(3, b"hi") + spdy_peer.data(3, b"", fin=True)
    for at in range(0, len(sent), 7):
        await socket.send_bytes(sent[at : at + 7])
    frames: list[Any] = []
    while ("data", 3, b"", True) not in frames:
        frames += spdy_peer.frames(await socket.receive_bytes())
    assert ("data", 3, b"got hi", False) in frames
    await socket.close()


async def test_websocket_channels_carry_the_port_first(api: Any, pod: Any) -> None:
    first, second = await pod(echo), await pod(echo)
    path = f"/portforward?ports={first},{second}"
    socket = await api.ws_connect(path, protocols=("v4.channel.k8s.io",))
    announced = [await socket.receive_bytes() for _ in range(4)]
    assert announced == [bytes([channel]) + (first, second)[channel // 2].to_bytes(2, "little") for channel in range(4)]
    await socket.send_bytes(b"\x02to the second")
    assert await socket.receive_bytes() == b"\x02to the second"
    await socket.send_bytes(b"\x00to the first")
    assert await socket.receive_bytes() == b"\x00to the first"
    await socket.close()


async def test_websocket_channels_end_with_the_pods_connection(api: Any, pod: Any) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")

    port = await pod(greet)
    socket = await api.ws_connect(f"/portforward?ports={port}", protocols=("v4.channel.k8s.io",))
    messages = [message.data async for message in socket if message.type is WSMsgType.BINARY]
    assert (messages[2:], socket.close_code) == ([b"\x00bye"], 1000)


async def test_websocket_channels_tell_of_a_port_nobody_listens_on(api: Any) -> None:
    socket = await api.ws_connect("/portforward?ports=1", protocols=("v4.channel.k8s.io",))
    messages = [message.data async for message in socket if message.type is WSMsgType.BINARY]
    assert messages[-1].startswith(b"\x01error forwarding port 1 to pod sandbox")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", 'query parameter "port" is required'),
        ("?ports=http", 'unable to parse "http" as a port'),
        ("?ports=0", 'port "0" must be > 0'),
    ],
)
async def test_websocket_with_wrong_ports_is_refused(api: Any, query: str, message: str) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    answer = await api.get(f"/portforward{query}", headers=headers)
    assert (answer.status, (await answer.json())["message"]) == (400, message)


async def test_plain_request_is_refused(api: Any) -> None:
    assert (await api.post("/portforward")).status == 400
