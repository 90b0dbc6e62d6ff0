"""`python3 -m kubelite.net.proxy`: the process of the kube-proxy pod. Wires the parts together, stops on SIGTERM."""

from __future__ import annotations

import argparse
import logging
import signal
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path

from kubelite.net.proxy import bridge, nft, passage
from kubelite.net.proxy.health import Health
from kubelite.net.proxy.model import KINDS
from kubelite.net.proxy.proxy import Proxy
from kubelite.net.proxy.report import Reporter
from kubelite.net.rules import Ground
from kubelite.net.watch import Access, Follower

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")

log = logging.getLogger("kubelite.net.proxy")


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    serve(arguments().parse_args())


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kubelite.net.proxy", description="Service rules of a kubelite cluster")
    add = parser.add_argument
    add("--server", required=True, help="the API's URL")
    add("--table", required=True, help="name of the nftables table")
    add("--node", required=True, help="name of this node")
    add("--gateway", type=ip_address, required=True, help="this machine's address on the pods' bridge")
    add("--pod-cidr", type=ip_network, required=True)
    add("--service-cidr", type=ip_network, required=True)
    add("--health-port", type=int, default=10256, help="HTTP /readyz and /livez, on the gateway's address")
    add("--credentials", type=Path, default=CREDENTIALS, help="directory of token and ca.crt")
    return parser


def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    access = Access(options.server, options.credentials, "kube-proxy")
    reporter = Reporter(access, options.node)
    ground = prepared(options, reporter)
    health = Health(str(options.gateway), options.health_port)
    health.start()
    proxy = Proxy(ground, health, reporter)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: proxy.stop())
    # How `down` and `delete` ask for an end without leftovers.
    signal.signal(signal.SIGUSR1, lambda number, frame: proxy.stop(remove=True))
    for kind in KINDS:
        Follower(access, kind, proxy.post).start()
    sweep(options.table)
    admit(ground)
    proxy.run()
    health.close()


def prepared(options: argparse.Namespace, reporter: Reporter) -> Ground:
    """The bridge made fit; where that isn't allowed or possible the process ends, having said why on the Node."""
    try:
        found = bridge.prepare(options.gateway)
        if found.tracked:
            bridge.Hairpins(found).start()
        ground = Ground(
            table=options.table,
            bridge=found.name,
            gateway=options.gateway,
            pods=options.pod_cidr,
            services=options.service_cidr,
            node=options.node,
            masquerade_pods=not found.tracked,
        )
        bridge.route(ground)
        return ground
    except (bridge.NoBridge, OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or error
        problem = f"the pods' bridge can't be set up: {str(detail).strip()}"
        reporter.rules("BridgeUnavailable", problem, work=False)
        sys.exit(problem)


def admit(ground: Ground) -> None:
    """Other machines may use node ports; without that the rest works."""
    try:
        passage.allow(ground)
    except nft.NftError as error:
        log.warning("the engine's filter keeps other machines from Services: %s", error)


def sweep(own: str) -> None:
    """Remove what is left of clusters that are gone: tables whose gateway address no interface has any more, and rules
    for bridges that there are no more."""
    try:
        passage.close(name for name, _ in passage.ours(nft.rules(*passage.CHAIN) or ()) if not bridge.exists(name))
        for table in nft.tables():
            if table == own or table.partition("-")[0] != "kubelite":
                continue
            gateways = nft.elements(table, "gateway")
            if gateways and not any(map(bridge.has_address, gateways)):
                log.info("removing table %s of a cluster that is gone", table)
                nft.apply(f"delete table ip {table}")
    except nft.NftError as error:
        log.warning("leftovers of other clusters stay: %s", error)


if __name__ == "__main__":
    main()
