"""Ranges and ports that nothing on this machine uses yet. Called when a cluster is made."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from kubelite.config import LABEL_SERVICE_CIDR
from kubelite.engine import EngineError

PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def subnets(networks: Iterable[Mapping[str, Any]]) -> list[IPv4Network]:
    """What networks of the engine (as its API lists them) occupy."""
    pools = [pool for network in networks for pool in (network.get("IPAM") or {}).get("Config") or ()]
    return [IPv4Network(pool["Subnet"], strict=False) for pool in pools if ":" not in pool.get("Subnet", ":")]


def service_ranges(networks: Iterable[Mapping[str, Any]]) -> list[IPv4Network]:
    """Service ranges of the engine's other clusters, whoever's they are: their rules are on the same host."""
    labels = [network.get("Labels") or {} for network in networks]
    return [IPv4Network(found[LABEL_SERVICE_CIDR]) for found in labels if LABEL_SERVICE_CIDR in found]


def host_networks() -> list[IPv4Network]:
    """What the host routes already, but for its default route."""
    return [network for network, _ in host_routes()]


def host_routes(table: Path = Path("/proc/net/route")) -> list[tuple[IPv4Network, str]]:
    """Networks with their interfaces; none where the kernel has no such table."""
    found = []
    with contextlib.suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            address, mask = (socket.inet_ntoa(bytes.fromhex(columns[at])[::-1]) for at in (1, 7))
            if mask != "0.0.0.0":
                found.append((IPv4Network(f"{address}/{mask}", strict=False), columns[0]))
    return found


def nameservers(*files: Path) -> list[IPv4Network]:
    """The host's: often behind its default route, in the very range that a cluster would like."""
    found = []
    for file in files or RESOLVER_FILES:
        with contextlib.suppress(OSError):
            for line in file.read_text().splitlines():
                with contextlib.suppress(ValueError):
                    found += [IPv4Network(word) for word in line.split()[1:2] if line.startswith("nameserver")]
    return found


def free_network(wanted: IPv4Network, taken: Sequence[IPv4Network], what: str) -> IPv4Network:
    """`wanted` when nothing overlaps it, else another private network of its size, the following ones first."""
    for candidate in _alternatives(wanted):
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise EngineError(f"no free {what} like {wanted}", "Name one with --pod-cidr or --service-cidr.")


def _alternatives(wanted: IPv4Network) -> Iterator[IPv4Network]:
    yield wanted
    for block in sorted(PRIVATE, key=lambda block: not wanted.subnet_of(block)):
        if block.prefixlen <= wanted.prefixlen:
            yield from (one for one in block.subnets(new_prefix=wanted.prefixlen) if one > wanted)
            yield from (one for one in block.subnets(new_prefix=wanted.prefixlen) if one < wanted)


def free_port(wanted: int, reserved: Sequence[int] = ()) -> int:
    """`wanted` when it can be bound on 127.0.0.1 and isn't reserved, else any free port."""
    for port in [wanted] * (wanted not in reserved) + [0] * (len(reserved) + 1):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found = int(probe.getsockname()[1])
            if found not in reserved:
                return found
    raise OSError(errno.EADDRINUSE, "no free port on 127.0.0.1")
