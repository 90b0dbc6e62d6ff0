"""What probes and lifecycle hooks do: exec, httpGet, tcpSocket, grpc. Called by `probes` and `lifecycle`.

Verdicts and texts follow upstream's `pkg/probe` (http, tcp, exec) and the wording of Go's network errors.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin, urlsplit

from kubelite.config import KUBERNETES_VERSION
from kubelite.node.grpc_health import (
    NOT_FOUND,
    SERVING,
    STATES,
    UNAVAILABLE,
    UNIMPLEMENTED,
    RpcFailed,
    check_health,
)
from kubelite.node.runtime import ExecTimeout, Runtime
from kubelite.objects.meta import Obj

BODY_LIMIT = 10 * 1024
REDIRECTS = 10
CONNECT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`warning` is a success worth an event."""

    outcome: Literal["success", "warning", "failure"]
    output: str = ""

    @property
    def ok(self) -> bool:
        return self.outcome != "failure"


SUCCESS = Verdict("success")
Headers = Sequence[tuple[str, str]]


class BadHandler(Exception):
    """The handler can't be carried out as written (no such named port)."""


class HttpFailed(Exception):
    """No answer came; the text is Go's."""


class NoTls(HttpFailed):
    """What answered speaks plain HTTP."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: str


async def run_exec(runtime: Runtime, container_id: str, action: Obj, seconds: float | None) -> Verdict:
    command = action.get("command") or []
    try:
        result = await runtime.execute(container_id, command, seconds)
    except ExecTimeout as error:
        return Verdict("failure", f"command timed out: {error}")
    return Verdict("success" if result.exit_code == 0 else "failure", result.output)


async def run_tcp(container: Obj, action: Obj, address: str, seconds: float) -> Verdict:
    host, port = action.get("host") or address, port_number(container, action["port"])
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError) as error:
        return Verdict("failure", _dial_error(host, port, error))
    writer.close()
    return SUCCESS


async def run_http(container: Obj, action: Obj, address: str, seconds: float) -> Verdict:
    """Any status from 200 to 399 is a success; a redirect to another host ends there, with a warning."""
    headers = [(header["name"], header["value"]) for header in action.get("httpHeaders") or ()]
    try:
        response = await fetch(url_of(container, action, address), headers, seconds, agent("probe"))
    except HttpFailed as error:
        return Verdict("failure", str(error))
    if not 200 <= response.status < 400:
        return Verdict("failure", f"HTTP probe failed with statuscode: {response.status}")
    if response.status >= 300:
        return Verdict("warning", f"Probe terminated redirects, Response body: {response.body}")
    return Verdict("success", response.body)


async def run_grpc(action: Obj, address: str, seconds: float) -> Verdict:
    """SERVING is a success. Upstream tries to connect until its time is over; here the first refusal will do."""
    target = f"{address}:{action['port']}"
    until = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout_at(until):
            reader, writer = await asyncio.open_connection(address, int(action["port"]))
    except OSError:
        why = f'failed to connect service "{target}" within {seconds:g}s: context deadline exceeded'
        return Verdict("failure", f"timeout: {why}")
    try:
        async with asyncio.timeout_at(until):
            status = await check_health(reader, writer, target, action.get("service") or "")
    except TimeoutError:
        return Verdict("failure", f"timeout: health rpc did not complete within {seconds:g}s")
    except RpcFailed as error:
        return Verdict("failure", f"error: {_RPC_ERRORS.get(error.code, _RPC_ERROR.format(error.code, ''))}")
    if status != SERVING:
        return Verdict("failure", f'service unhealthy (responded with "{STATES.get(status, status)}")')
    return Verdict("success", "service healthy")


_RPC_ERROR = "health rpc probe failed: rpc error: code = {} desc = {}"
_RPC_ERRORS = {
    NOT_FOUND: _RPC_ERROR.format("NotFound", "unknown service"),
    UNAVAILABLE: _RPC_ERROR.format("Unavailable", "error reading from server: EOF"),
    UNIMPLEMENTED: "this server does not implement the grpc health protocol (grpc.health.v1.Health): "
    "unknown service grpc.health.v1.Health",
}


def port_number(container: Obj, port: int | str) -> int:
    """A number, or the name of one of the container's ports."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise BadHandler(f"couldn't find port: {port}")


def agent(purpose: str) -> str:
    """The user agent of the kubelet's own requests."""
    return f"kube-{purpose}/{'.'.join(KUBERNETES_VERSION.lstrip('v').split('.')[:2])}"


def url_of(container: Obj, action: Obj, address: str) -> str:
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    port = port_number(container, action["port"])
    return f"{scheme}://{action.get('host') or address}:{port}{path if path.startswith('/') else '/' + path}"


async def fetch(url: str, headers: Headers, seconds: float | None, user_agent: str) -> Response:
    """The answer, after redirects within the host; HttpFailed when there is none."""
    try:
        async with asyncio.timeout(seconds):
            return await _follow(url, headers, user_agent)
    except TimeoutError as error:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise HttpFailed(f'Get "{url}": {why}') from error
    except ssl.SSLError as error:
        if error.reason in _PLAIN_ANSWER:
            raise NoTls(f'Get "{url}": http: server gave HTTP response to HTTPS client') from error
        raise HttpFailed(f'Get "{url}": {error.reason or error}') from error
    except (OSError, EOFError, ValueError) as error:
        raise HttpFailed(f'Get "{url}": {_http_error(url, error)}') from error


_PLAIN_ANSWER = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


async def _follow(url: str, headers: Headers, user_agent: str) -> Response:
    here = url
    for _ in range(REDIRECTS):
        response = await _get(here, headers, user_agent)
        target = urljoin(here, response.headers.get("location", ""))
        if not 300 <= response.status < 400 or target == here:
            return response
        if urlsplit(target).hostname != urlsplit(url).hostname:
            return response
        here = target
    raise ValueError(f"stopped after {REDIRECTS} redirects")


async def _get(url: str, headers: Headers, user_agent: str) -> Response:
    parts = urlsplit(url)
    secure = _unverified() if parts.scheme == "https" else None
    async with asyncio.timeout(CONNECT_TIMEOUT):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=secure)
    try:
        target = f"{parts.path}{'?' + parts.query if parts.query else ''}"
        writer.write(_request(parts.netloc, target, headers, user_agent))
        await writer.drain()
        return await _response(reader)
    finally:
        writer.close()


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request(host: str, target: str, headers: Headers, user_agent: str) -> bytes:
    """The given headers, as often as they are given; of the request's own only the first counts, an empty one is none."""
    first = {name.lower(): value for name, value in reversed(headers)}
    own = {
        "Host": first.get("host") or host,
        "User-Agent": first.get("user-agent", user_agent),
        "Accept": "" if "accept" in first else "*/*",
        "Connection": "" if "connection" in first else "close",
    }
    unsent = _OWN if first.get("accept") else {*_OWN, "accept"}
    lines = [f"{name}: {value}" for name, value in own.items() if value]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in unsent]
    return "\r\n".join([f"GET {target or '/'} HTTP/1.1", *lines, "", ""]).encode()


_OWN = {"host", "user-agent", "content-length", "transfer-encoding", "trailer"}


async def _response(reader: asyncio.StreamReader) -> Response:
    status_line = await reader.readline()
    if not status_line:
        raise EOFError
    words = status_line.decode("latin-1").split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1][:3].isdigit():
        raise ValueError(f'malformed HTTP response "{status_line.decode("latin-1").strip()}"')
    headers = {}
    while (line := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    length = min(int(headers.get("content-length") or BODY_LIMIT), BODY_LIMIT)
    body = await reader.read(length) if length else b""
    return Response(int(words[1][:3]), headers, body.decode(errors="replace"))


def _http_error(url: str, error: Exception) -> str:
    if isinstance(error, EOFError):
        return "EOF"
    if isinstance(error, ConnectionResetError):
        return "read: connection reset by peer"
    if isinstance(error, OSError):
        parts = urlsplit(url)
        return _dial_error(parts.hostname or "", parts.port or 0, error)
    return str(error)


def _dial_error(host: str, port: int, error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number not in errno.errorcode:
        return f"dial tcp: lookup {host}: no such host"
    return f"dial tcp {host}:{port}: connect: {os.strerror(number).lower()}"
