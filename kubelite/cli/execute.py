"""Run a command in a pod's container, over the WebSocket protocol of `exec`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from kubelite.cli.client import ApiError, Client, Obj
from kubelite.streams.channels import V5, Channel, ChannelData


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
        async with connection:
            async for message in connection:
                match V5.decode(message.data) if message.type is aiohttp.WSMsgType.BINARY else None:
                    case ChannelData(Channel.STDOUT | Channel.STDERR, data):
                        written += data
                    case ChannelData(Channel.ERROR, data):
                        status = json.loads(data)
    return Executed(written.decode(errors="replace"), exit_code(status))


def exit_code(status: Obj) -> int:
    """The command's own from the closing Status; ApiError when it never ran."""
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ApiError(status or {"message": "the connection ended before the command did"})
