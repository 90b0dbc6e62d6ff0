"""A connection to the engine that stays open for streaming: one HTTP request, then its raw bytes.

Used by `kubelite.node.docker_streams`. It goes where the docker SDK's client goes: a unix socket, or TCP with or
without TLS. (Not ssh: a pod's volumes are directories of this machine, so its engine is here too.)
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from docker import DockerClient
from docker.transport import UnixHTTPAdapter

from kubelite.node.runtime import EngineError, EngineGone, NoSuchContainer

_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Connection:
    """What follows the response's headers, and where to write."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        """Drop it at once: nothing that is still buffered matters."""
        self.writer.transport.abort()


async def connect(
    client: DockerClient, method: str, path: str, body: dict[str, Any] | None, *, upgrade: bool = False
) -> Connection:
    """Send one request and return its body's stream, or with `upgrade` both directions of the connection."""
    try:
        reader, writer = await _dial(client)
    except OSError as error:
        raise EngineGone(str(error)) from error
    try:
        writer.write(_request(method, f"/v{client.api.api_version}{path}", body, upgrade=upgrade))
        status, headers = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        if status >= 400:
            raise refusal(status, await _message(reader, headers))
    except (OSError, asyncio.IncompleteReadError) as error:
        writer.transport.abort()
        raise EngineGone("the engine closed the connection") from error
    except BaseException:
        writer.transport.abort()
        raise
    return Connection(reader, writer)


def refusal(status: int, message: str) -> EngineError:
    """The engine's answer as an error, in the words of its own client."""
    kind = NoSuchContainer if status == 404 else EngineError
    return kind(f"Error response from daemon: {message}")


async def _dial(client: DockerClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    adapter = client.api.get_adapter(client.api.base_url)
    if isinstance(adapter, UnixHTTPAdapter):
        return await asyncio.open_unix_connection(adapter.socket_path, limit=_LIMIT)
    url = urlsplit(client.api.base_url)
    return await asyncio.open_connection(url.hostname, url.port, ssl=_tls(client), limit=_LIMIT)


def _tls(client: DockerClient) -> ssl.SSLContext | None:
    if not client.api.base_url.startswith("https:"):
        return None
    verify, certificate = client.api.verify, client.api.cert
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def _request(method: str, path: str, body: dict[str, Any] | None, *, upgrade: bool) -> bytes:
    # HTTP/1.0 for what isn't upgraded: the answer then comes without chunks and ends with the connection.
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.{int(upgrade)}", "Host: docker", f"Content-Length: {len(content)}"]
    if body is not None:
        lines.append("Content-Type: application/json")
    if upgrade:
        lines += ["Connection: Upgrade", "Upgrade: tcp"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """The status code and the headers, names in lower case."""
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return int(first.split()[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _message(reader: asyncio.StreamReader, headers: dict[str, str]) -> str:
    """The engine's explanation of a refusal: JSON with a message, or text."""
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
