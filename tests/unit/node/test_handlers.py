"""Probes' actions against real sockets of this machine."""

from __future__ import annotations

import asyncio
import struct

import pytest

from kubelite.node.handlers import BadHandler, port_number, run_grpc, run_http, run_tcp
from tests.unit.node.pods import container
from tests.unit.node.sockets import HERE, Serve, answering, listening


@pytest.mark.parametrize(
    ("status", "outcome", "output"),
    [
        (200, "success", "hi"),
        (204, "success", "hi"),
        (399, "warning", "Probe terminated redirects, Response body: hi"),
        (404, "failure", "HTTP probe failed with statuscode: 404"),
        (500, "failure", "HTTP probe failed with statuscode: 500"),
    ],
)
async def test_http_status_decides(status: int, outcome: str, output: str) -> None:
    async with listening(answering(f"HTTP/1.1 {status} X\nContent-Length: 2\n\nhi")) as port:
        verdict = await run_http(container(), {"port": port}, HERE, 1)
    assert (verdict.outcome, verdict.output) == (outcome, output)


async def test_http_request_is_a_probes() -> None:
    seen: list[str] = []
    action = {"path": "/healthz?x=1", "httpHeaders": [{"name": "Host", "value": "web"}, {"name": "X-A", "value": "b"}]}
    async with listening(answering("HTTP/1.1 200 OK\n\n", seen=seen)) as port:
        await run_http(container(), {**action, "port": port}, HERE, 1)
    lines = seen[0].split("\r\n")
    assert lines[0] == "GET /healthz?x=1 HTTP/1.1"
    assert {"Host: web", "X-A: b", "User-Agent: kube-probe/1.32"} <= set(lines)


async def test_http_headers_are_sent_as_often_as_given_but_for_the_requests_own() -> None:
    seen: list[str] = []
    given = [
        ("X-A", "1"),
        ("x-a", "2"),
        ("X-Empty", ""),
        ("Accept", ""),
        ("Host", ""),
        ("User-Agent", "me"),
        ("Trailer", "t"),
    ]
    headers = [{"name": name, "value": value} for name, value in given]
    async with listening(answering("HTTP/1.1 200 OK\n\n", seen=seen)) as port:
        await run_http(container(), {"port": port, "httpHeaders": headers}, HERE, 1)
    sent = sorted(line.lower() for line in seen[0].split("\r\n")[1:] if line)
    host = f"host: {HERE}:{port}"
    assert sent == ["connection: close", host, "user-agent: me", "x-a: 1", "x-a: 2", "x-empty: "]


async def test_redirect_is_followed_on_the_same_host_only() -> None:
    here = "HTTP/1.1 302 Found\nLocation: /next\n\n"
    async with listening(answering(here, "HTTP/1.1 200 OK\n\n")) as port:
        assert (await run_http(container(), {"port": port}, HERE, 1)).outcome == "success"
    there = "HTTP/1.1 302 Found\nLocation: http://elsewhere.invalid/\n\n"
    async with listening(answering(there)) as port:
        assert (await run_http(container(), {"port": port}, HERE, 1)).outcome == "warning"


async def test_http_failures_read_like_upstreams() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with listening(silent) as port:
        verdict = await run_http(container(), {"port": port}, HERE, 0.05)
    assert verdict.output == (
        f'Get "http://{HERE}:{port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    )
    async with listening(closing) as port:
        assert (await run_http(container(), {"port": port}, HERE, 1)).output == f'Get "http://{HERE}:{port}/": EOF'
    async with listening(answering("HTTP/1.1 400 Bad Request\n\n")) as plain:
        verdict = await run_http(container(), {"port": plain, "scheme": "HTTPS"}, HERE, 1)
    assert verdict.output == f'Get "https://{HERE}:{plain}/": http: server gave HTTP response to HTTPS client'
    refused = await run_http(container(), {"port": port}, HERE, 1)
    assert refused.output == f'Get "http://{HERE}:{port}/": dial tcp {HERE}:{port}: connect: connection refused'


async def test_tcp_succeeds_when_something_listens() -> None:
    async with listening(answering()) as port:
        assert (await run_tcp(container(), {"port": port}, HERE, 1)).ok
    refused = await run_tcp(container(), {"port": port}, HERE, 1)
    assert refused.output == f"dial tcp {HERE}:{port}: connect: connection refused"


def test_named_port_is_the_containers() -> None:
    spec = container(ports=[{"name": "http", "containerPort": 8080}])
    assert port_number(spec, "http") == 8080
    assert port_number(spec, "81") == 81
    with pytest.raises(BadHandler, match="couldn't find port: nope"):
        port_number(spec, "nope")


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


NO_HEALTH = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"


def health(*frames: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"SM\r\n\r\n")
        for frame in (_frame(4, 0, b"", 0), *frames):
            writer.write(frame)
        await writer.drain()

    return serve


@pytest.mark.parametrize(
    ("frames", "output"),
    [
        ([_frame(1, 4, b""), _frame(0, 0, b"\0\0\0\0\2\x08\1")], "service healthy"),
        ([_frame(0, 0, b"\0\0\0\0\2\x08\2")], 'service unhealthy (responded with "NOT_SERVING")'),
        ([_frame(0, 0, b"\0\0\0\0\0")], 'service unhealthy (responded with "UNKNOWN")'),
        ([_frame(1, 5, b"")], f"error: {NO_HEALTH}: unknown service grpc.health.v1.Health"),
        (
            [_frame(1, 5, b"\x88\x00\x0bgrpc-status\x0212")],
            f"error: {NO_HEALTH}: unknown service grpc.health.v1.Health",
        ),
        (
            [_frame(1, 5, b"\x88\x40\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f\x015")],
            "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
        ),
        ([], "error: health rpc probe failed: rpc error: code = Unavailable desc = error reading from server: EOF"),
    ],
)
async def test_grpc_health(frames: list[bytes], output: str) -> None:
    async with listening(health(*frames)) as port:
        verdict = await run_grpc({"port": port, "service": "x"}, HERE, 1)
    assert verdict.output == output
    assert verdict.ok == (output == "service healthy")


async def test_grpc_server_that_is_absent_or_silent_is_told_of_by_the_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()

    async with listening(silent) as port:
        verdict = await run_grpc({"port": port}, HERE, 0.1)
    assert (verdict.ok, verdict.output) == (False, "timeout: health rpc did not complete within 0.1s")
    verdict = await run_grpc({"port": port}, HERE, 1)
    told = f'timeout: failed to connect service "{HERE}:{port}" within 1s: context deadline exceeded'
    assert (verdict.ok, verdict.output) == (False, told)
