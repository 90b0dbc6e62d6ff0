"""The process as its pod runs it: TLS, token, readiness, both transports, the end."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from socket import socket

import dns.asyncquery
import dns.message
import dns.rcode
import pytest
from aiohttp import web

from kubelite.net.dns.__main__ import arguments, in_cluster_server, leads_back, own_address
from kubelite.pki import Authority

LOCALHOST = "127.0.0.1"
LISTS = {
    "namespaces": [{"metadata": {"name": "prod"}}],
    "services": [
        {
            "metadata": {"namespace": "prod", "name": "web"},
            "spec": {"clusterIP": "10.254.0.10", "ports": [{"port": 80}]},
        }
    ],
    "endpointslices": [],
}


@dataclass
class Process:
    port: int
    probe_port: int
    running: asyncio.subprocess.Process
    api_open: asyncio.Event

    async def ask(self, name: str, qtype: str = "A") -> str:
        query = dns.message.make_query(name, qtype)
        reply = await dns.asyncquery.udp(query, LOCALHOST, port=self.port, timeout=10)
        return str(reply.answer[0][0]) if reply.answer else dns.rcode.to_text(reply.rcode())

    async def until(self, status: int) -> None:
        """Until the probe says so; the process may not even listen yet."""
        async with asyncio.timeout(20):
            while True:
                with suppress(ConnectionRefusedError):
                    if await self._probe() == status:
                        return
                await asyncio.sleep(0.005)

    async def _probe(self) -> int:
        reader, writer = await asyncio.open_connection(LOCALHOST, self.probe_port)
        writer.write(b"GET /ready HTTP/1.1\r\n\r\n")
        status = int((await reader.read()).split()[1])
        writer.close()
        return status


@pytest.fixture
async def process(tmp_path: Path, bind: Callable[[], tuple[socket, socket]]) -> AsyncIterator[Process]:
    api_open = asyncio.Event()
    app = web.Application()
    app.router.add_get("/{path:.*}", serving(api_open))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOCALHOST, 0, ssl_context=credentials(tmp_path)).start()
    (stream, datagram), (probe_socket, _) = bind(), bind()
    port, probe_port = stream.getsockname()[1], probe_socket.getsockname()[1]
    for sock in (stream, datagram, probe_socket):
        sock.close()
    options = {
        "server": f"https://{LOCALHOST}:{runner.addresses[0][1]}",
        "credentials": tmp_path,
        "bind": LOCALHOST,
        "port": port,
        "probe-port": probe_port,
        "pod-cidr": "172.30.0.0/16",
        "service-cidr": "10.254.0.0/16",
        "resolv-conf": os.devnull,
    }
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kubelite.net.dns"), *(f"--{name}={value}" for name, value in options.items())
    )
    yield Process(port, probe_port, running, api_open)
    if running.returncode is None:
        running.kill()
        await running.wait()
    await runner.cleanup()


def serving(api_open: asyncio.Event) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """An API that knows our token, lists once it is open, and has no changes to tell."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer secret":
            return web.Response(status=401)
        await api_open.wait()
        if "watch" not in request.query:
            items = LISTS[request.path.rpartition("/")[2]]
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    return handle


def credentials(directory: Path) -> ssl.SSLContext:
    """What a pod finds mounted, and the server's side of it."""
    certificate, key = Authority(directory).server_certificate([LOCALHOST])
    (directory / "token").write_text("secret")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_serves_from_start_to_sigterm(process: Process) -> None:
    await process.until(503)
    assert await process.ask("web.prod.svc.cluster.local") == "SERVFAIL"
    assert await process.ask("example.org") == "SERVFAIL"
    process.api_open.set()
    await process.until(200)
    assert await process.ask("web.prod.svc.cluster.local") == "10.254.0.10"
    assert await process.ask("10.0.254.10.in-addr.arpa", "PTR") == "web.prod.svc.cluster.local."
    assert await process.ask("ns.dns.cluster.local") == LOCALHOST
    query = dns.message.make_query("gone.prod.svc.cluster.local", "A")
    reply = await dns.asyncquery.tcp(query, LOCALHOST, port=process.port, timeout=10)
    assert reply.rcode() == dns.rcode.NXDOMAIN
    process.running.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        assert await process.running.wait() == 0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("172.30.0.2", True),
        ("127.0.0.53", True),
        ("::1", True),
        ("10.254.0.2", True),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_resolver_that_leads_back_here_is_recognised(address: str, expected: bool) -> None:
    assert leads_back("172.30.0.2", ip_network("10.254.0.0/16"))(address) is expected


def test_own_address_is_that_of_the_way_to_the_api() -> None:
    assert own_address("https://127.0.0.1:6443") == LOCALHOST


@pytest.mark.parametrize(
    ("host", "url"), [("10.254.0.1", "https://10.254.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_api_is_found_by_the_environment_of_the_pod(monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert in_cluster_server() == url
    assert arguments().parse_args([]) == argparse.Namespace(
        server=url,
        domain="cluster.local",
        pod_cidr=None,
        service_cidr=None,
        bind="0.0.0.0",
        port=53,
        probe_port=8181,
        credentials=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        resolv_conf=Path("/etc/resolv.conf"),
    )
