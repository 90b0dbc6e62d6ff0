"""Streams of containers on the engine: exec, attach and logs, as asyncio streams.

Ordinary requests go through the docker SDK in threads; what streams runs over a connection of its own, as the SDK's
sockets block and can lose the first bytes. Follows the engine API's "attach" section for upgrades and the framing of
output without a terminal; the words and outcomes are cri-dockerd's.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from docker import DockerClient
from docker.errors import APIError, DockerException

from kubelite.node.docker_connection import Connection, connect, refusal
from kubelite.node.process import STDOUT
from kubelite.node.runtime import EngineError, EngineGone

_CHUNK = 256 * 1024
_TIMESTAMP_LENGTH = len("2026-01-02T03:04:05.000000000Z ")
# The engine's own default, Ctrl-P Ctrl-Q, would hold back every Ctrl-P typed into a shell.
_DETACH_KEYS = ",".join(["ctrl-^"] * 8)


class Demultiplexer:
    """Takes apart output without a terminal: frames of stream number, three zero bytes, length and payload."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The complete frames, as stream number and payload."""
        self._buffer += data
        frames, at = [], 0
        while len(self._buffer) - at >= 8:
            stream, length = struct.unpack_from(">BxxxI", self._buffer, at)
            if len(self._buffer) - at - 8 < length:
                break
            frames.append((stream, bytes(memoryview(self._buffer)[at + 8 : at + 8 + length])))
            at += 8 + length
        del self._buffer[:at]
        return frames


def join_runs(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbouring pieces of the same stream as one."""
    runs: list[tuple[int, list[bytes]]] = []
    for stream, payload in frames:
        if runs and runs[-1][0] == stream:
            runs[-1][1].append(payload)
        else:
            runs.append((stream, [payload]))
    return [(stream, b"".join(payloads)) for stream, payloads in runs]


class _EngineProcess:
    """What exec and attach share: the hijacked connection."""

    def __init__(self, connection: Connection, *, framed: bool) -> None:
        self._connection = connection
        self._frames = Demultiplexer() if framed else None
        self._ready: deque[tuple[int, bytes]] = deque()

    async def read(self) -> tuple[int, bytes] | None:
        while not self._ready:
            data = await _read(self._connection)
            if not data:
                return None
            self._ready.extend([(STDOUT, data)] if self._frames is None else join_runs(self._frames.feed(data)))
        return self._ready.popleft()

    async def write(self, data: bytes) -> None:
        self._connection.writer.write(data)
        await self._connection.writer.drain()

    async def close_stdin(self) -> None:
        if self._connection.writer.can_write_eof():
            self._connection.writer.write_eof()

    async def close(self) -> None:
        self._connection.close()


class ExecProcess(_EngineProcess):
    """A command started by the engine's exec."""

    def __init__(self, connection: Connection, client: DockerClient, exec_id: str, *, tty: bool) -> None:
        super().__init__(connection, framed=not tty)
        self._client = client
        self._exec_id = exec_id

    async def resize(self, width: int, height: int) -> None:
        with contextlib.suppress(DockerException):  # the command may just have ended
            await asyncio.to_thread(self._client.api.exec_resize, self._exec_id, height, width)

    async def wait(self) -> int:
        """The engine ends the output right before it notes the exit, hence the short poll."""
        delay = 0.002
        while True:
            state = await _ask(self._client.api.exec_inspect, self._exec_id)
            if not state["Running"]:
                return int(state["ExitCode"])
            await asyncio.sleep(delay)
            delay = min(delay * 2, 1.0)


class AttachedProcess(_EngineProcess):
    """A container's main process."""

    def __init__(
        self, connection: Connection, client: DockerClient, container_id: str, *, framed: bool, resizable: bool
    ) -> None:
        super().__init__(connection, framed=framed)
        self._client = client
        self._container_id = container_id
        self._resizable = resizable

    async def resize(self, width: int, height: int) -> None:
        if not self._resizable:
            return
        with contextlib.suppress(DockerException):  # the container may just have ended
            await asyncio.to_thread(self._client.api.resize, self._container_id, height, width)

    async def wait(self) -> int:
        """Nobody asks for it: attach reports success however the container ends."""
        return 0


async def exec_process(
    client: DockerClient,
    container_id: str,
    command: list[str],
    *,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
) -> ExecProcess:
    """Start a command in a running container. A command that can't be found is not an error here: the engine's text
    comes as its output and the exit code is 126 or 127, as users of cri-dockerd see it."""
    try:
        created = await _ask(
            client.api.exec_create,
            container_id,
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr and not tty,
            tty=tty,
            detach_keys=_DETACH_KEYS,
        )
    except EngineError as error:
        raise type(error)(f"failed to exec in container - Exec setup failed - {error}") from error
    exec_id = str(created["Id"])
    connection = await _hijack(client, f"/exec/{exec_id}/start", {"Detach": False, "Tty": tty})
    return ExecProcess(connection, client, exec_id, tty=tty)


async def attach(
    client: DockerClient, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> AttachedProcess:
    """Attach to a running container. Whether its output is framed is the container's own matter; `tty` says that the
    client has a terminal, whose size the container's then follows. Who started it to attach to it (`kubectl run -i`)
    is told what it has said so far."""
    config = (await _ask(client.api.inspect_container, container_id))["Config"]
    query = {"stream": 1, "stdin": int(stdin), "stdout": int(stdout), "stderr": int(stderr), "detachKeys": _DETACH_KEYS}
    query |= {"logs": int(config["StdinOnce"])}
    connection = await _hijack(client, f"/containers/{container_id}/attach?{urlencode(query)}", None)
    state = (await _ask(client.api.inspect_container, container_id))["State"]
    if not state["Running"]:  # or the engine may wait for its next start, which never comes
        connection.close()
        raise EngineError(f"container not running ({container_id})")
    framed = not config["Tty"]
    return AttachedProcess(connection, client, container_id, framed=framed, resizable=tty)


async def logs(
    client: DockerClient,
    container_id: str,
    *,
    follow: bool = False,
    tail: int | None = None,
    since: str | None = None,
    timestamps: bool = False,
) -> AsyncGenerator[bytes, None]:
    """Open a container's log, stdout and stderr as they were written; iterating gives its bytes, until now or, with
    `follow`, until the container ends. `since` is an RFC 3339 time; `timestamps` starts each line with its own.
    Closing the iterator drops the connection at once."""
    inspected = await _ask(client.api.inspect_container, container_id)
    query: dict[str, int | str] = {"stdout": 1, "stderr": 1, "follow": int(follow), "timestamps": int(timestamps)}
    query |= {"tail": "all" if tail is None else tail}
    if since:
        query["since"] = unix_time(since)
    connection = await connect(client, "GET", f"/containers/{container_id}/logs?{urlencode(query)}", None)
    return _read_log(connection, tty=bool(inspected["Config"]["Tty"]), timestamps=timestamps)


async def _read_log(connection: Connection, *, tty: bool, timestamps: bool) -> AsyncGenerator[bytes, None]:
    demultiplexer, lines = Demultiplexer(), LineStarts()
    try:
        while data := await _read(connection):
            if tty:
                yield data
                continue
            payloads = [payload for _stream, payload in demultiplexer.feed(data)]
            if timestamps:
                payloads = [lines.trim(payload) for payload in payloads]
            if payloads:
                yield b"".join(payloads)
    finally:
        connection.close()


async def _read(connection: Connection) -> bytes:
    try:
        return await connection.reader.read(_CHUNK)
    except ConnectionError:
        return b""  # the engine dropped it: the container's state says why


class LineStarts:
    """The engine stamps every piece of a line it had to split; upstream stamps only a line's start."""

    def __init__(self) -> None:
        self._inside = False

    def trim(self, entry: bytes) -> bytes:
        """One entry of a log with its timestamp, which goes when the entry continues a line."""
        continues, self._inside = self._inside, not entry.endswith(b"\n")
        return entry[_TIMESTAMP_LENGTH:] if continues else entry


def unix_time(rfc3339: str) -> str:
    """Seconds since 1970 with up to nine decimals, as the engine reads times."""
    moment = datetime.fromisoformat(rfc3339)
    _, dot, rest = rfc3339.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if dot else ""
    return f"{max(0, int(moment.timestamp()))}.{digits:0<9.9}"


async def _hijack(client: DockerClient, path: str, body: dict[str, Any] | None) -> Connection:
    return await connect(client, "POST", path, body, upgrade=True)


async def _ask(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return await asyncio.to_thread(call, *arguments, **options)
    except APIError as error:
        raise refusal(error.status_code or 500, error.explanation or str(error)) from error
    except (DockerException, OSError) as error:
        raise EngineGone(str(error)) from error
