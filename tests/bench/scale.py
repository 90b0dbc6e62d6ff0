"""What a pod costs among many: 100 at once beside the bare engine, and the control plane's CPU from 10 to 200.

The bare engine's cost is that of as many httpd containers alone, without the sandboxes that pods have, started by a
pool of threads of the size that is fastest on this machine; the row below it has the sandboxes on both sides.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kubelite import lifecycle
from kubelite.cli.client import Client
from kubelite.config import Settings
from tests.bench import processes
from tests.bench.bare import Bare, bare_engine
from tests.bench.pods import engine, up
from tests.bench.rows import Row, ratio
from tests.bench.workload import Workload

NAME = "bench-many"
REPLICAS = 10
SETS = 10
ROUNDS = 2
POOLS = (2, 4, 8, 16)
SIZES = (10, 100, 200)
REST_SECONDS = 1.0


def run() -> Iterator[Row]:
    with engine() as (endpoint, client), tempfile.TemporaryDirectory(prefix="kubelite-bench-") as home:
        settings = Settings(name=NAME, home=Path(home))
        try:
            settings = up(settings)
            with bare_engine(client) as bare:
                yield from _beside_the_engine(Client.of(settings), bare)
            yield from _control_plane(settings)
        finally:
            lifecycle.delete(settings, endpoint, lambda text: None)


def parallel(api: Client, pods: int) -> Workload:
    return Workload(api, "StatefulSet", REPLICAS, pods // REPLICAS, podManagementPolicy="Parallel")


def _beside_the_engine(api: Client, bare: Bare) -> Iterator[Row]:
    pods = SETS * REPLICAS
    trials = {threads: bare.in_a_pool(3 * REPLICAS, threads) / (3 * REPLICAS) for threads in POOLS}
    threads = min(trials, key=lambda one: trials[one])
    shown = ", ".join(f"{threads} threads {seconds:.3f}" for threads, seconds in trials.items())
    yield Row("bare engine: one container, from the best pool", trials[threads], "s", shown)
    workload = parallel(api, pods)
    ours, alone, whole = [], [], []
    for _ in range(ROUNDS):
        alone.append(bare.in_a_pool(pods, threads) / pods)
        ours.append(workload.create() / pods)
        workload.delete()
        whole.append(bare.in_a_pool(pods, threads, bare.start_with_sandbox) / pods)
    name = f"{pods} pods in {SETS} parallel StatefulSets, per pod"
    yield ratio(f"{name} / container", ours, alone, 1.3)
    yield ratio(f"{name} / with sandbox", ours, whole, 1.0)


def _control_plane(settings: Settings) -> Iterator[Row]:
    """CPU that the control plane takes from the creation of so many pods until they are Ready, for each."""
    api, pid = Client.of(settings), processes.control_plane(settings)
    cost: dict[int, float] = {}
    for pods in SIZES:
        workload, samples = parallel(api, pods), []
        for _ in range(max(1, 30 // pods)):
            before = processes.cpu_seconds(pid)
            workload.create()
            time.sleep(REST_SECONDS)
            samples.append((processes.cpu_seconds(pid) - before) / pods)
            workload.delete()
        cost[pods] = statistics.median(samples)
        yield Row(f"control plane's CPU per pod, {pods} pods", 1000 * cost[pods], "ms")
    growth = cost[SIZES[-1]] / cost[SIZES[0]]
    yield Row(f"control plane's CPU per pod: {SIZES[-1]} pods / {SIZES[0]}", growth, "x")
