"""exec and attach over both wires, against a process without an engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from kubelite.errors import StatusError
from kubelite.node.process import STDERR, STDOUT, ProcessFactory
from kubelite.node.runtime import EngineError
from kubelite.streams import pipe
from kubelite.streams.attach import serve_attach
from kubelite.streams.command import missing_container
from kubelite.streams.exec import serve_exec
from kubelite.streams.remote import StreamOptions
from kubelite.streams.session import terminal_sizes

ALL = "/exec?stdin=true&stdout=true&stderr=true"
V4 = "v4.channel.k8s.io"
NON_ZERO = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: Error executing in Docker Container: 7",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
}


async def cat(process: Any) -> int:
    while data := await process.stdin.get():
        await process.output.put((STDOUT, data))
    return 0


async def complain(process: Any) -> int:
    await process.output.put((STDOUT, b"out"))
    await process.output.put((STDERR, b"err"))
    return 7


async def forever(process: Any) -> int:
    await asyncio.Event().wait()
    return 0


async def flood(process: Any) -> int:
    while True:
        await process.output.put((STDOUT, bytes(64 * 1024)))
        process.flooded = getattr(process, "flooded", 0) + 64 * 1024


@pytest.fixture
def run(serve: Any, fake_process: Any) -> Callable[..., Awaitable[Any]]:
    """Serve exec (or attach) of a process with the given body; gives an HTTP client with its `processes`."""

    async def start(body: Any, serve_stream: Any = serve_exec) -> Any:
        processes: list[Any] = []

        async def factory() -> Any:
            processes.append(fake_process(body))
            client.started.set()
            return processes[-1]

        async def handler(request: web.Request) -> web.StreamResponse:
            answer: web.StreamResponse = await serve_stream(request, factory, StreamOptions.from_query(request.query))
            return answer

        client = await serve(handler)
        client.processes, client.started = processes, asyncio.Event()
        return client

    return start


async def spdy_streams(dial: Any, client: Any, path: str, *kinds: str, protocol: str = V4) -> Any:
    peer = await dial(client.server, path, protocol)
    for index, kind in enumerate(kinds):
        peer.send(peer.syn_stream(2 * index + 1, {"streamtype": kind}))
    return peer


async def channel_messages(socket: Any) -> tuple[dict[int, bytes], int]:
    """Everything until the server closes, by channel, and the close code."""
    received: dict[int, bytes] = {}
    while (message := await socket.receive()).type in (WSMsgType.BINARY, WSMsgType.TEXT):
        data = message.data if isinstance(message.data, bytes) else message.data.encode()
        received[data[0]] = received.get(data[0], b"") + data[1:]
    return received, socket.close_code


async def test_spdy_stdin_is_copied_until_its_half_close(run: Any, spdy_dial: Any) -> None:
    peer = await spdy_streams(spdy_dial, await run(cat), ALL, "error", "stdin", "stdout", "stderr")
    peer.send(peer.data(3, b"hello stdin\n") + peer.data(3, b"", fin=True))
    await peer.until(lambda peer: peer.goaway)
    assert peer.received == {5: b"hello stdin\n", 1: b'{"metadata":{},"status":"Success"}', 3: b"", 7: b""}
    assert peer.finished == {1, 3, 5, 7}
    await peer.close()


async def test_spdy_answers_with_the_first_protocol_both_know(run: Any, spdy_dial: Any) -> None:
    client = await run(cat)
    peer = await spdy_dial(client.server, ALL, "v5.channel.k8s.io", V4, "v3.channel.k8s.io")
    assert peer.head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n" in peer.head
    await peer.close()


async def test_spdy_exit_code_is_a_status(run: Any, spdy_dial: Any) -> None:
    peer = await spdy_streams(spdy_dial, await run(complain), "/exec?stdout=1&stderr=1", "error", "stdout", "stderr")
    await peer.until(lambda peer: peer.goaway)
    assert (peer.received[3], peer.received[5], json.loads(peer.received[1])) == (b"out", b"err", NON_ZERO)
    await peer.close()


async def test_oldest_protocol_gets_the_failure_as_text(run: Any, spdy_dial: Any) -> None:
    client = await run(complain)
    peer = await spdy_streams(spdy_dial, client, "/exec?stdout=1", "error", "stdout", protocol="channel.k8s.io")
    await peer.until(lambda peer: peer.goaway)
    assert peer.received[1] == str(NON_ZERO["message"]).encode()
    await peer.close()


async def test_spdy_ping_is_answered(run: Any, spdy_dial: Any) -> None:
    peer = await spdy_streams(spdy_dial, await run(cat), ALL, "error", "stdin", "stdout", "stderr")
    peer.send(peer.control(6, (5).to_bytes(4, "big")))
    answers: list[Any] = []
    while ("ping", 5) not in answers:
        answers += peer.frames(await peer.reader.read(1000))
    await peer.close()


async def test_spdy_resize_reaches_the_terminal(run: Any, spdy_dial: Any) -> None:
    client = await run(forever)
    path = "/exec?stdin=1&stdout=1&tty=1"
    peer = await spdy_streams(spdy_dial, client, path, "error", "stdin", "stdout", "resize")
    peer.send(peer.data(7, b'{"Width":0,"Height":0}\n') + peer.data(7, b'{"Width":97,"Height":31}\n'))
    await peer.until(lambda peer: bool(client.processes))
    await client.processes[0].resized.wait()
    assert client.processes[0].sizes == [(97, 31)]
    await peer.close()


async def test_spdy_client_that_vanishes_lets_go_of_the_process(run: Any, spdy_dial: Any) -> None:
    client = await run(forever)
    peer = await spdy_streams(spdy_dial, client, ALL, "error", "stdin", "stdout", "stderr")
    peer.send(peer.data(3, b"x"))
    await client.started.wait()
    peer.writer.transport.abort()
    await client.processes[0].closed.wait()


async def test_slow_spdy_client_slows_the_process_down(run: Any, spdy_dial: Any) -> None:
    client = await run(flood)
    peer = await spdy_streams(spdy_dial, client, "/exec?stdout=1", "error", "stdout")
    await assert_stalls(client)
    peer.writer.transport.abort()
    await client.processes[0].closed.wait()


async def assert_stalls(client: Any) -> None:
    """The process is held up after what the buffers on the way can take."""
    before = -1
    while not client.processes or (now := getattr(client.processes[0], "flooded", 0)) != before or not now:
        before = getattr(client.processes[0], "flooded", 0) if client.processes else -1
        await asyncio.sleep(0.2)
    assert before < 32 * 1024 * 1024


async def fill_up(peer: Any) -> None:
    for _ in range(32 * 16):
        peer.send(peer.data(3, bytes(64 * 1024)))
        await peer.writer.drain()


async def test_process_that_never_reads_slows_the_client_down_and_ends_with_it(
    run: Any, spdy_dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(process: Any) -> int:
        process.stdin = asyncio.Queue(maxsize=1)
        return await forever(process)

    monkeypatch.setattr(pipe, "PATIENCE", 0.05)
    client = await run(deaf)
    peer = await spdy_streams(spdy_dial, client, ALL, "error", "stdin", "stdout", "stderr")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fill_up(peer), 1)
    peer.writer.transport.abort()
    await client.processes[0].closed.wait()


async def test_client_that_breaks_the_protocol_is_told_goodbye(run: Any, spdy_dial: Any) -> None:
    peer = await spdy_dial((await run(cat)).server, ALL, V4)
    peer.send(peer.data(99, b"no such stream"))
    frames = peer.frames(await peer.reader.read())
    assert frames[0] == ("goaway", 0, 1)
    await peer.close()


async def test_websocket_v5_closes_stdin(run: Any) -> None:
    socket = await (await run(cat)).ws_connect(ALL, protocols=("v5.channel.k8s.io",))
    await socket.send_bytes(b"\x00hello")
    await socket.send_bytes(b"\xff\x00")
    assert await channel_messages(socket) == ({1: b"hello", 3: b'{"metadata":{},"status":"Success"}'}, 1000)


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_websocket_exit_code_is_a_status(run: Any, protocol: str) -> None:
    socket = await (await run(complain)).ws_connect(ALL, protocols=(protocol,))
    received, code = await channel_messages(socket)
    assert (received[1], received[2], json.loads(received[3]), code) == (b"out", b"err", NON_ZERO, 1000)


async def test_websocket_without_protocol_gets_the_failure_as_text(run: Any) -> None:
    received, _ = await channel_messages(await (await run(complain)).ws_connect(ALL))
    assert received[3] == str(NON_ZERO["message"]).encode()


async def test_websocket_base64(run: Any) -> None:
    socket = await (await run(complain)).ws_connect(ALL, protocols=("v4.base64.channel.k8s.io",))
    received, _ = await channel_messages(socket)
    assert (received[ord("1")], received[ord("2")]) == (b"b3V0", b"ZXJy")


async def test_websocket_text_messages_are_taken_as_bytes(run: Any) -> None:
    socket = await (await run(cat)).ws_connect(ALL, protocols=("v5.channel.k8s.io",))
    await socket.send_str("\x00hé")
    await socket.send_bytes(b"\xff\x00")
    received, _ = await channel_messages(socket)
    assert received[1] == "hé".encode()


async def test_websocket_resize_reaches_the_terminal(run: Any) -> None:
    client = await run(forever)
    socket = await client.ws_connect("/exec?stdin=1&stdout=1&tty=1", protocols=("v5.channel.k8s.io",))
    await socket.send_bytes(b'\x04{"Width":80,"Height":24}')
    await client.started.wait()
    await client.processes[0].resized.wait()
    assert client.processes[0].sizes == [(80, 24)]
    await socket.close()


@pytest.mark.parametrize(("protocol", "first"), [("v5.channel.k8s.io", b"\x01out"), ("v4.channel.k8s.io", b"\x01")])
async def test_websocket_greets_those_who_wait_for_it(run: Any, protocol: str, first: bytes) -> None:
    socket = await (await run(complain)).ws_connect(ALL, protocols=(protocol,))
    assert (await socket.receive()).data == first
    await socket.close()


async def test_websocket_client_that_closes_lets_go_of_the_process(run: Any) -> None:
    client = await run(forever)
    socket = await client.ws_connect(ALL, protocols=("v5.channel.k8s.io",))
    await client.started.wait()
    await socket.close()
    await client.processes[0].closed.wait()


async def test_slow_websocket_client_slows_the_process_down(run: Any) -> None:
    client = await run(flood)
    socket = await client.ws_connect("/exec?stdout=1", protocols=("v5.channel.k8s.io",))
    await assert_stalls(client)
    socket._response.connection.transport.abort()
    await client.processes[0].closed.wait()


async def test_attach_succeeds_however_the_container_ends(run: Any) -> None:
    socket = await (await run(complain, serve_attach)).ws_connect(ALL, protocols=("v5.channel.k8s.io",))
    received, _ = await channel_messages(socket)
    assert json.loads(received[3]) == {"metadata": {}, "status": "Success"}


async def test_process_that_cannot_start_is_an_internal_error(serve: Any) -> None:
    async def no_start() -> Any:
        raise EngineError("no such thing")

    start: ProcessFactory = no_start

    async def handler(request: web.Request) -> web.StreamResponse:
        return await serve_exec(request, start, StreamOptions.from_query(request.query))

    socket = await (await serve(handler)).ws_connect(ALL, protocols=("v5.channel.k8s.io",))
    received, _ = await channel_messages(socket)
    status = json.loads(received[3])
    text = "error executing command in container: no such thing"
    assert (status["reason"], status["code"]) == ("InternalError", 500)
    assert status["message"] == f"Internal error occurred: {text}"
    assert status["details"] == {"causes": [{"message": text}]}


async def test_plain_request_is_refused(run: Any) -> None:
    answer = await (await run(cat)).post(ALL)
    assert (answer.status, (await answer.json())["message"]) == (400, "Upgrade request required")


async def test_unknown_spdy_protocol_is_forbidden_and_the_known_are_listed(run: Any) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v9"}
    answer = await (await run(cat)).post(ALL, headers=headers)
    assert answer.status == 403
    assert "client supports [v9], server accepts [v4.channel.k8s.io" in await answer.text()
    assert answer.headers.getall("X-Accepted-Stream-Protocol-Versions")[0] == V4


async def test_spdy_without_protocol_is_refused(run: Any) -> None:
    answer = await (await run(cat)).post(ALL, headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1"})
    assert (await answer.json())["message"] == "unable to upgrade: X-Stream-Protocol-Version is required"


async def test_unknown_subprotocol_is_refused(run: Any) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": "v9"}
    answer = await (await run(cat)).get(ALL, headers=headers)
    assert (answer.status, (await answer.json())["reason"]) == (400, "BadRequest")


def test_terminal_has_no_separate_stderr() -> None:
    query = {"stdin": "true", "stdout": "true", "stderr": "true", "tty": "true"}
    assert StreamOptions.from_query(query) == StreamOptions(stdin=True, stdout=True, stderr=False, tty=True)


def test_request_for_no_stream_is_refused() -> None:
    with pytest.raises(StatusError, match="you must specify at least 1 of stdin, stdout, stderr"):
        StreamOptions.from_query({"tty": "true"})


@pytest.mark.parametrize(
    ("text", "sizes", "rest"),
    [
        (b'{"Width":80,"Height":24}\n{"Width":8', [(80, 24)], b'\n{"Width":8'),
        (b'{"Width":0,"Height":0}', [], b""),
        (b'{"Width":-1,"Height":"x"}{"Width":1,"Height":2}', [(1, 2)], b""),
    ],
)
def test_terminal_sizes_in_a_stream(text: bytes, sizes: list[tuple[int, int]], rest: bytes) -> None:
    assert terminal_sizes(text) == (sizes, rest)


async def test_container_that_does_not_run_is_told_as_each_client_understands(serve: Any) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        start = missing_container(request, "app")
        return await serve_exec(request, start, StreamOptions.from_query(request.query))

    client = await serve(handler)
    received, _ = await channel_messages(await client.ws_connect(ALL, protocols=("v5.channel.k8s.io",)))
    status = json.loads(received[3])
    why = 'unable to upgrade connection: container not found ("app")'
    assert (status["message"], status["code"]) == (f"Internal error occurred: {why}", 500)
    answer = await client.get(ALL)
    assert (answer.status, await answer.text()) == (500, 'container not found ("app")')
