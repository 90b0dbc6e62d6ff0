"""The engine's side of streams: exec, attach, logs and connections into a pod's network, on real containers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import docker
import pytest

from kubelite.engine import images
from kubelite.node import docker_streams as streams
from kubelite.node.pod_network import connect_to_pod
from kubelite.node.runtime import EngineError, NoSuchContainer
from tests.docker.running_cluster import eventually

LABELS = {"kubelite.cluster": "streams-test"}
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    images.ensure(client, ("tools",))
    yield client
    client.close()


@pytest.fixture(scope="module")
def idle(engine: docker.DockerClient) -> Iterator[str]:
    """A container that does nothing."""
    container = engine.containers.run(images.TOOLS, ["sleep", "infinity"], labels=LABELS, init=True, detach=True)
    yield container.id
    container.remove(force=True)


@pytest.fixture
def run(engine: docker.DockerClient) -> Iterator[Run]:
    """Run a shell script in a container of its own."""
    made = []

    def start(script: str, **options: Any) -> Any:
        container = engine.containers.run(images.TOOLS, ["sh", "-c", script], labels=LABELS, detach=True, **options)
        made.append(container)
        return container

    yield start
    for container in made:
        container.remove(force=True)


async def execute(engine: Any, container: str, *command: str, stdin: bytes | None = None, tty: bool = False) -> Any:
    """Output by stream, and the exit code."""
    process = await streams.exec_process(
        engine, container, list(command), stdin=stdin is not None, stdout=True, stderr=True, tty=tty
    )
    feeding = asyncio.create_task(feed(process, stdin))
    output = await collect(process)
    code = await process.wait()
    await feeding
    await process.close()
    return output, code


async def feed(process: Any, data: bytes | None) -> None:
    if data is not None:
        with contextlib.suppress(ConnectionError):
            await process.write(data)
            await process.close_stdin()


async def collect(process: Any) -> dict[int, bytes]:
    output: dict[int, bytes] = {}
    while piece := await process.read():
        output[piece[0]] = output.get(piece[0], b"") + piece[1]
    return output


async def read_log(log: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in log])


async def test_exec_separates_output_and_gives_the_exit_code(engine: Any, idle: str) -> None:
    script = "echo out; echo err >&2; exit 7"
    assert await execute(engine, idle, "sh", "-c", script) == ({1: b"out\n", 2: b"err\n"}, 7)


async def test_exec_ends_stdin(engine: Any, idle: str) -> None:
    assert await execute(engine, idle, "cat", stdin=b"abc") == ({1: b"abc"}, 0)


async def test_exec_copies_much_data_exactly(engine: Any, idle: str) -> None:
    data = bytes(range(256)) * 80_000
    assert await execute(engine, idle, "cat", stdin=data) == ({1: data}, 0)


async def test_exec_of_a_short_command_loses_nothing(engine: Any, idle: str) -> None:
    for _ in range(20):
        assert await execute(engine, idle, "echo", "hi") == ({1: b"hi\n"}, 0)


async def test_exec_with_a_terminal_knows_its_size(engine: Any, idle: str) -> None:
    process = await streams.exec_process(engine, idle, ["sh"], stdin=True, stdout=True, stderr=True, tty=True)
    await process.resize(97, 31)
    await process.write(b"stty size; exit 3\n")
    output = await collect(process)
    assert (await process.wait(), b"31 97\r\n" in output[1]) == (3, True)
    await process.close()


async def test_exec_passes_control_p_on_at_once(engine: Any, idle: str) -> None:
    process = await streams.exec_process(
        engine, idle, ["sh", "-c", "stty raw; head -c 1"], stdin=True, stdout=True, stderr=False, tty=True
    )
    await process.write(b"\x10")
    assert b"\x10" in (await collect(process))[1]
    await process.close()


async def test_exec_of_a_missing_command_says_so(engine: Any, idle: str) -> None:
    output, code = await execute(engine, idle, "no-such-command")
    assert code in (126, 127)
    assert b"executable file not found" in output[1]


async def test_exec_in_a_stopped_container_is_refused(engine: Any, run: Run) -> None:
    container = run("exit 0")
    container.wait()
    with pytest.raises(EngineError, match=r"failed to exec in container - .* is not running"):
        await execute(engine, container.id, "true")


async def test_exec_in_no_container_is_not_found(engine: Any) -> None:
    with pytest.raises(NoSuchContainer):
        await execute(engine, "no-such-container", "true")


async def test_exec_that_is_let_go_leaves_the_command_running(engine: Any, run: Run) -> None:
    container = run("sleep infinity")
    command = ["sh", "-c", "echo started; exec sleep 1234"]
    process = await streams.exec_process(
        engine, container.id, command, stdin=False, stdout=True, stderr=True, tty=False
    )
    assert await process.read() == (1, b"started\n")
    await process.close()
    assert any("1234" in process[-1] for process in container.top()["Processes"])


async def test_attach_gets_output_from_now_on_and_feeds_stdin(engine: Any, run: Run) -> None:
    container = run("while read line; do echo got $line; done", stdin_open=True)
    process = await streams.attach(engine, container.id, stdin=True, stdout=True, stderr=True, tty=False)
    await process.write(b"one\n")
    assert await process.read() == (1, b"got one\n")
    await process.close()


async def test_attach_ends_with_the_container(engine: Any, run: Run) -> None:
    container = run("read line; echo bye >&2; exit 3", stdin_open=True)
    process = await streams.attach(engine, container.id, stdin=True, stdout=True, stderr=True, tty=False)
    await process.write(b"\n")
    assert (await collect(process), await process.wait()) == ({2: b"bye\n"}, 0)
    await process.close()


async def test_attach_to_a_container_that_was_started_for_it_misses_nothing(engine: Any) -> None:
    command = ["sh", "-c", "echo early; read line; echo late"]
    container = engine.api.create_container(images.TOOLS, command, labels=LABELS, stdin_open=True)["Id"]
    engine.api.start(container)
    eventually(lambda: engine.api.logs(container))
    process = await streams.attach(engine, container, stdin=True, stdout=True, stderr=True, tty=False)
    await process.write(b"\n")
    assert await collect(process) == {1: b"early\nlate\n"}
    await process.close()
    engine.api.remove_container(container, force=True)


async def test_attach_to_a_container_that_has_ended_is_refused(engine: Any, run: Run) -> None:
    container = run("exit 1")
    container.wait()
    with pytest.raises(EngineError, match="container not running"):
        await streams.attach(engine, container.id, stdin=True, stdout=True, stderr=True, tty=False)


async def test_attach_without_a_terminal_to_a_container_that_has_one(engine: Any, run: Run) -> None:
    container = run("read line; echo bye", stdin_open=True, tty=True)
    process = await streams.attach(engine, container.id, stdin=True, stdout=True, stderr=True, tty=False)
    await process.write(b"\n")
    assert (await collect(process))[1].endswith(b"bye\r\n")
    await process.close()


async def test_log_keeps_the_order_of_both_streams(engine: Any, run: Run) -> None:
    container = run("for n in 1 2 3; do echo out$n; sleep 0.02; echo err$n >&2; sleep 0.02; done")
    container.wait()
    log = await read_log(await streams.logs(engine, container.id))
    assert log == b"out1\nerr1\nout2\nerr2\nout3\nerr3\n"


@pytest.mark.parametrize(("tail", "lines"), [(2, b"4\n5\n"), (0, b""), (99, b"1\n2\n3\n4\n5\n")])
async def test_log_tail(engine: Any, run: Run, tail: int, lines: bytes) -> None:
    container = run("seq 5")
    container.wait()
    assert await read_log(await streams.logs(engine, container.id, tail=tail)) == lines


async def test_log_timestamps_stand_once_before_each_line(engine: Any, run: Run) -> None:
    container = run("echo short; head -c 40000 /dev/zero | tr '\\0' x; echo; echo end")
    container.wait()
    log = await read_log(await streams.logs(engine, container.id, timestamps=True))
    lines = [line.split(b" ", 1) for line in log.splitlines()]
    assert [text for _, text in lines] == [b"short", b"x" * 40000, b"end"]
    assert all(len(stamp) == len("2026-01-02T03:04:05.000000000Z") for stamp, _ in lines)


async def test_log_since_a_time_with_fractions(engine: Any, run: Run) -> None:
    container = run("echo early; read line; echo late", stdin_open=True)
    stamped = b""
    while not stamped:
        stamped = await read_log(await streams.logs(engine, container.id, timestamps=True))
    process = await streams.attach(engine, container.id, stdin=True, stdout=False, stderr=False, tty=False)
    since = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    await process.write(b"\n")
    container.wait()
    await process.close()
    assert await read_log(await streams.logs(engine, container.id, since=since)) == b"late\n"


async def test_followed_log_ends_with_the_container(engine: Any, run: Run) -> None:
    container = run("echo first; read line; echo last", stdin_open=True)
    log = await streams.logs(engine, container.id, follow=True)
    assert await anext(log) == b"first\n"
    process = await streams.attach(engine, container.id, stdin=True, stdout=False, stderr=False, tty=False)
    await process.write(b"\n")
    assert await read_log(log) == b"last\n"
    await process.close()


async def test_followed_log_of_a_quiet_container_can_be_cancelled_at_once(engine: Any, idle: str) -> None:
    following = asyncio.create_task(read_log(await streams.logs(engine, idle, follow=True)))
    await asyncio.sleep(0)
    started = time.monotonic()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert time.monotonic() - started < 0.5


async def test_log_of_a_container_with_a_terminal(engine: Any, run: Run) -> None:
    container = run("echo hi", tty=True)
    container.wait()
    assert await read_log(await streams.logs(engine, container.id)) == b"hi\r\n"


async def test_log_of_no_container_is_not_found(engine: Any) -> None:
    with pytest.raises(NoSuchContainer):
        await streams.logs(engine, "no-such-container")


async def connect_when_ready(container_id: str, *, pid: int, address: str) -> Any:
    """The pod's server takes a moment to listen."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await connect_to_pod(8080, sandbox_id=container_id, pid=pid, address=address)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)


@pytest.mark.root
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_pods_port_is_reached_wherever_its_server_listens(engine: Any, run: Run, host: str) -> None:
    container = run(f"echo hello | nc -N -l {host} 8080", init=True)
    pid = engine.api.inspect_container(container.id)["State"]["Pid"]
    reader, writer = await connect_when_ready(container.id, pid=pid, address="192.0.2.1")
    writer.write_eof()
    assert await reader.read() == b"hello\n"
    writer.close()


@pytest.mark.root
async def test_pods_port_nobody_listens_on_is_refused_in_upstreams_words(engine: Any, idle: str) -> None:
    pid = engine.api.inspect_container(idle)["State"]["Pid"]
    with pytest.raises(ConnectionRefusedError) as refused:
        await connect_to_pod(81, sandbox_id=idle, pid=pid, address="127.0.0.1")
    assert f'failed to connect to localhost:81 inside namespace "{idle}", IPv4: ' in str(refused.value)
    assert "dial tcp4 127.0.0.1:81: connect: connection refused IPv6 dial tcp6 [::1]:81: connect: " in str(
        refused.value
    )


async def test_pods_address_is_dialled_when_its_process_is_not_here(engine: Any, run: Run) -> None:
    container = run("echo hello | nc -N -l 0.0.0.0 8080", init=True)
    state = engine.api.inspect_container(container.id)
    address = state["NetworkSettings"]["IPAddress"]
    reader, writer = await connect_when_ready(container.id, pid=1, address=address)
    assert await reader.readline() == b"hello\n"
    writer.close()
