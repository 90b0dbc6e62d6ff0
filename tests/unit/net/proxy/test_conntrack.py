"""Which tracked flows are stale; messages as the kernel lays them out."""

from __future__ import annotations

import socket

import pytest

from kubelite.net.proxy.conntrack import Flow, parse, stale
from kubelite.net.proxy.netlink import attribute, attributes, messages, nested

DNS = ("10.254.0.2", 53)
OLD, NEW = ("172.30.0.2", 53), ("172.30.0.3", 53)


def flow(sent_to: tuple[str, int], answers: tuple[str, int], protocol: int = socket.IPPROTO_UDP) -> Flow:
    return Flow(protocol, sent_to, answers, b"")


@pytest.mark.parametrize(
    ("tracked", "expected"),
    [
        (flow(DNS, OLD), True),
        (flow(DNS, NEW), False),
        (flow(DNS, DNS), True),
        (flow(DNS, OLD, socket.IPPROTO_TCP), False),
        (flow(("10.254.0.9", 53), OLD), False),
        (flow(("192.0.2.2", 30053), OLD), True),
        (flow(("127.0.0.1", 30053), NEW), False),
        (flow(("192.0.2.99", 30053), ("192.0.2.99", 30053)), False),
    ],
)
def test_flow_to_what_is_no_endpoint_is_stale(tracked: Flow, expected: bool) -> None:
    datagrams = {DNS: frozenset({NEW}), ("", 30053): frozenset({NEW})}
    assert bool(list(stale([tracked], datagrams))) is expected


def test_without_endpoints_every_flow_is_stale() -> None:
    assert len(list(stale([flow(DNS, OLD), flow(DNS, DNS)], {DNS: frozenset()}))) == 2


def side(source: str, source_port: int, destination: str, destination_port: int) -> bytes:
    addresses = nested(1, attribute(1, socket.inet_aton(source)), attribute(2, socket.inet_aton(destination)))
    ports = (attribute(2, source_port.to_bytes(2, "big")), attribute(3, destination_port.to_bytes(2, "big")))
    return addresses + nested(2, attribute(1, bytes([socket.IPPROTO_UDP])), *ports)


def test_kernels_message_is_read() -> None:
    original = side("172.30.0.9", 40000, *DNS)
    body = bytes((socket.AF_INET, 0, 0, 0)) + nested(1, original) + nested(2, side(*OLD, "172.30.0.9", 40000))
    found = parse(body)
    assert (found.protocol, found.sent_to, found.answers) == (socket.IPPROTO_UDP, DNS, OLD)
    assert found.identity == nested(1, original)


def test_zone_is_part_of_the_identity() -> None:
    zone = attribute(18, b"\0\7")
    body = bytes(4) + nested(1, side("172.30.0.9", 1, *DNS)) + nested(2, side(*OLD, "172.30.0.9", 1)) + zone
    assert parse(body).identity.endswith(zone)


def test_attributes_are_padded_to_four_bytes() -> None:
    assert attribute(3, b"a") == b"\5\0\3\0a\0\0\0"
    assert attributes(attribute(3, b"a") + nested(4, attribute(1, b"xy"))) == {3: b"a", 4: attribute(1, b"xy")}


def test_datagram_of_several_messages() -> None:
    one = b"\x15\0\0\0" + b"\x10\0" + bytes(10) + b"hello" + bytes(3)
    two = b"\x12\0\0\0" + b"\x11\0" + bytes(10) + b"hi"
    assert [(message.type, message.body) for message in messages(one + two)] == [(16, b"hello"), (17, b"hi")]
