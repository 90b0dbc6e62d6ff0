"""A small cluster for the name server's tests, as the API would list it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
import uvloop

from kubelite.net.dns.index import Index
from kubelite.net.dns.model import KINDS
from kubelite.net.dns.records import Zone

Object = dict[str, Any]
HTTP = {"name": "http", "protocol": "TCP", "port": 80}


def namespace(name: str) -> Object:
    return {"metadata": {"name": name}}


def service(name: str, *addresses: str, ports: list[Object] | None = None, **spec: Any) -> Object:
    """A service in the namespace `prod`."""
    spec |= {"clusterIPs": list(addresses), "ports": [HTTP] if ports is None else ports}
    return {"metadata": {"namespace": "prod", "name": name}, "spec": spec}


def external(name: str, target: str) -> Object:
    return service(name, type="ExternalName", externalName=target)


def endpoint(address: str, hostname: str = "", ready: bool | None = True) -> Object:
    return {"addresses": [address], "hostname": hostname, "conditions": {"ready": ready}}


def endpoint_slice(name: str, of: str, *endpoints: Object, ports: list[Object] | None = None) -> Object:
    """A slice in the namespace `prod`."""
    return {
        "metadata": {"namespace": "prod", "name": name, "labels": {"kubernetes.io/service-name": of}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [HTTP | {"port": 8080}] if ports is None else ports,
    }


def in_kube_system(obj: Object) -> Object:
    return obj | {"metadata": obj["metadata"] | {"namespace": "kube-system"}}


NAMESPACES = [namespace("prod"), namespace("kube-system")]

SERVICES = [
    service("web", "10.254.0.10"),
    service("many", "10.254.0.11", ports=[HTTP, {"name": "stat", "protocol": "UDP", "port": 8125}]),
    service("unnamed", "10.254.0.12", ports=[{"protocol": "TCP", "port": 443}]),
    service("portless", "10.254.0.13", ports=[]),
    service("six", "fd00:10::0001"),
    service("both", "10.254.0.14", "fd00:10::14"),
    service("peers", "None"),
    service("loose", "None", ports=[]),
    service("nobody", "None"),
    external("outside", "www.example.org"),
    external("alias", "web.prod.svc.cluster.local."),
    external("peer-alias", "peers.prod.svc.cluster.local"),
    external("dangling", "gone.prod.svc.cluster.local"),
    external("ping", "pong.prod.svc.cluster.local"),
    external("pong", "ping.prod.svc.cluster.local"),
    external("numeric", "192.0.2.7"),
    in_kube_system(service("kube-dns", "10.254.0.2", ports=[{"name": "dns", "protocol": "UDP", "port": 53}])),
]

SLICES = [
    endpoint_slice("web-1", "web", endpoint("172.30.0.10", "first")),
    endpoint_slice(
        "peers-1",
        "peers",
        endpoint("172.30.0.20", "peer-0"),
        endpoint("172.30.0.21", "peer-1"),
        endpoint("172.30.0.22"),
        endpoint("172.30.0.23", "peer-3", ready=False),
    ),
    endpoint_slice(
        "peers-2",
        "peers",
        endpoint("172.30.0.21", "peer-1"),
        endpoint("172.30.0.24", "Twins", ready=None),
        endpoint("172.30.0.25", "Twins"),
    ),
    endpoint_slice("peers-6", "peers", endpoint("fd00:30::5"), endpoint("fd00:30::")),
    endpoint_slice("loose-1", "loose", endpoint("172.30.0.30", "peer-0"), ports=[]),
    endpoint_slice("also-1", "both", endpoint("172.30.0.20", "peer-0")),
    endpoint_slice("nobody-1", "nobody", endpoint("172.30.0.40", ready=False)),
    endpoint_slice("orphan-1", "gone", endpoint("172.30.0.41")),
    in_kube_system(endpoint_slice("kube-dns-1", "kube-dns", endpoint("172.30.0.2"))),
]


@pytest.fixture
def index() -> Index:
    """The cluster's state, as after the first lists."""
    index = Index(serial=100)
    for kind, objects in zip(KINDS, (NAMESPACES, SERVICES, SLICES), strict=True):
        index.replace(kind.entry, map(kind.read, objects))
    index.serial = 100
    return index


@pytest.fixture
def zone() -> Zone:
    return Zone(
        domain=("cluster", "local"),
        ranges=(ip_network("172.30.0.0/16"), ip_network("10.254.0.0/20"), ip_network("fd00:10::/32")),
        own_addresses=("172.30.0.2",),
    )


@pytest.fixture
def bind() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Binds a stream and a datagram socket to the same free port of the loopback address."""
    held: list[socket.socket] = []

    def bind() -> tuple[socket.socket, socket.socket]:
        while True:
            stream, datagram = pair = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
            held.extend(pair)
            stream.bind(("127.0.0.1", 0))
            with suppress(OSError):
                datagram.bind(stream.getsockname())
                return pair

    yield bind
    for sock in held:
        sock.close()


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """The loop that the server runs on."""
    return {"uvloop": uvloop.new_event_loop}
