"""Reverse names: `4.3.2.1.in-addr.arpa` and the nibbles of `ip6.arpa` as addresses.

Pure. Called by `records`; follows RFC 1035 section 3.5 and RFC 3596 section 2.5.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def address_of(labels: tuple[str, ...]) -> str:
    """The address a full reverse name stands for, else the empty string."""
    match labels:
        case (d, c, b, a, "in-addr", "arpa"):
            text = f"{a}.{b}.{c}.{d}"
        case (*nibbles, "ip6", "arpa") if len(nibbles) == 32 and all(len(n) == 1 for n in nibbles):
            digits = "".join(reversed(nibbles))
            text = ":".join(digits[i : i + 4] for i in range(0, 32, 4))
        case _:
            return ""
    return str(ip_address(text)) if is_address(text) else ""


def host_labels(address: str, ranges: Iterable[IPv4Network | IPv6Network]) -> int:
    """How many labels of an address's reverse name lie below the reverse zone of the range that holds it.

    A zone starts at a label: of a range that ends inside one, it is the part around the address.
    """
    parsed = ip_address(address)
    bits = 8 if parsed.version == 4 else 4
    network = next((network for network in ranges if parsed in network), None)
    return (parsed.max_prefixlen - network.prefixlen) // bits if network else 1
