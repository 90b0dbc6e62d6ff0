"""A host with a bridge, two pods and a neighbour, made of network namespaces; the rules on it, and who reaches what.

Runs inside a container of kubelite's image that may administer its network, with the kind of host as its argument:
`tracked` (bridged frames pass the IP rules), `off` (they could, but the host has it switched off), `absent` (they
can't) or `bypassed` (they can't, and nobody minds). On each Docker's filter drops what isn't let through. Prints as JSON which client address the server saw for each way; "" where nothing came back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from kubelite.net.proxy import bridge, nft, passage
from kubelite.net.proxy.model import Endpoint, Port, Service, Slice, SlicePort
from kubelite.net.proxy.ruleset import Ruleset
from kubelite.net.rules import Ground, fragment

GATEWAY = IPv4Address("172.30.0.1")
CLIENT, SERVER = "172.30.0.2", "172.30.0.3"
NEIGHBOUR, OUTSIDE = "198.51.100.2", "198.51.100.1"
SERVE = (
    "import socket; s = socket.create_server(('', 80))\n"
    "while True: c, a = s.accept(); c.sendall(a[0].encode()); c.close()"
)
ASK = (
    "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1);"
    "print(s.recv(99).decode(), end='')"
)
STRAY = """\
import socket, struct, sys
client, server = (socket.inet_aton(text) for text in sys.argv[1:3])
segment = struct.pack(">HHIIBBHHH", 80, 5555, 1, 1, 5 << 4, 0b11, 1024, 0, 0)
pseudo = server + client + struct.pack(">BBH", 0, 6, len(segment)) + segment
total = sum(struct.unpack(f">{len(pseudo) // 2}H", pseudo))
while total >> 16:
    total = (total & 0xFFFF) + (total >> 16)
segment = segment[:16] + struct.pack(">H", ~total & 0xFFFF) + segment[18:]
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).sendto(segment, (sys.argv[1], 0))
"""
SNIFF = """\
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
s.settimeout(1)
print("listening", flush=True)
try:
    while (packet := s.recvfrom(100))[0][20:24] != bytes((0, 80, 0x15, 0xB3)): pass
    print(packet[1][0])
except TimeoutError: pass
"""
DOCKERS_FILTER = """\
table ip filter {
  chain DOCKER-USER { counter return; }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    jump DOCKER-USER
    oifname "br-1" ct state related,established accept
    iifname "br-1" accept
  }
}
"""
LET_LOOPBACK_OUT = (
    "import socket; from kubelite.net.proxy.bridge import *;"
    "Netlink(0).request(19, route_localnet(socket.if_nametoindex('eth0')))"
)


def main(kind: str) -> None:
    build()
    found = bridge.prepare(GATEWAY) if kind in ("tracked", "off") else untracked()
    ground = Ground("kubelite", found.name, GATEWAY, IPv4Network("172.30.0.0/24"), IPv4Network("10.254.0.0/16"), "n1")
    ground = replace(ground, masquerade_pods=kind == "absent")
    if found.tracked:
        bridge.Hairpins(found).start()
    bridge.route(ground)
    nft.apply(ruleset(ground).full())
    nft.apply(DOCKERS_FILTER)
    refused = ask("neighbour", OUTSIDE, 8768)
    passage.allow(ground)
    found_ways = ways()
    passage.close([ground.bridge])
    left = nft.rules(*passage.CHAIN) or []
    print(json.dumps({**found_ways, "neighbour, without passage": refused, "rules left": str(len(left))}))


def untracked() -> bridge.Bridge:
    """As found where the kernel lacks br_netfilter."""
    found = bridge.prepare(GATEWAY)
    ip("link", "set", "dev", found.name, "type", "bridge", "nf_call_iptables", "0")
    return replace(found, tracked=False)


def build() -> None:
    ip("link", "set", "lo", "up")
    ip("link", "add", "br-1", "type", "bridge")
    ip("address", "add", f"{GATEWAY}/24", "dev", "br-1")
    ip("link", "set", "br-1", "up")
    for name, address in (("client", CLIENT), ("server", SERVER)):
        attach(name, address, str(GATEWAY))
        ip("link", "set", f"to-{name}", "master", "br-1")
    attach("neighbour", NEIGHBOUR, OUTSIDE)
    ip("address", "add", f"{OUTSIDE}/24", "dev", "to-neighbour")
    subprocess.Popen(["ip", "netns", "exec", "server", "python3", "-c", SERVE])
    while not ask("", SERVER, 80):
        time.sleep(0.02)


def attach(name: str, address: str, via: str) -> None:
    """A network namespace behind a pair of interfaces."""
    ip("netns", "add", name)
    ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
    for words in (["link", "set", "lo", "up"], ["address", "add", f"{address}/24", "dev", "eth0"]):
        ip("-n", name, *words)
    ip("-n", name, "link", "set", "eth0", "up")
    ip("link", "set", f"to-{name}", "up")
    ip("-n", name, "route", "add", "default", "via", via)


def ruleset(ground: Ground) -> Ruleset:
    """Service 10.254.0.9 with node port 8768, and 10.254.0.8 with 8769 that keeps the source."""
    made = Ruleset(ground)
    for last, local in ((9, False), (8, True)):
        key = ("default", f"s{last}")
        ports = (Port("", "tcp", 80, 8777 - last),)
        service = Service(key, cluster_ips=(f"10.254.0.{last}",), ports=ports, external_local=local)
        part = Slice(key, key, (Endpoint(SERVER, "n1"),), (SlicePort("", "tcp", 80),))
        made.change({key: fragment(service, [part], ground)})
    return made


def ways() -> dict[str, str]:
    return {
        "pod to Service": ask("client", "10.254.0.9", 80),
        "pod to itself": ask("server", "10.254.0.9", 80),
        "pod to node port": ask("client", str(GATEWAY), 8768),
        "host to Service": ask("", "10.254.0.9", 80),
        "host to node port on loopback": ask("", "127.0.0.1", 8768),
        "host to node port on loopback, policy Local": ask("", "127.0.0.1", 8769),
        "host to node port": ask("", OUTSIDE, 8768),
        "neighbour to node port": ask("neighbour", OUTSIDE, 8768),
        "neighbour to node port, policy Local": ask("neighbour", OUTSIDE, 8769),
        "neighbour to pod": ask("neighbour", SERVER, 80),
        "pod to pod": ask("client", SERVER, 80),
        "stray segment": stray(),
        **loopback(),
    }


def stray() -> str:
    """A segment that belongs to no connection and can't begin one, from pod to pod: whom the receiver sees."""
    listen = ["ip", "netns", "exec", "client", "python3", "-c", SNIFF]
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as sniffer:
        assert sniffer.stdout is not None
        sniffer.stdout.readline()
        subprocess.run(["ip", "netns", "exec", "server", "python3", "-c", STRAY, CLIENT, SERVER], check=True)
        return sniffer.stdout.read().strip()


def loopback() -> dict[str, str]:
    """A pod that sends to the host's 127.0.0.2 by force, with and without the chain that guards it."""
    server = subprocess.Popen(["python3", "-c", SERVE.replace("''", "'127.0.0.2'").replace("80", "8080")])
    while not ask("", "127.0.0.2", 8080):
        time.sleep(0.02)
    ip("-n", "client", "route", "del", "table", "local", "127.0.0.0/8", "dev", "lo")
    subprocess.run(["ip", "netns", "exec", "client", "python3", "-c", LET_LOOPBACK_OUT], check=True)
    ip("-n", "client", "route", "add", "127.0.0.2/32", "via", str(GATEWAY), "dev", "eth0")
    guarded = ask("client", "127.0.0.2", 8080)
    nft.apply("flush chain ip kubelite loopback-guard")
    unguarded = ask("client", "127.0.0.2", 8080)
    server.kill()
    return {"pod to the host's loopback": guarded, "pod to the host's loopback, unguarded": unguarded}


def ask(namespace: str, host: str, port: int) -> str:
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    command = [*inside, "python3", "-c", ASK, host, str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
