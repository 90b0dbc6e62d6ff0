from __future__ import annotations

from ipaddress import ip_network

import pytest

from kubelite.net.dns.reverse import address_of, host_labels

NIBBLES = ["b", "a", "9", "8", "7", "6", "5", *("0" * 17), "8", "b", "d", "0", "1", "0", "0", "2"]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("54.119.58.176.in-addr.arpa", "176.58.119.54"),
        (".".join(NIBBLES) + ".ip6.arpa", "2001:db8::567:89ab"),
        ("1.2.3.in-addr.arpa", ""),
        ("1.2.3.4.5.in-addr.arpa", ""),
        ("256.2.3.4.in-addr.arpa", ""),
        ("x.2.3.4.in-addr.arpa", ""),
        (".".join(NIBBLES[1:]) + ".ip6.arpa", ""),
        (".".join(["g", *NIBBLES[1:]]) + ".ip6.arpa", ""),
        (".".join(["aa", *NIBBLES[1:]]) + ".ip6.arpa", ""),
        ("1.2.3.4.example.org", ""),
    ],
)
def test_address_of_a_reverse_name(name: str, address: str) -> None:
    assert address_of(tuple(name.split("."))) == address


@pytest.mark.parametrize(
    ("network", "address", "expected"),
    [
        ("10.0.0.0/8", "10.1.2.3", 3),
        ("10.96.0.0/12", "10.97.2.3", 2),
        ("10.0.0.0/16", "10.0.2.3", 2),
        ("10.0.0.0/20", "10.0.2.3", 1),
        ("10.0.0.0/26", "10.0.0.3", 0),
        ("fd00::/64", "fd00::1", 16),
        ("fd00::/62", "fd00::1", 16),
        ("10.0.0.0/8", "192.0.2.1", 1),
    ],
)
def test_reverse_zone_starts_at_a_label(network: str, address: str, expected: int) -> None:
    assert host_labels(address, [ip_network(network)]) == expected
