"""IP addresses as upstream reads them: zeros in front of a number of an IPv4 address mean nothing (CVE-2021-29923).

After `k8s.io/utils/net`'s sloppy parsers.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

_IN_FRONT = re.compile(r"(?<![0-9])0+(?=[0-9])")


def canonical(text: str) -> str:
    """An IPv4 address without such zeros; anything else as it is."""
    return text if ":" in text else _IN_FRONT.sub("", text)


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """ValueError for what isn't an address."""
    return ip_address(canonical(text))
