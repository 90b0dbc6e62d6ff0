"""1 GiB each way through `kubectl port-forward`, byte-exact, inside a WebSocket and raw; what it costs the control plane.

The pod sends back what it gets, so each byte passes twice.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubelite.testing.cluster import Cluster
from kubelite.testing.namespace import Namespace
from tests.bench.rows import Row
from tests.kubectl.echo import digest, echo_pod, echoed

BYTES = 1 << 30
BLOCK = os.urandom(1 << 20)
MAY_GROW = 20.0


def run() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="kubelite-bench-") as home:
        os.environ["KUBELITE_HOME"] = home
        with Cluster("bench-streams") as cluster, cluster.fresh_namespace("bench") as view:
            view.apply(echo_pod())
            view.wait("pods", "echo")
            for name, websockets in (("WebSocket", "true"), ("raw SPDY", "false")):
                yield from forwarded(view, name, websockets)


def forwarded(view: Namespace, name: str, websockets: str) -> Iterator[Row]:
    process = Path("/proc", view.settings.pid_file.read_text().strip())
    before, cpu = resident(process), cpu_seconds(process)
    with forwarding(view, websockets) as port:
        began = time.perf_counter()
        back = echoed(port, BLOCK, BYTES // len(BLOCK))
        seconds = time.perf_counter() - began
    exact = back == digest(BLOCK, BYTES // len(BLOCK))
    yield Row(f"port-forward, {name}: wrong bytes of 1 GiB", float(not exact), "", "there and back", 0)
    yield Row(f"port-forward, {name}: MB/s each way at once", BYTES / seconds / 1e6, "MB/s")
    yield Row(f"port-forward, {name}: control plane's CPU", cpu_seconds(process) - cpu, "s", "for 2 GiB")
    yield Row(f"port-forward, {name}: its memory's growth", resident(process) - before, "MB", "", MAY_GROW)


@contextmanager
def forwarding(view: Namespace, websockets: str) -> Iterator[int]:
    """The local port that leads to the pod."""
    command = ["kubectl", "--namespace", view.namespace, "port-forward", "echo", ":9000"]
    environment = {"KUBECONFIG": str(view.kubeconfig), "KUBECTL_PORT_FORWARD_WEBSOCKETS": websockets}
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"127.0.0.1:(\d+) ->", process.stdout.readline())
            assert found
            yield int(found[1])
        finally:
            process.kill()


def resident(process: Path) -> float:
    """Megabytes."""
    return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(process: Path) -> float:
    ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
