"""`python3 -m kubelite.net.dns`: the process of the kube-dns pod. Wires the parts together, stops on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from kubelite.net.dns.forward import Forwarder, ResolvConf
from kubelite.net.dns.index import Index
from kubelite.net.dns.records import Zone
from kubelite.net.dns.resolver import Resolver
from kubelite.net.dns.server import Probe, TCPServer, UDPServer
from kubelite.net.dns.source import Source
from kubelite.net.watch import Access

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    uvloop.run(serve(arguments().parse_args()))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubelite.net.dns", description="DNS of a kubelite cluster")
    parser.add_argument("--server", default=in_cluster_server(), help="the API's URL")
    parser.add_argument("--domain", default="cluster.local")
    parser.add_argument("--pod-cidr", type=ip_network, help="answered for in reverse")
    parser.add_argument("--service-cidr", type=ip_network, help="answered for in reverse")
    parser.add_argument("--bind", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--probe-port", type=int, default=8181, help="HTTP /ready and /health")
    parser.add_argument("--credentials", type=Path, default=CREDENTIALS, help="directory of token and ca.crt")
    parser.add_argument("--resolv-conf", type=Path, default=Path("/etc/resolv.conf"), help="whom to ask foreign names")
    return parser


def in_cluster_server() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


async def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    own = own_address(options.server)
    ranges = tuple(network for network in (options.pod_cidr, options.service_cidr) if network)
    zone = Zone(tuple(options.domain.lower().strip(".").split(".")), ranges, (own,))
    index = Index(serial=int(time.time()))
    forwarder = Forwarder(ResolvConf(options.resolv_conf, leads_back(own, options.service_cidr)))
    resolver = Resolver(index, zone, forwarder)
    source = Source(Access(options.server, options.credentials, "kube-dns"), index, resolver.forget)
    source.start()
    UDPServer(resolver, bound(socket.SOCK_DGRAM, options.bind, options.port))
    await TCPServer(resolver).start(bound(socket.SOCK_STREAM, options.bind, options.port))
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Probe(lambda: index.synced), options.bind, options.probe_port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def bound(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind is socket.SOCK_STREAM)
    sock.bind((host, port))
    return sock


def own_address(server: str) -> str:
    """The address this host would speak to the API from; nothing is sent."""
    url = urlsplit(server)
    family, _, _, _, target = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(target)
        return str(sock.getsockname()[0])


def leads_back(own: str, services: IPv4Network | IPv6Network | None) -> Callable[[str], bool]:
    """Tells a resolver's address that is this very server's: asking it would never end."""

    def is_own(text: str) -> bool:
        address = ip_address(text.partition("%")[0])
        return text == own or address.is_loopback or (services is not None and address in services)

    return is_own


if __name__ == "__main__":
    main()
