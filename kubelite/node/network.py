"""Which range the pod network gets. PURE; called by docker_network."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Network

CANDIDATES = (IPv4Network("172.16.0.0/12"), IPv4Network("10.0.0.0/8"), IPv4Network("192.168.0.0/16"))


def choose_range(wanted: IPv4Network, taken: Iterable[IPv4Network]) -> IPv4Network:
    """`wanted` when nothing overlaps it, else the next free range of its size, then the first free one at all."""
    occupied = [network for network in taken if network.prefixlen > 0]
    for candidate in _candidates(wanted):
        if not any(candidate.overlaps(network) for network in occupied):
            return candidate
    raise ValueError(f"no free private range of the size of {wanted}")


def _candidates(wanted: IPv4Network) -> Iterable[IPv4Network]:
    yield wanted
    for private in CANDIDATES:
        if wanted.prefixlen >= private.prefixlen:
            ranges = list(private.subnets(new_prefix=wanted.prefixlen)) if wanted.prefixlen <= 20 else []
            yield from (candidate for candidate in ranges if candidate > wanted)
            yield from (candidate for candidate in ranges if candidate < wanted)


def route_ranges(table: str) -> list[IPv4Network]:
    """The destinations in /proc/net/route (hexadecimal, little endian), without the default route."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:
            address, mask = (socket.inet_ntoa(struct.pack("<L", int(fields[i], 16))) for i in (1, 7))
            found.append(IPv4Network(f"{address}/{mask}", strict=False))
    return [network for network in found if network.prefixlen > 0]
