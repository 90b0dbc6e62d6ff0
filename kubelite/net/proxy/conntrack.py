"""Tracked UDP flows that lead where nothing answers any more: forgotten, so that the next datagram is routed anew.

Without it a client that keeps its port (resolvers do) would go on sending to a pod that is gone: the kernel asks the
rules for the first datagram of a flow only. Formats follow <linux/netfilter/nfnetlink_conntrack.h>.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kubelite.net.proxy.netlink import DUMP, Netlink, attribute, attributes
from kubelite.net.rules import Target

_NETFILTER = 12
_GET, _DELETE = 0x0101, 0x0102
_FAMILY = bytes((socket.AF_INET, 0, 0, 0))
_ORIGINAL, _REPLY, _ZONE = 1, 2, 18
_IP, _PROTOCOL = 1, 2
_SOURCE, _DESTINATION = 1, 2
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_NESTED = 0x8000


@dataclass(frozen=True, slots=True)
class Flow:
    """Where it was sent to and who answers; `identity` is how the kernel knows it again."""

    protocol: int
    sent_to: Target
    answers: Target
    identity: bytes


def forget(datagrams: Mapping[Target, frozenset[Target]]) -> int:
    """Forget UDP flows to these addresses and ports that go to none of their targets; tells how many."""
    netlink = Netlink(_NETFILTER)
    try:
        flows = (parse(message.body) for message in netlink.request(_GET, _FAMILY, DUMP))
        doomed = list(stale(flows, datagrams))
        for flow in doomed:
            _delete(netlink, flow)
    finally:
        netlink.close()
    return len(doomed)


def stale(flows: Iterable[Flow], datagrams: Mapping[Target, frozenset[Target]]) -> Iterator[Flow]:
    """Address "" in `datagrams` is a node port: any address, of flows whose destination was rewritten."""
    for flow in flows:
        if flow.protocol != socket.IPPROTO_UDP:
            continue
        targets = datagrams.get(flow.sent_to)
        if targets is None and flow.sent_to != flow.answers:
            targets = datagrams.get(("", flow.sent_to[1]))
        if targets is not None and flow.answers not in targets:
            yield flow


def parse(body: bytes) -> Flow:
    found = attributes(body, len(_FAMILY))
    original, reply = attributes(found[_ORIGINAL]), attributes(found[_REPLY])
    identity = attribute(_ORIGINAL | _NESTED, found[_ORIGINAL])
    if _ZONE in found:
        identity += attribute(_ZONE, found[_ZONE])
    return Flow(
        protocol=attributes(original[_PROTOCOL])[_NUMBER][0],
        sent_to=_end(original, _DESTINATION, _DESTINATION_PORT),
        answers=_end(reply, _SOURCE, _SOURCE_PORT),
        identity=identity,
    )


def _end(flow: Mapping[int, bytes], address: int, port: int) -> Target:
    number = attributes(flow[_PROTOCOL]).get(port, b"")
    return socket.inet_ntoa(attributes(flow[_IP])[address]), int.from_bytes(number, "big")


def _delete(netlink: Netlink, flow: Flow) -> None:
    try:
        netlink.request(_DELETE, _FAMILY + flow.identity)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
