"""The loop between the watches and the kernel; a fake kernel that takes scripts."""

from __future__ import annotations

import queue
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from kubelite.net.proxy import bridge, conntrack, nft, proxy
from kubelite.net.proxy.health import Checks, Health
from kubelite.net.proxy.model import Endpoint, Port, Service, Slice, SlicePort
from kubelite.net.proxy.proxy import Proxy
from kubelite.net.rules import Ground, Listen, Target

GROUND = Ground(
    "kubelite-t", "br-1", IPv4Address("172.30.0.1"), IPv4Network("172.30.0.0/16"), IPv4Network("10.254.0.0/16"), "n1"
)
WEB = ("default", "web")
SECONDS = 10


class Kernel:
    """Takes scripts unless it `refuses`; remembers them, and which flows were looked for."""

    def __init__(self) -> None:
        self.refuses = ""
        self.has_table = False
        self.scripts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.flows: queue.SimpleQueue[dict[Target, frozenset[Target]]] = queue.SimpleQueue()

    def apply(self, script: str) -> None:
        if self.refuses:
            raise nft.NftError(self.refuses)
        self.has_table = not script.startswith("delete table")
        self.scripts.put(script)

    def tables(self) -> list[str]:
        return [GROUND.table] if self.has_table else []

    def forget(self, datagrams: dict[Target, frozenset[Target]]) -> int:
        self.flows.put(datagrams)
        return len(datagrams)


class Told:
    """What would be reported."""

    def __init__(self) -> None:
        self.conditions: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
        self.events: queue.SimpleQueue[Listen] = queue.SimpleQueue()

    def rules(self, reason: str, message: str, *, work: bool) -> None:
        self.conditions.put((reason, work))

    def taken(self, service: Service, listen: Listen) -> None:
        self.events.put(listen)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(nft, "apply", kernel.apply)
    monkeypatch.setattr(nft, "tables", kernel.tables)
    monkeypatch.setattr(nft, "rules", lambda table, chain: None)
    monkeypatch.setattr(conntrack, "forget", kernel.forget)
    monkeypatch.setattr(bridge, "route", lambda ground: None)
    monkeypatch.setattr(bridge, "unroute", lambda ground: None)
    monkeypatch.setattr(proxy, "TICK_SECONDS", 0.01)
    return kernel


class Running:
    def __init__(self) -> None:
        self.health = Health("127.0.0.1", 0)
        self.told = Told()
        self.proxy = Proxy(GROUND, self.health, self.told)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=self.proxy.run)

    def listed(self, *services: Service) -> None:
        self.proxy.post(lambda state: state.replace(Slice, []))
        self.proxy.post(lambda state: state.replace(Service, services))

    def put(self, entry: Service | Slice) -> None:
        self.proxy.post(lambda state: state.put(entry))


@pytest.fixture
def running(kernel: Kernel) -> Iterator[Running]:
    running = Running()
    running.health.start()
    running.thread.start()
    yield running
    running.proxy.stop()
    running.thread.join(SECONDS)
    assert not running.thread.is_alive()
    running.health.close()


def service(*, protocol: str = "tcp", node_port: int = 0) -> Service:
    return Service(WEB, cluster_ips=("10.254.0.9",), ports=(Port("", protocol, 80, node_port),))


def part(*addresses: str, protocol: str = "tcp") -> Slice:
    return Slice(("default", "web-1"), WEB, tuple(map(Endpoint, addresses)), (SlicePort("", protocol, 80),))


def test_first_script_is_the_whole_table_and_the_next_a_difference(kernel: Kernel, running: Running) -> None:
    running.listed(service())
    first = kernel.scripts.get(timeout=SECONDS)
    assert first.startswith("add table ip kubelite-t\ndelete table ip kubelite-t\ntable ip kubelite-t {")
    assert "refused-ips { 10.254.0.9 . tcp . 80 : goto refuse }" in first
    running.put(part("172.30.0.5"))
    second = kernel.scripts.get(timeout=SECONDS)
    assert "dnat ip to 172.30.0.5:80" in second
    assert "table ip kubelite-t {" not in second


def test_nothing_is_written_before_everything_is_known(kernel: Kernel, running: Running) -> None:
    running.put(service())
    running.put(part("172.30.0.5"))
    running.listed(service())
    assert "10.254.0.9" in kernel.scripts.get(timeout=SECONDS)


def test_readiness_follows_the_kernel(kernel: Kernel, running: Running) -> None:
    assert answer(running, "/readyz") == (503, "waiting for the API")
    assert answer(running, "/livez") == (200, "ok")
    assert answer(running, "/other")[0] == 404
    running.listed()
    assert running.told.conditions.get(timeout=SECONDS) == ("RulesInKernel", True)
    assert answer(running, "/readyz") == (200, "ok")


def answer(running: Running, path: str) -> tuple[int, str]:
    host, port = running.health.address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=SECONDS) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_load_balancers_are_told_of_ready_pods_on_this_node(
    kernel: Kernel, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
    monkeypatch.setattr(Checks, "put", lambda checks, key, port, endpoints: told.put((port, endpoints)))
    ready, elsewhere = Endpoint("172.30.0.5", "n1"), Endpoint("172.30.0.6", "n2")
    leaving = Endpoint("172.30.0.7", "n1", ready=False, terminating=True)
    running.listed(replace(service(), health_port=32000))
    assert told.get(timeout=SECONDS) == (32000, 0)
    running.put(replace(part(), endpoints=(ready, elsewhere, leaving)))
    assert told.get(timeout=SECONDS) == (32000, 1)


def test_kernel_without_nftables_is_told_and_tried_again(kernel: Kernel, running: Running) -> None:
    kernel.refuses = "Operation not supported"
    running.listed(service())
    assert running.told.conditions.get(timeout=SECONDS) == ("NftablesUnavailable", False)
    status, text = answer(running, "/readyz")
    assert status == 503
    assert "Operation not supported" in text
    kernel.refuses = ""
    assert "10.254.0.9" in kernel.scripts.get(timeout=SECONDS)
    assert answer(running, "/readyz")[0] == 200


def test_table_that_somebody_removed_comes_back(kernel: Kernel, running: Running) -> None:
    running.listed(service())
    kernel.scripts.get(timeout=SECONDS)
    kernel.has_table = False
    assert kernel.scripts.get(timeout=SECONDS).startswith("add table ip kubelite-t")


def test_difference_that_does_not_fit_makes_the_table_anew(
    kernel: Kernel, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.listed(service())
    kernel.scripts.get(timeout=SECONDS)

    def only_whole(script: str) -> None:
        if not script.startswith("add table"):
            raise nft.NftError("No such file or directory")
        kernel.apply(script)

    monkeypatch.setattr(nft, "apply", only_whole)
    running.put(part("172.30.0.5"))
    assert "dnat ip to 172.30.0.5:80" in kernel.scripts.get(timeout=SECONDS)


def test_datagram_flows_to_a_removed_endpoint_are_forgotten(kernel: Kernel, running: Running) -> None:
    running.listed(service(protocol="udp"))
    assert kernel.flows.get(timeout=SECONDS) == {("10.254.0.9", 80): frozenset()}
    running.put(part("172.30.0.5", protocol="udp"))
    assert kernel.flows.get(timeout=SECONDS) == {("10.254.0.9", 80): {("172.30.0.5", 80)}}
    running.put(Service(WEB))
    assert kernel.flows.get(timeout=SECONDS) == {("10.254.0.9", 80): frozenset()}


def test_taken_node_port_is_told_once_and_gets_its_rule_when_free(kernel: Kernel, running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        running.listed(service(node_port=port))
        assert running.told.events.get(timeout=SECONDS) == Listen("", "tcp", port)
        assert f"tcp . {port}" not in kernel.scripts.get(timeout=SECONDS)
    assert f"refused-node-ports {{ tcp . {port} : goto refuse }}" in kernel.scripts.get(timeout=SECONDS)
    assert running.told.events.empty()


def test_stop_leaves_the_table_unless_asked_to_remove_it(kernel: Kernel) -> None:
    for remove in (False, True):
        running = Running()
        running.thread.start()
        running.listed()
        kernel.scripts.get(timeout=SECONDS)
        running.proxy.stop(remove=remove)
        running.thread.join(SECONDS)
        running.health.close()
        assert kernel.has_table is not remove
    assert kernel.scripts.get(timeout=SECONDS) == "delete table ip kubelite-t"
