"""What service rules cost: beside the pod's own address, from a change to the kernel, and at 1,000 Services.

The kernel's part runs this very file in a container of kubelite's image, in a network namespace of its own.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubelite.testing.namespace import Namespace
    from tests.bench.rows import Row

SERVICES, ENDPOINTS = 1000, 10
SINGLE_CHANGES = 50
CHANGES = 200
ROUNDS = 10
CONNECTIONS = 400
BYTES = 1 << 29
PAUSE_SECONDS = 0.0005
REPLICAS = 10
CLIENTS = 4
AFTERMATH_SECONDS = 5.0
"""The last pods are still on their way out when the rollout is done."""


def run() -> Iterator[Row]:
    yield from kernel_rows()
    yield from traffic_rows()


# the kernel's part


def kernel_rows() -> Iterator[Row]:
    import docker

    from kubelite.engine.images import KUBELITE
    from tests.bench.rows import Row

    mounts = {str(Path(__file__)): {"bind": "/bench.py", "mode": "ro"}}
    with closing(docker.from_env()) as client:
        output = client.containers.run(
            KUBELITE, ["python3", "/bench.py"], volumes=mounts, network_mode="none", cap_add=["NET_ADMIN"], remove=True
        )
    found = json.loads(output)
    size = f"{SERVICES} services x {ENDPOINTS} endpoints"
    yield Row("compute all rules", found["compute"], "s", size)
    yield Row("write all rules into the kernel", found["full"], "s", size, 1.0)
    yield Row("write them over older ones", found["again"], "s", size, 1.0)
    yield Row("compute one change", found["change_compute"] * 1000, "ms", size, 1.0)
    yield Row("write one change, median", found["change"] * 1000, "ms", size)
    yield Row("write one change, table of 10 services, median", found["small_change"] * 1000, "ms")
    yield Row("write one change: 1000 services / 10 services", found["change"] / found["small_change"], "x")


def inside() -> None:
    """Prints the figures as JSON."""
    figures = {}
    began = time.perf_counter()
    ruleset = filled(SERVICES)
    script = ruleset.full()
    figures["compute"] = time.perf_counter() - began
    figures["full"] = timed(lambda: apply(script))
    figures["again"] = min(timed(lambda: apply(script)) for _ in range(3))
    computed, written = zip(*(one_change(ruleset, number) for number in range(SINGLE_CHANGES)), strict=True)
    figures["change_compute"], figures["change"] = statistics.median(computed), statistics.median(written)
    small = filled(10)
    apply(small.full())
    figures["small_change"] = statistics.median(one_change(small, number)[1] for number in range(SINGLE_CHANGES))
    print(json.dumps(figures))


def ground() -> Any:
    from kubelite.net.rules import Ground

    networks = IPv4Network("172.16.0.0/12"), IPv4Network("10.254.0.0/16")
    return Ground("bench", "br-1", IPv4Address("172.16.0.1"), *networks, "n1")


def filled(services: int) -> Any:
    from kubelite.net.proxy.ruleset import Ruleset

    ruleset = Ruleset(ground())
    ruleset.change({("default", f"s{number}"): some_fragment(number, 0) for number in range(services)})
    return ruleset


def some_fragment(number: int, shift: int) -> Any:
    """A Service's rules; `shift` moves its first endpoint elsewhere."""
    from kubelite.net.proxy.model import Endpoint, Port, Service, Slice, SlicePort
    from kubelite.net.rules import fragment

    key = ("default", f"s{number}")
    pods = [number * ENDPOINTS + one for one in range(ENDPOINTS - 1)] + [number * ENDPOINTS + 20_000 + shift]
    endpoints = tuple(Endpoint(str(IPv4Address("172.16.1.0") + pod), "n1") for pod in pods)
    service = Service(key, cluster_ips=(str(IPv4Address("10.254.1.0") + number),), ports=(Port("http", "tcp", 80),))
    return fragment(service, [Slice(key, key, endpoints, (SlicePort("http", "tcp", 8080),))], ground())


def one_change(ruleset: Any, number: int) -> tuple[float, float]:
    """Seconds to compute the change of one endpoint, and to write it."""
    began = time.perf_counter()
    script = ruleset.change({("default", f"s{number % 10}"): some_fragment(number % 10, number + 1)})
    return time.perf_counter() - began, timed(lambda: apply(script))


def apply(script: str) -> None:
    from kubelite.net.proxy import nft

    nft.apply(script)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# traffic


def traffic_rows() -> Iterator[Row]:
    with served() as view:
        yield from beside_the_pod(view)
        yield from freshness(view)
        yield from rolling_restart(view)


@contextmanager
def served() -> Iterator[Namespace]:
    """A web server with a large file behind the Service `web`, and a pod to ask from."""
    import os

    from kubelite.testing.cluster import Cluster
    from tests.docker.serving import TOOLS, service, web

    with tempfile.TemporaryDirectory(prefix="kubelite-bench-") as home:
        os.environ["KUBELITE_HOME"] = home
        with Cluster("bench-proxy") as cluster, cluster.fresh_namespace("bench") as view:
            make = f"truncate -s {BYTES} /usr/local/apache2/htdocs/large; exec httpd-foreground"
            view.apply(web("web", 1, command=["sh", "-c", make]))
            view.apply(service("web"))
            view.apply(TOOLS)
            view.wait("deployments", "web")
            view.wait("pods", "tools")
            yield view


def beside_the_pod(view: Namespace) -> Iterator[Row]:
    """In turns: through the Service's address and to the pod's own."""
    from tests.bench.rows import Row

    (pod,) = view.list("pods", "app=web")
    service, direct = view.get("services", "web")["spec"]["clusterIP"], pod["status"]["podIP"]
    seconds: dict[str, list[float]] = {service: [], direct: []}
    rates: dict[str, list[float]] = {service: [], direct: []}
    for number in range(ROUNDS):
        for address in (service, direct) if number % 2 else (direct, service):
            seconds[address].append(new_connections(view, address))
            rates[address].append(throughput(view, address))
    # Other work of the machine only ever adds time: the best of each is compared.
    cost, rate = min(seconds[service]) / CONNECTIONS * 1e6, max(rates[service]) / 1e6
    name = "through a ClusterIP / to the pod"
    yield Row(f"new connection {name}", min(seconds[service]) / min(seconds[direct]), "x", f"{cost:.0f} us each", 1.05)
    yield Row(f"time per byte {name}", max(rates[direct]) / max(rates[service]), "x", f"{rate:.0f} MB/s", 1.05)


def new_connections(view: Namespace, address: str) -> float:
    """Seconds that so many requests take, each with a connection of its own, by the client's own clock."""
    url = f"http://{address}/?n=[1-{CONNECTIONS}]"
    script = 'began=$(date +%s%N); curl -s -o /dev/null -H "Connection: close" "$0"; echo $(($(date +%s%N) - began))'
    return int(view.exec("tools", "sh", "-c", script, url)) / 1e9


def throughput(view: Namespace, address: str) -> float:
    """Bytes per second of one large download."""
    command = ("curl", "-s", "-o", "/dev/null", "-w", "%{speed_download}", f"http://{address}/large")
    return float(view.exec("tools", *command))


def freshness(view: Namespace) -> Iterator[Row]:
    """From before a pod's status says that it is Ready, or no longer, until the next connection is made accordingly."""
    from tests.bench.rows import Row
    from tests.docker.serving import service

    (pod,) = view.list("pods", "app=web")
    view.apply(service("fresh"))
    address = view.get("services", "fresh")["spec"]["clusterIP"]
    pods = f"/api/v1/namespaces/{view.namespace}/pods"
    # Nobody schedules it, so nobody but we says how it is: it stands for the pod of the web server.
    spec = {"schedulerName": "nobody", "containers": [{"name": "c", "image": "httpd"}]}
    view.client.request("POST", pods, {"metadata": {"name": "fresh", "labels": {"app": "fresh"}}, "spec": spec})
    delays = []
    for number in range(2 * CHANGES):
        wanted = number % 2 == 0
        ready = {"type": "Ready", "status": str(wanted)}
        status = {"phase": "Running", "podIP": pod["status"]["podIP"], "conditions": [ready]}
        began = time.perf_counter()
        view.client.request(
            "PATCH", f"{pods}/fresh/status", {"status": status}, content_type="application/merge-patch+json"
        )
        while connects(address) is not wanted:
            time.sleep(PAUSE_SECONDS)  # or the server's queue of connections overflows
        delays.append(time.perf_counter() - began)
    delays.sort()
    yield Row("from Ready until connections go there, median", statistics.median(delays) * 1000, "ms")
    yield Row("from Ready until connections go there, p99", delays[len(delays) * 99 // 100] * 1000, "ms", "", 50.0)


def rolling_restart(view: Namespace) -> Iterator[Row]:
    """Requests without a whole answer while all pods of a Deployment are replaced."""
    from tests.bench.rows import Row
    from tests.docker.serving import service, web

    view.apply(web("rolling", REPLICAS, lifecycle={"preStop": {"sleep": {"seconds": 1}}}))
    view.apply(service("rolling"))
    view.wait("deployments", "rolling")
    address = view.get("services", "rolling")["spec"]["clusterIP"]
    with ThreadPoolExecutor() as clients:
        over = threading.Event()
        counts = [clients.submit(count_requests, address, over) for _ in range(CLIENTS)]
        began = time.perf_counter()
        try:
            view.kubectl("rollout", "restart", "deployment/rolling")
            view.kubectl("rollout", "status", "deployment/rolling", "--timeout=120s")
            seconds = time.perf_counter() - began
            time.sleep(AFTERMATH_SECONDS)
        finally:
            over.set()
    asked, lost = map(sum, zip(*(count.result() for count in counts), strict=True))
    note = f"{asked} requests in {seconds:.1f} s"
    yield Row(f"requests lost in a rolling restart of {REPLICAS} pods", lost, "", note, 0)


def count_requests(address: str, over: threading.Event) -> tuple[int, int]:
    """How many were sent one after the other, and how many got no answer."""
    from tests.docker.serving import fetch

    asked = lost = 0
    while not over.is_set():
        asked += 1
        lost += not fetch(address, 80)
    return asked, lost


def connects(address: str) -> bool:
    try:
        socket.create_connection((address, 80), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    inside()
