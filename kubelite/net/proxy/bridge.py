"""The pods' bridge, made fit for the rules: replies between two pods pass connection tracking, a pod reaches itself
through its Service, and replies to this machine's loopback addresses may come back in.

Frames between two ports of a bridge skip IP rules unless br_netfilter is there; then they are rewritten on the bridge
itself, which sends nothing out where it came in unless the port is in hairpin mode. New pods' ports are heard of by
route netlink. Formats follow <linux/if_link.h> and rtnetlink(7).
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from kubelite.net.proxy.netlink import DUMP, Message, Netlink, attribute, attributes, nested
from kubelite.net.rules import Ground

_ROUTE = 0
_LINKS = 1  # the multicast group of links
_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_LINK = struct.Struct("=BBHiII")  # family, padding, type, index, flags, change
_BRIDGE_FAMILY = 7
_MASTER, _PROTOCOL_INFO, _FAMILY_INFO = 10, 12, 26
_PORT_HAIRPIN = 4
_INET, _INET_CONFIG, _ROUTE_LOCALNET = 2, 1, 26
_BRIDGE_RULES = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class NoBridge(Exception):
    """No interface of this machine has the pods' gateway address."""


@dataclass(frozen=True, slots=True)
class Bridge:
    name: str
    index: int
    tracked: bool  # what it forwards passes the IP rules


def prepare(gateway: IPv4Address) -> Bridge:
    """Find the bridge by its address and set it up."""
    found = json.loads(_ip("-j", "-4", "address", "show", "to", f"{gateway}/32"))
    if not found:
        raise NoBridge(f"no interface has the address {gateway}")
    name, index = str(found[0]["ifname"]), int(found[0]["ifindex"])
    tracked = _BRIDGE_RULES.exists()
    if tracked:
        _ip("link", "set", "dev", name, "type", "bridge", "nf_call_iptables", "1")
    netlink = Netlink(_ROUTE)
    try:
        netlink.request(_SETLINK, route_localnet(index))
    finally:
        netlink.close()
    return Bridge(name, index, tracked)


def route(ground: Ground) -> None:
    """Let this machine's own connections to Services begin while it has no default route (a laptop on a train): the
    kernel wants a route before it asks the rules. While there is one, a route of ours could only be in the way."""
    ours, default = _routes(str(ground.services)), _routes("default")
    if not default and not ours:
        _ip("route", "replace", str(ground.services), "dev", ground.bridge, "src", str(ground.gateway))
    elif default and ours:
        unroute(ground)


def unroute(ground: Ground) -> None:
    if _routes(str(ground.services)):
        _ip("route", "del", str(ground.services), "dev", ground.bridge)


def _routes(destination: str) -> bool:
    return bool(json.loads(_ip("-j", "-4", "route", "show", destination)))


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


def exists(name: str) -> bool:
    """Whether this machine has an interface of that name."""
    return name in (found for _, found in socket.if_nameindex())


def has_address(address: str) -> bool:
    """Whether an interface of this machine has it."""
    return bool(json.loads(_ip("-j", "-4", "address", "show", "to", f"{address}/32")))


def route_localnet(index: int) -> bytes:
    """The message that lets packets for 127.0.0.0/8 pass on one interface (the rules drop those not asked for)."""
    config = nested(_INET_CONFIG, attribute(_ROUTE_LOCALNET, struct.pack("=I", 1)))
    return _LINK.pack(0, 0, 0, index, 0, 0) + nested(_FAMILY_INFO, nested(_INET, config))


def hairpin(port: int) -> bytes:
    """The message that lets a port of a bridge send back what came from it."""
    return _LINK.pack(_BRIDGE_FAMILY, 0, 0, port, 0, 0) + nested(_PROTOCOL_INFO, attribute(_PORT_HAIRPIN, b"\1"))


class Hairpins(threading.Thread):
    """Puts every port of the bridge into hairpin mode, those that come later as they come."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(name="hairpins", daemon=True)
        self._bridge = bridge
        self._news = Netlink(_ROUTE, _LINKS)
        self._commands = Netlink(_ROUTE)
        self._done: set[int] = set()
        self._list()

    def run(self) -> None:
        while True:
            try:
                for message in self._news.receive():
                    self._heard(message)
            except OSError:
                # More came at once than the socket holds: look at all of them.
                self._list()

    def _list(self) -> None:
        for message in self._commands.request(_GETLINK, _LINK.pack(0, 0, 0, 0, 0, 0), DUMP):
            self._heard(message)

    def _heard(self, message: Message) -> None:
        if message.type not in (_NEWLINK, _DELLINK):
            return
        index = _LINK.unpack_from(message.body)[3]
        master = attributes(message.body, _LINK.size).get(_MASTER)
        attached = message.type == _NEWLINK and master == struct.pack("=I", self._bridge.index)
        if not attached:
            self._done.discard(index)
        elif index not in self._done:
            self._done.add(index)
            # A port may be gone again by now.
            with suppress(OSError):
                self._commands.request(_SETLINK, hairpin(index))
