"""HTTP requests handed on to a pod, a Service's endpoint or a node: the `proxy` subresource's traffic.

Follows upstream's `apimachinery/pkg/util/proxy`: the request reaches the target as it came, without what concerns one
connection only and without the credentials; links and redirects that lead back to the target lead through the API.
An upgraded connection (WebSocket, SPDY) is handed on as bytes.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from kubelite.errors import StatusError
from kubelite.streams.proxy_links import Way, rewritten_html, rewritten_url
from kubelite.streams.upgrade import RawWire, Upgraded

_ONE_CONNECTION = (
    "Connection",
    "Proxy-Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Te",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)
_ACCESS_CONTROL = tuple(f"Access-Control-Allow-{what}" for what in ("Credentials", "Headers", "Methods", "Origin"))
_ADDED_BY_LIBRARY = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)
_CONNECT_SECONDS = 30.0
_CHUNK = 64 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)


@dataclass(frozen=True, slots=True)
class Location:
    """Where requests go; without a `context` nobody vouches for the certificate of an https one.

    `headers` are added to what is sent, `hidden` are beginnings of names that clients may not send through.
    """

    scheme: str
    host: str
    port: int
    context: ssl.SSLContext | None = None
    server_name: str | None = None  # that the certificate has to be for
    headers: Sequence[tuple[str, str]] = ()
    hidden: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"


async def serve_proxy(request: web.Request, location: Location, prefix: str, path: str) -> web.StreamResponse:
    """Hand on: `prefix` is the path of the subresource, `path` what follows it, both as they were sent."""
    if hdrs.UPGRADE in request.headers and "upgrade" in request.headers.get(hdrs.CONNECTION, "").lower():
        return await _tunnel(request, location, path or "/")
    if not path and request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        # Relative links of what is there would otherwise miss the last part of the prefix.
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        return web.Response(status=301, headers={hdrs.LOCATION: f"{prefix}/{query}"})
    way = Way(request.host, location.authority, prefix)
    try:
        return await _exchange(request, location, way, path or "/")
    except aiohttp.ClientConnectorError as error:
        problem = os.strerror(error.os_error.errno or 0).lower()
        raise _unreachable(f"dial tcp {location.authority}: connect: {problem}") from error
    except TimeoutError as error:
        raise _unreachable(f"dial tcp {location.authority}: i/o timeout") from error
    except aiohttp.ClientError as error:
        raise _unreachable(str(error) or "EOF") from error


def _unreachable(why: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", f"error trying to reach service: {why}")


async def _exchange(request: web.Request, location: Location, way: Way, path: str) -> web.StreamResponse:
    url = URL.build(
        scheme=location.scheme,
        host=location.host,
        port=location.port,
        path=path,
        query_string=request.rel_url.raw_query_string,
        encoded=True,
    )
    session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT)
    async with session:
        exchange = session.request(
            request.method,
            url,
            headers=_request_headers(request, location, way, path),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=_ADDED_BY_LIBRARY,
            ssl=location.context or False,
            server_hostname=location.server_name,
        )
        async with exchange as answer:
            return await _answered(request, answer, way)


def _request_headers(request: web.Request, location: Location, way: Way, path: str) -> CIMultiDict[str]:
    # The client has been told to go on already.
    headers = _introduced(_kept(request.headers, (hdrs.AUTHORIZATION, hdrs.EXPECT)), location)
    came_by = [*request.headers.getall("X-Forwarded-For", ()), request.remote or ""]
    headers["X-Forwarded-For"] = ", ".join(filter(None, came_by))
    headers["X-Forwarded-Uri"] = way.prefix + path
    return headers


def _introduced(headers: CIMultiDict[str], location: Location) -> CIMultiDict[str]:
    """With what the target is told of the client, which the client can't tell itself."""
    kept = CIMultiDict(pair for pair in headers.items() if not pair[0].lower().startswith(location.hidden))
    kept.extend(location.headers)
    return kept if location.headers else headers


def _kept(headers: Mapping[str, str], without: Iterable[str] = ()) -> CIMultiDict[str]:
    """Headers that concern more than one connection."""
    named = [name.strip() for name in headers.get(hdrs.CONNECTION, "").split(",")]
    return _without(headers, (*_ONE_CONNECTION, *named, *without))


def _without(headers: Mapping[str, str], names: Iterable[str]) -> CIMultiDict[str]:
    kept = CIMultiDict(headers)
    for name in filter(None, names):
        kept.popall(name, None)
    return kept


async def _answered(request: web.Request, answer: aiohttp.ClientResponse, way: Way) -> web.StreamResponse:
    headers = _kept(answer.headers, _ACCESS_CONTROL)
    if redirect := headers.get(hdrs.LOCATION):
        headers[hdrs.LOCATION] = rewritten_url(redirect, way)
    elif _is_html(answer) and request.method != hdrs.METH_HEAD:
        return await _rewritten(answer, headers, way)
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(_CHUNK):
        await response.write(chunk)
    await response.write_eof()
    return response


def _is_html(answer: aiohttp.ClientResponse) -> bool:
    kind = answer.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip()
    return kind == "text/html" and answer.headers.get(hdrs.CONTENT_ENCODING, "") in ("", "gzip")


async def _rewritten(answer: aiohttp.ClientResponse, headers: CIMultiDict[str], way: Way) -> web.Response:
    body = await answer.read()
    zipped = hdrs.CONTENT_ENCODING in headers
    page = rewritten_html(gzip.decompress(body) if zipped else body, way)
    headers.popall(hdrs.CONTENT_LENGTH, None)
    return web.Response(
        status=answer.status, reason=answer.reason, headers=headers, body=gzip.compress(page) if zipped else page
    )


async def _tunnel(request: web.Request, location: Location, path: str) -> web.StreamResponse:
    """The request as it came, then bytes both ways: the target's own answer tells whether it upgrades."""
    context = (location.context or _unverified()) if location.scheme == "https" else None
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                location.host, location.port, ssl=context, server_hostname=location.server_name
            )
    except (OSError, TimeoutError) as error:
        raise _unreachable(
            f"dial tcp {location.authority}: connect: {os.strerror(error.errno or 0).lower()}"
        ) from error
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    headers = _introduced(_without(request.headers, (hdrs.AUTHORIZATION,)), location)
    lines = [f"{request.method} {path}{query} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    wire = RawWire(request)
    copies = [asyncio.create_task(_upload(wire, writer)), asyncio.create_task(_download(reader, wire))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        writer.close()
        wire.finish()
    return Upgraded()


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _upload(wire: RawWire, writer: asyncio.StreamWriter) -> None:
    while data := await wire.receive():
        writer.write(data)
        await writer.drain()


async def _download(reader: asyncio.StreamReader, wire: RawWire) -> None:
    while data := await reader.read(_CHUNK):
        await wire.send(data)
