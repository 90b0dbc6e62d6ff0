"""One command inside a container, synchronously, with a deadline: probes and hooks. Called by docker_runtime."""

from __future__ import annotations

import socket
import time
from typing import Any

import docker

from kubelite.node.runtime import ExecResult, ExecTimeout

OUTPUT_LIMIT = 10 * 1024


def execute(client: docker.APIClient, container_id: str, command: list[str], timeout: float | None) -> ExecResult:
    """Run `command`; the engine has no way to end it, so after the deadline it is left alone."""
    exec_id = client.exec_create(container_id, command)["Id"]
    stream = client.exec_start(exec_id, socket=True)
    try:
        output = _read(stream, timeout)
    except TimeoutError:
        raise ExecTimeout(f'"{" ".join(command)}" timed out after {timeout:g}s') from None
    finally:
        stream.close()
    code = client.exec_inspect(exec_id)["ExitCode"]
    return ExecResult(int(code or 0), output[:OUTPUT_LIMIT].decode(errors="replace"))


def _read(stream: Any, timeout: float | None) -> bytes:
    raw: socket.socket = getattr(stream, "_sock", stream)
    raw.settimeout(None)
    deadline = None if timeout is None else time.monotonic() + timeout
    data = bytearray()
    while True:
        if deadline is not None:
            raw.settimeout(max(deadline - time.monotonic(), 0.001))
        chunk = raw.recv(65536)
        if not chunk:
            return _payload(bytes(data))
        data += chunk


def _payload(data: bytes) -> bytes:
    """Without the engine's framing: an eight byte header before each piece, its last four the length."""
    pieces, at = [], 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        pieces.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(pieces)
