"""Run a command in a pod's container, over the WebSocket protocol of `exec`."""

from __future__ import annotations

import asyncio
import json
from asyncio.trsock import TransportSocket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from kubelite.cli.client import ApiError, Client, Obj
from kubelite.streams.channels import V5, Channel, ChannelData

CLOSE_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Executed:
    """What the command wrote, stdout and stderr as they came, and its exit code."""

    text: str
    code: int


def execute(client: Client, namespace: str, pod: str, command: Sequence[str]) -> Executed:
    return asyncio.run(_execute(client, f"/api/v1/namespaces/{namespace}/pods/{pod}/exec", command))


async def _execute(client: Client, path: str, command: Sequence[str]) -> Executed:
    query = urlencode([("stdout", "1"), ("stderr", "1"), *(("command", word) for word in command)])
    written = bytearray()
    status: Obj = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client.context)) as session:
        try:
            connection = await session.ws_connect(f"{client.server}{path}?{query}", protocols=(V5.name,))
        except aiohttp.WSServerHandshakeError as error:
            raise ApiError({"code": error.status, "message": f"exec in {path}: {error.message}"}) from None
        socket = connection.get_extra_info("socket")
        async with connection:
            async for message in connection:
                match V5.decode(message.data) if message.type is aiohttp.WSMsgType.BINARY else None:
                    case ChannelData(Channel.STDOUT | Channel.STDERR, data):
                        written += data
                    case ChannelData(Channel.ERROR, data):
                        status = json.loads(data)
    await _closed(socket)
    return Executed(written.decode(errors="replace"), exit_code(status))


async def _closed(socket: TransportSocket | None) -> None:
    """TLS says goodbye after the session is closed, and an event loop that ends before leaves the socket open."""
    for _ in range(CLOSE_MILLISECONDS):
        if socket is None or socket.fileno() == -1:
            return
        await asyncio.sleep(0.001)


def exit_code(status: Obj) -> int:
    """The command's own from the closing Status; ApiError when it never ran."""
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ApiError(status or {"message": "the connection ended before the command did"})
