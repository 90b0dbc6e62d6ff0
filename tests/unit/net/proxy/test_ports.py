"""Holding ports of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kubelite.net.proxy.ports import Ports
from kubelite.net.rules import Listen

WEB = ("default", "web")
DB = ("default", "db")
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@pytest.fixture
def ports() -> Iterator[Ports]:
    ports = Ports()
    yield ports
    ports.close()


def free_port() -> int:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return int(tcp.getsockname()[1])


def is_free(protocol: str, port: int) -> bool:
    with socket.socket(type=KINDS[protocol]) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_held_until_no_longer_wanted(ports: Ports, protocol: str) -> None:
    wanted = Listen("", protocol, free_port())
    assert ports.claim(WEB, frozenset({wanted})) == frozenset()
    ports.seal()
    assert not is_free(protocol, wanted.port)
    assert ports.claim(WEB, frozenset({wanted})) == frozenset()
    assert ports.claim(WEB, frozenset()) == frozenset()
    assert is_free(protocol, wanted.port)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_what_another_program_has_comes_back_until_it_is_free(ports: Ports, protocol: str) -> None:
    with socket.socket(type=KINDS[protocol]) as other:
        other.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            other.listen()
        wanted = frozenset({Listen("", protocol, other.getsockname()[1])})
        assert ports.claim(WEB, wanted) == wanted
    assert ports.claim(WEB, wanted) == frozenset()


def test_two_services_of_one_cluster_may_claim_the_same(ports: Ports) -> None:
    wanted = frozenset({Listen("127.0.0.1", "tcp", free_port())})
    assert ports.claim(WEB, wanted) == frozenset()
    assert ports.claim(DB, wanted) == frozenset()


def test_address_of_another_machine_needs_no_holding(ports: Ports) -> None:
    assert ports.claim(WEB, frozenset({Listen("192.0.2.1", "tcp", 80)})) == frozenset()


def test_address_beside_the_same_node_port(ports: Ports) -> None:
    port = free_port()
    assert ports.claim(WEB, frozenset({Listen("", "tcp", port)})) == frozenset()
    assert ports.claim(DB, frozenset({Listen("127.0.0.1", "tcp", port)})) == frozenset()


def test_protocol_without_sockets_is_believed(ports: Ports) -> None:
    assert ports.claim(WEB, frozenset({Listen("", "sctp", 30080)})) == frozenset()


def test_connection_before_the_rules_is_refused_and_not_left_waiting(ports: Ports) -> None:
    wanted = Listen("", "tcp", free_port())
    ports.claim(WEB, frozenset({wanted}))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", wanted.port))


def test_port_that_somebody_took_before_the_rules_is_told_next_time(ports: Ports) -> None:
    wanted = Listen("", "tcp", free_port())
    ports.claim(WEB, frozenset({wanted}))
    with socket.create_server(("127.0.0.1", wanted.port)):
        ports.seal()
        assert ports.claim(WEB, frozenset({wanted})) == {wanted}
