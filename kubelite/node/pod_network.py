"""Connections to a port inside a pod's network, as port-forward needs them.

Used by whoever hands `connect` to `kubelite.streams.portforward`. As upstream's runtimes do, it dials localhost inside
the sandbox's network namespace, so a server that listens on 127.0.0.1 alone is reached too. Where that is not allowed
(not root) or not possible (the engine is on another machine), the pod's address is dialled instead.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import threading
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_LOOPBACK = ((socket.AF_INET, "127.0.0.1", "tcp4 127.0.0.1"), (socket.AF_INET6, "::1", "tcp6 [::1]"))

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect_to_pod(port: int, *, sandbox_id: str, pid: int, address: str) -> Streams:
    """Connect to a port of the pod whose sandbox is `sandbox_id`, with process `pid` and IP `address`. Raises OSError
    in upstream's words."""
    problems = []
    for family, host, shown in _LOOPBACK:
        try:
            inside = socket_inside(sandbox_id, pid, family)
        except OSError:
            return await asyncio.open_connection(address, port)
        try:
            await asyncio.get_running_loop().sock_connect(inside, (host, port))
            return await asyncio.open_connection(sock=inside)
        except OSError as error:
            inside.close()
            problems.append(f"dial {shown}:{port}: connect: {os.strerror(error.errno or 0).lower()}")
    raise ConnectionRefusedError(
        f'failed to execute portforward in network namespace "/proc/{pid}/ns/net": failed to connect to '
        f'localhost:{port} inside namespace "{sandbox_id}", IPv4: {problems[0]} IPv6 {problems[1]} '
    )


def socket_inside(container_id: str, pid: int, family: socket.AddressFamily) -> socket.socket:
    """A non-blocking TCP socket that lives in the network namespace of a container's process. OSError: not allowed,
    or the process isn't the container's (its number may be of another machine or another pid namespace)."""
    if container_id not in Path(f"/proc/{pid}/cgroup").read_text():
        raise ProcessLookupError(f"process {pid} is not of container {container_id}")
    outcome: list[socket.socket | OSError] = []
    # A thread of its own, because entering the namespace can't be undone without rights and ends with the thread.
    thread = threading.Thread(target=lambda: outcome.append(_enter_and_open(pid, family)))
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _enter_and_open(pid: int, family: socket.AddressFamily) -> socket.socket | OSError:
    try:
        with open(f"/proc/{pid}/ns/net", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                number = ctypes.get_errno()
                return OSError(number, os.strerror(number))
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        return error
    opened.setblocking(False)
    return opened
