"""Ranges and ports of a new cluster."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from kubelite.engine import EngineError
from kubelite.lifecycle.ranges import free_network, free_port, host_routes, nameservers, service_ranges, subnets


@pytest.mark.parametrize(
    ("wanted", "taken", "expected"),
    [
        ("172.30.0.0/16", [], "172.30.0.0/16"),
        ("172.30.0.0/16", ["172.31.0.0/16", "10.0.0.0/8"], "172.30.0.0/16"),
        ("172.30.0.0/16", ["172.30.128.0/20"], "172.31.0.0/16"),
        ("172.30.0.0/16", ["172.30.0.0/16", "172.31.0.0/16"], "172.16.0.0/16"),
        ("172.30.4.0/24", ["172.30.0.0/16"], "172.31.0.0/24"),
        ("10.254.0.0/16", ["10.254.0.0/16", "10.255.0.0/16"], "10.0.0.0/16"),
        ("10.254.0.0/16", ["10.0.0.0/8"], "172.16.0.0/16"),
    ],
)
def test_network_is_the_wanted_one_or_another_private_one_that_overlaps_nothing(
    wanted: str, taken: list[str], expected: str
) -> None:
    assert free_network(IPv4Network(wanted), [IPv4Network(one) for one in taken], "range") == IPv4Network(expected)


def test_network_that_cannot_be_had_is_named() -> None:
    with pytest.raises(EngineError, match=r"no free pod network like 240\.0\.0\.0/4"):
        free_network(IPv4Network("240.0.0.0/4"), [IPv4Network("240.0.0.0/24")], "pod network")


def test_port_is_the_wanted_one_or_any_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wanted = taken.getsockname()[1]
        taken.listen()
        found = free_port(wanted)
        assert found not in (0, wanted)
    assert free_port(wanted) == wanted


def test_port_of_another_cluster_is_left_to_it() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        wanted = probe.getsockname()[1]
    assert free_port(wanted, [wanted]) not in (0, wanted)


def test_service_ranges_of_other_clusters_are_read_from_their_networks() -> None:
    networks: list[dict[str, Any]] = [
        {"Name": "bridge", "Labels": None, "IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}]}},
        {"Name": "kubelite", "Labels": {"kubelite.service-cidr": "10.254.0.0/16"}, "IPAM": {"Config": None}},
    ]
    assert service_ranges(networks) == [IPv4Network("10.254.0.0/16")]
    assert subnets(networks) == [IPv4Network("172.17.0.0/16")]


def test_nameservers_of_the_host_count_as_taken(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# nameserver 1.1.1.1\nsearch example.org\nnameserver 10.255.255.53\nnameserver fe80::1%eth0\n")
    found = nameservers(file, tmp_path / "missing")
    assert found == [IPv4Network("10.255.255.53/32")]
    wanted = IPv4Network("10.255.0.0/16")
    assert free_network(wanted, found, "service range") == IPv4Network("10.0.0.0/16")


def test_routes_of_the_host_are_read_with_their_interfaces(tmp_path: Path) -> None:
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n"
        "br-1\t00001AAC\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
    )
    assert host_routes(table) == [(IPv4Network("172.26.0.0/24"), "br-1")]
    assert host_routes(tmp_path / "missing") == []
