from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from kubelite.node.network import choose_range, route_ranges

WANTED = IPv4Network("172.30.0.0/16")


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        ([], "172.30.0.0/16"),
        (["172.17.0.0/16", "0.0.0.0/0"], "172.30.0.0/16"),
        (["172.30.5.0/24"], "172.31.0.0/16"),
        (["172.30.0.0/15"], "172.16.0.0/16"),
        (["172.16.0.0/12"], "10.0.0.0/16"),
    ],
)
def test_range_in_use_gives_way_to_the_next_free_one(taken: list[str], chosen: str) -> None:
    assert choose_range(WANTED, [IPv4Network(network) for network in taken]) == IPv4Network(chosen)


def test_no_free_range_is_an_error() -> None:
    everything = [IPv4Network(network) for network in ("172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/16")]
    with pytest.raises(ValueError, match="no free private range"):
        choose_range(WANTED, everything)


def test_routes_are_read_without_the_default_one() -> None:
    table = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"
        "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\n"
        "eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n"
    )
    assert route_ranges(table) == [IPv4Network("192.168.0.0/16")]
