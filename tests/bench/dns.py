"""How fast names are answered: against dnsmasq in the same run, and from a change in the API to its answer.

`run` starts the name server as its pod does, over a fake API with 1,000 services. The client is Python too and
shares the machine, so what is compared with dnsmasq is both queries per second and the server's CPU time each.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dns.message

from tests.bench.rows import Row

SERVICES = 1000
QUERIES = 40_000
IN_FLIGHT = 32
ROUNDS = 5
CHANGES = 200
NAME = "web-7.default.svc.cluster.local"
PEERS = "peers.default.svc.cluster.local"

Object = dict[str, Any]


def address(number: int) -> str:
    return f"10.254.{1 + number // 200}.{1 + number % 200}"


def listed(path: str) -> list[Object]:
    """What the fake API holds."""
    if path.endswith("namespaces"):
        return [{"metadata": {"name": "default"}}]
    if path.endswith("endpointslices"):
        return [peers(0)]
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    services = [service(f"web-{n}", clusterIP=address(n), ports=ports) for n in range(SERVICES)]
    return [*services, service("peers", clusterIP="None")]


def service(name: str, **spec: Any) -> Object:
    return {"metadata": {"namespace": "default", "name": name, "resourceVersion": "1"}, "spec": spec}


def peers(version: int) -> Object:
    """One ready endpoint, at another address in each version."""
    return {
        "metadata": {
            "namespace": "default",
            "name": "peers-1",
            "resourceVersion": str(version),
            "labels": {"kubernetes.io/service-name": "peers"},
        },
        "endpoints": [{"addresses": [f"172.30.1.{version % 250}"], "conditions": {"ready": True}}],
    }


class FakeAPI(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slices: queue.SimpleQueue[Object]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if "watch=true" not in query:
            body = json.dumps({"metadata": {"resourceVersion": "1"}, "items": listed(path)}).encode()
            self._head("Content-Length", str(len(body)))
            self.wfile.write(body)
            return
        self._head("Transfer-Encoding", "chunked")
        while True:
            if not path.endswith("endpointslices"):
                time.sleep(3600)
            line = json.dumps({"type": "MODIFIED", "object": self.slices.get()}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))

    def _head(self, name: str, value: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def fake_api() -> Iterator[str]:
    FakeAPI.slices = queue.SimpleQueue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeAPI)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """A name server under test."""

    def __init__(self, command: list[str], port: int) -> None:
        self._began = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(2)

    def until_it_answers(self) -> float:
        """Seconds from exec to the first address."""
        while self.ask(NAME) != address(7):
            time.sleep(0.002)
        return time.perf_counter() - self._began

    def ask(self, name: str) -> str:
        """The address of a name; empty while there is no answer."""
        try:
            self._socket.send(dns.message.make_query(name, "A").to_wire())
            answer = dns.message.from_wire(self._socket.recv(4096)).answer
        except OSError:
            return ""
        return str(answer[0][0]) if answer else ""

    def load(self) -> tuple[float, float]:
        """Queries per second with some always under way, and the server's CPU seconds for each."""
        wire = dns.message.make_query(NAME, "A").to_wire()
        send, receive, buffer = self._socket.send, self._socket.recv_into, bytearray(512)
        began, cpu = time.perf_counter(), self._cpu_seconds()
        for _ in range(IN_FLIGHT):
            send(wire)
        for _ in range(QUERIES - IN_FLIGHT):
            receive(buffer)
            send(wire)
        for _ in range(IN_FLIGHT):
            receive(buffer)
        return QUERIES / (time.perf_counter() - began), (self._cpu_seconds() - cpu) / QUERIES

    def memory(self) -> float:
        """Resident megabytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> float:
        """Seconds from SIGTERM to the end."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self._socket.close()
        return time.perf_counter() - began

    def _cpu_seconds(self) -> float:
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def kube_dns(api: str) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "kubelite.net.dns", f"--server={api}", "--bind=127.0.0.1"]
    return Server([*command, f"--port={port}", f"--probe-port={free_port()}"], port)


def dnsmasq(directory: str) -> Server:
    port = free_port()
    hosts = Path(directory, "hosts")
    hosts.write_text("".join(f"{address(n)} web-{n}.default.svc.cluster.local\n" for n in range(SERVICES)))
    options = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--bind-interfaces", "--pid-file"]
    where = [f"--port={port}", "--listen-address=127.0.0.1", f"--addn-hosts={hosts}", "--user=root"]
    return Server(["dnsmasq", "--conf-file=/dev/null", *options, *where], port)


def freshness(server: Server) -> list[float]:
    """Seconds from a change's being written to the watch until the answer shows it, for many changes."""
    delays = []
    for version in range(1, CHANGES + 1):
        began = time.perf_counter()
        FakeAPI.slices.put(peers(version))
        while server.ask(PEERS) != f"172.30.1.{version % 250}":
            pass
        delays.append(time.perf_counter() - began)
    return sorted(delays)


def uncached() -> list[Row]:
    """Microseconds from a question's bytes to its answer's, when nothing is kept."""
    from ipaddress import ip_network

    from kubelite.net.dns.index import Index
    from kubelite.net.dns.model import KINDS, Endpoint, Slice
    from kubelite.net.dns.records import Zone
    from kubelite.net.dns.resolver import Resolver

    index = Index()
    for kind in KINDS:
        index.replace(kind.entry, map(kind.read, listed(kind.path)))
    index.put(Slice(("default", "peers-1"), "peers", tuple(Endpoint.named(address(n)) for n in range(100))))
    resolver = Resolver(index, Zone(("cluster", "local"), (ip_network("172.30.0.0/16"),)), upstream=None)  # type: ignore[arg-type]

    def cost(name: str, repeat: int) -> float:
        wire = dns.message.make_query(name, "A", use_edns=0, payload=4096).to_wire()

        def once() -> None:
            resolver.forget()
            resolver.answer(wire, len)

        return per_call(once, repeat) * 1e6

    return [
        Row("uncached answer, one address", cost(NAME, 500), "us"),
        Row("uncached answer, 100 addresses", cost(PEERS, 50), "us"),
        Row("uncached answer, no such name", cost("github.com.default.svc.cluster.local", 500), "us"),
    ]


def per_call(work: Callable[[], None], repeat: int) -> float:
    def batch() -> float:
        began = time.perf_counter()
        for _ in range(repeat):
            work()
        return (time.perf_counter() - began) / repeat

    return min(batch() for _ in range(3))


def compare(ours: Server) -> list[Row]:
    """Take turns with dnsmasq; the medians of both and their ratios."""
    if not shutil.which("dnsmasq"):
        speed, cpu = median(ours.load() for _ in range(ROUNDS))
        return [
            Row("queries per second", speed, "1/s", "dnsmasq is not installed"),
            Row("CPU per query", cpu * 1e6, "us"),
        ]
    with tempfile.TemporaryDirectory() as directory:
        theirs = dnsmasq(directory)
        theirs.until_it_answers()
        turns = [(ours.load(), theirs.load()) for _ in range(ROUNDS)]
        theirs.stop()
    our_speed, our_cpu = median(our for our, _ in turns)
    their_speed, their_cpu = median(their for _, their in turns)
    return [
        Row("queries per second", our_speed, "1/s", f"dnsmasq {their_speed:.0f}"),
        Row("queries per second / dnsmasq", our_speed / their_speed, "x", "goal > 1"),
        Row("CPU per query", our_cpu * 1e6, "us", f"dnsmasq {their_cpu * 1e6:.1f}"),
        Row("CPU per query / dnsmasq", our_cpu / their_cpu, "x", "goal < 1"),
    ]


def median(pairs: Iterator[tuple[float, float]]) -> tuple[float, float]:
    first, second = zip(*pairs, strict=True)
    return statistics.median(first), statistics.median(second)


def run() -> list[Row]:
    with fake_api() as api:
        server = kube_dns(api)
        start = server.until_it_answers()
        rows = [Row("exec to first answer", start * 1000, "ms", f"{SERVICES} services; goal < 350")]
        rows += compare(server)
        delays = freshness(server)
        rows.append(Row("change to answer, median", statistics.median(delays) * 1000, "ms"))
        rows.append(Row("change to answer, 99th percentile", delays[len(delays) * 99 // 100] * 1000, "ms", "goal < 50"))
        rows.append(Row("memory", server.memory(), "MB", "resident"))
        rows.append(Row("SIGTERM to exit", server.stop() * 1000, "ms"))
    return rows + uncached()


if __name__ == "__main__":
    for row in run():
        print(f"{row.name:40} {row.value:12.2f} {row.unit:4} {row.note}")
