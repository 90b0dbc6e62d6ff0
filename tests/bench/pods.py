"""What Kubernetes semantics cost on top of the bare engine: every figure is a ratio of pairs taken in turn.

The bare side does through the SDK what the kubelet must at least do: create and start the same httpd containers on a
user network. The kubelite side ends when the API says Ready.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import docker

from kubelite import lifecycle
from kubelite.cli.client import Client
from kubelite.config import Settings
from kubelite.engine import daemon, find, images
from tests.bench import processes
from tests.bench.bare import Bare, bare_engine
from tests.bench.rows import Row, ratio, spread, timed
from tests.bench.workload import Workload

NAME = "bench"
ROUNDS = 5
IDLE_SECONDS = 20.0


def run() -> Iterator[Row]:
    with engine() as (endpoint, client), tempfile.TemporaryDirectory(prefix="kubelite-bench-") as home:
        settings = Settings(name=NAME, home=Path(home))
        try:
            yield from _up(settings, endpoint)
            loaded = Settings.load(NAME, Path(home))
            assert loaded is not None
            with bare_engine(client) as bare:
                yield from _ratios(Client.of(loaded), bare)
            yield from _idle(loaded, client)
        finally:
            lifecycle.delete(settings, endpoint, lambda text: None)


@contextlib.contextmanager
def engine() -> Iterator[tuple[find.Endpoint, docker.DockerClient]]:
    """With every image."""
    endpoint = daemon.ensure(True, print)
    with contextlib.closing(find.connect(endpoint, pool_size=64)) as client:
        images.ensure(client, images.NAMES, print)
        yield endpoint, client


# up


def _up(settings: Settings, endpoint: find.Endpoint) -> Iterator[Row]:
    seconds = []
    for _ in range(ROUNDS):
        lifecycle.delete(settings, endpoint, lambda text: None)
        seconds.append(timed(lambda: up(settings)))
    yield Row("up to /readyz and DNS answering, images built", statistics.median(seconds), "s", spread(seconds), 2.0)


def up(settings: Settings) -> Settings:
    """The cluster's settings as they are once its DNS answers."""
    subprocess.run(
        [sys.executable, "-m", "kubelite", "up", "--name", settings.name],
        check=True,
        env={**os.environ, "KUBELITE_HOME": str(settings.home)},
        capture_output=True,
        timeout=120,
    )
    loaded = Settings.load(settings.name, settings.home)
    assert loaded is not None
    question = dns.message.make_query(f"kubernetes.default.svc.{loaded.domain}", "A")
    answer = dns.query.udp(question, str(loaded.dns_pod_address), timeout=5)
    assert answer.answer, answer
    return loaded


# pods


def _ratios(api: Client, bare: Bare) -> Iterator[Row]:
    ordered, many = Workload(api, "StatefulSet", 3), Workload(api, "Deployment", 10)
    yield _pairs("StatefulSet: 3 ordered pods Ready / bare engine", ordered, lambda: bare.one_by_one(3), 1.25)
    yield _pairs("Deployment: 10 pods Ready / bare engine in a pool", many, lambda: bare.in_a_pool(10, 10), 1.25)
    single, five = Workload(api, "StatefulSet", 1), Workload(api, "StatefulSet", 5)
    yield _changes(
        "delete with grace 0 to Ready / remove, create, start", single, single.replace_pod, bare.replace, 1.5
    )
    yield _changes("rolling restart of 5 / 5 x stop, start", five, five.restart, lambda: bare.restarts(5), 1.3)


def _pairs(name: str, workload: Workload, bare: Callable[[], float], goal: float) -> Row:
    """The workload is created."""
    bare_seconds, seconds = [], []
    for _ in range(ROUNDS):
        bare_seconds.append(bare())
        seconds.append(workload.create())
        workload.delete()
    return ratio(name, seconds, bare_seconds, goal)


def _changes(name: str, workload: Workload, ours: Callable[[], float], bare: Callable[[], float], goal: float) -> Row:
    """Something happens to the workload that is there."""
    workload.create()
    bare_seconds, seconds = [], []
    for _ in range(ROUNDS):
        bare_seconds.append(bare())
        seconds.append(ours())
    workload.delete()
    return ratio(name, seconds, bare_seconds, goal)


# at rest


def _idle(settings: Settings, client: docker.DockerClient) -> Iterator[Row]:
    pids = processes.all_of(settings, client)
    before = {name: processes.cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(IDLE_SECONDS)
    spent = {name: processes.cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    memory = {name: processes.resident_mib(pid) for name, pid in pids.items()}
    shown = ", ".join(f"{name} {seconds / IDLE_SECONDS:.2%}" for name, seconds in spent.items())
    yield Row("idle CPU of all processes", 100 * sum(spent.values()) / IDLE_SECONDS, "% core", shown, 1.0)
    shown = ", ".join(f"{name} {mib:.0f}" for name, mib in memory.items())
    yield Row("memory of all processes", sum(memory.values()), "MiB", shown, 150.0)
