"""What Kubernetes semantics cost on top of the bare engine: every figure is a ratio of pairs taken in turn.

The bare side does through the SDK what the kubelet must at least do: create and start the same httpd containers on a
user network. The kubelite side ends when the API says Ready.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import docker

from kubelite import lifecycle
from kubelite.cli.client import Client
from kubelite.config import Settings
from kubelite.engine import daemon, find, images
from tests.bench.rows import Row

NAME = "bench"
IMAGE = "httpd:2.4"
ROUNDS = 5
IDLE_SECONDS = 20.0

Object = dict[str, Any]


def run() -> Iterator[Row]:
    endpoint = daemon.ensure(True, print)
    client = find.connect(endpoint)
    images.ensure(client, images.NAMES, print)
    with tempfile.TemporaryDirectory(prefix="kubelite-bench-") as home:
        settings = Settings(name=NAME, home=Path(home))
        try:
            yield from _up(settings, endpoint)
            loaded = Settings.load(NAME, Path(home))
            assert loaded is not None
            with _bare_network(client) as network:
                yield from _ratios(Client.of(loaded), Bare(client, network))
            yield from _idle(loaded, client)
        finally:
            lifecycle.delete(settings, endpoint, lambda text: None)
    client.close()


# up


def _up(settings: Settings, endpoint: find.Endpoint) -> Iterator[Row]:
    seconds = []
    for _ in range(ROUNDS):
        lifecycle.delete(settings, endpoint, lambda text: None)
        seconds.append(_timed(lambda: _command("up", settings)))
    yield Row("up to /readyz and DNS answering, images built", statistics.median(seconds), "s", _spread(seconds), 2.0)


def _command(verb: str, settings: Settings) -> None:
    environment = {**os.environ, "KUBELITE_HOME": str(settings.home)}
    subprocess.run(
        [sys.executable, "-m", "kubelite", verb, "--name", settings.name],
        check=True,
        env=environment,
        capture_output=True,
        timeout=120,
    )
    if verb == "up":
        loaded = Settings.load(settings.name, settings.home)
        assert loaded is not None
        question = dns.message.make_query(f"kubernetes.default.svc.{loaded.domain}", "A")
        answer = dns.query.udp(question, str(loaded.dns_pod_address), timeout=5)
        assert answer.answer, answer


def _timed(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _spread(values: list[float]) -> str:
    return f"min {min(values):.2f}, max {max(values):.2f}, {len(values)} runs"


# the bare engine


class Bare:
    """Containers through the SDK, on a user network of its own."""

    def __init__(self, client: docker.DockerClient, network: str) -> None:
        self._client = client
        self._network = network
        self._made: list[str] = []

    def start(self, number: int) -> str:
        container = self._client.api.create_container(
            IMAGE,
            name=f"kubelite-bench-{number}",
            host_config=self._client.api.create_host_config(network_mode=self._network),
            labels={"kubelite.bench": "1"},
        )
        self._client.api.start(container["Id"])
        return str(container["Id"])

    def remove(self, container: str) -> None:
        self._client.api.remove_container(container, force=True)

    def one_by_one(self, count: int) -> float:
        made: list[str] = []
        seconds = _timed(lambda: made.extend(self.start(number) for number in range(count)))
        self._clean(made)
        return seconds

    def in_a_pool(self, count: int) -> float:
        with ThreadPoolExecutor(count) as pool:
            made: list[str] = []
            seconds = _timed(lambda: made.extend(pool.map(self.start, range(count))))
        self._clean(made)
        return seconds

    def replace(self) -> float:
        old = self.start(0)
        new: list[str] = []

        def action() -> None:
            self.remove(old)
            new.append(self.start(0))

        seconds = _timed(action)
        self._clean(new)
        return seconds

    def _clean(self, made: list[str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.remove, made))


@contextlib.contextmanager
def _bare_network(client: docker.DockerClient) -> Iterator[str]:
    for leftover in client.api.containers(all=True, filters={"label": "kubelite.bench"}):
        client.api.remove_container(leftover["Id"], force=True)
    for network in client.api.networks(names=["kubelite-bench-bare"]):
        client.api.remove_network(network["Id"])
    network = client.api.create_network("kubelite-bench-bare", driver="bridge")
    try:
        yield "kubelite-bench-bare"
    finally:
        client.api.remove_network(network["Id"])


# kubelite


class Workload:
    """A workload of httpd pods in the default namespace, timed from its creation to Ready."""

    def __init__(self, api: Client, kind: str, replicas: int) -> None:
        self._api = api
        self._plural = {"StatefulSet": "statefulsets", "Deployment": "deployments"}[kind]
        self._path = f"/apis/apps/v1/namespaces/default/{self._plural}"
        labels = {"app": "bench"}
        container = {"name": "httpd", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}
        self._object = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": "bench"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
        self._replicas = replicas

    def create(self) -> float:
        def action() -> None:
            self._api.request("POST", self._path, self._object)
            self._wait_ready()

        return _timed(action)

    def _wait_ready(self) -> None:
        query = {"fieldSelector": "metadata.name=bench"}
        for event in self._api.watch(self._path, query):
            if event["object"].get("status", {}).get("readyReplicas", 0) == self._replicas:
                return

    def replace_pod(self) -> float:
        """Delete the first pod with grace 0; seconds until its successor is Ready."""
        path = "/api/v1/namespaces/default/pods"
        old = self._api.get(f"{path}/bench-0")["metadata"]["uid"]

        def action() -> None:
            self._api.request("DELETE", f"{path}/bench-0", {"gracePeriodSeconds": 0})
            for event in self._api.watch(path, {"fieldSelector": "metadata.name=bench-0"}):
                conditions = event["object"].get("status", {}).get("conditions", ())
                ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
                if event["object"]["metadata"]["uid"] != old and ready:
                    return

        return _timed(action)

    def delete(self) -> None:
        self._api.request("DELETE", f"{self._path}/bench", {"propagationPolicy": "Background"})
        self._api.request("DELETE", "/api/v1/namespaces/default/pods", {"gracePeriodSeconds": 0})
        while self._api.items("/api/v1/namespaces/default/pods"):
            time.sleep(0.02)


def _ratios(api: Client, bare: Bare) -> Iterator[Row]:
    ordered, many = Workload(api, "StatefulSet", 3), Workload(api, "Deployment", 10)
    single = Workload(api, "StatefulSet", 1)
    yield _pairs("StatefulSet: 3 ordered pods Ready / bare engine", ordered, lambda: bare.one_by_one(3), 1.25)
    yield _pairs("Deployment: 10 pods Ready / bare engine in a pool", many, lambda: bare.in_a_pool(10), 1.25)
    single.create()
    bare_seconds, seconds = [], []
    for _ in range(ROUNDS):
        bare_seconds.append(bare.replace())
        seconds.append(single.replace_pod())
    single.delete()
    yield _ratio("delete with grace 0 to Ready / remove, create, start", seconds, bare_seconds, 1.5)


def _pairs(name: str, workload: Workload, bare: Callable[[], float], goal: float) -> Row:
    bare_seconds, seconds = [], []
    for _ in range(ROUNDS):
        bare_seconds.append(bare())
        seconds.append(workload.create())
        workload.delete()
    return _ratio(name, seconds, bare_seconds, goal)


def _ratio(name: str, ours: list[float], bare: list[float], goal: float) -> Row:
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    note = f"median {statistics.median(ours):.2f} s against {statistics.median(bare):.2f} s, {len(ours)} pairs"
    return Row(name, ratio, "x", note, goal)


# at rest


def _idle(settings: Settings, client: docker.DockerClient) -> Iterator[Row]:
    processes = _processes(settings, client)
    before = {name: _cpu_seconds(pid) for name, pid in processes.items()}
    time.sleep(IDLE_SECONDS)
    spent = {name: _cpu_seconds(pid) - before[name] for name, pid in processes.items()}
    memory = {name: _resident_mib(pid) for name, pid in processes.items()}
    shown = ", ".join(f"{name} {seconds / IDLE_SECONDS:.2%}" for name, seconds in spent.items())
    yield Row("idle CPU of all processes", 100 * sum(spent.values()) / IDLE_SECONDS, "% core", shown, 1.0)
    shown = ", ".join(f"{name} {mib:.0f}" for name, mib in memory.items())
    yield Row("memory of all processes", sum(memory.values()), "MiB", shown, 150.0)


def _processes(settings: Settings, client: docker.DockerClient) -> dict[str, int]:
    pid = lifecycle.running_pid(settings)
    assert pid is not None
    found = {"control plane": pid}
    label = [f"kubelite.cluster={settings.name}", "io.kubernetes.pod.namespace=kube-system"]
    for container in client.api.containers(filters={"label": label}):
        name = container["Labels"]["io.kubernetes.container.name"]
        if name != "POD":
            found[name] = client.api.inspect_container(container["Id"])["State"]["Pid"]
    return found


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    """Proportional set size: what is shared between processes counts once."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    for row in run():
        print(json.dumps(row._asdict()))
