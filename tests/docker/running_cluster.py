"""A whole cluster under test: started, killed and asked from outside, as its users do it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeVar

import docker

from kubelite.cli.client import Client
from kubelite.config import LABEL_CLUSTER, LABEL_CONTAINER_NAME, LABEL_POD_NAME, LABEL_POD_NAMESPACE, Settings
from kubelite.objects import meta
from kubelite.testing.sessions import own_name

Obj = dict[str, Any]
T = TypeVar("T")

PATIENCE = 60.0
POD_CIDR = IPv4Network("172.26.0.0/24")
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
SETS = "/apis/apps/v1/namespaces/default/statefulsets"
APP = "kubelite/tools:latest"


def eventually(found: Callable[[], T], seconds: float = PATIENCE, told: Callable[[], object] = lambda: "") -> T:
    """What `found` returns once that is true."""
    end = time.monotonic() + seconds
    while not (value := found()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {told()}")
        time.sleep(0.03)
    return value


@dataclass
class Cluster:
    """One cluster, its engine and its API."""

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    _client: Client | None = None

    # the command line

    def begun(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that is at work; leaving the `with` block waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "kubelite", *arguments, "--name", self.settings.name],
            env={**os.environ, "KUBELITE_HOME": str(self.settings.home), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        with self.begun(*arguments) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def up(self) -> None:
        self.run("up", *([] if self.settings.database.exists() else self.options))
        self.settings = Settings.load(self.settings.name, self.settings.home) or self.settings
        self.hang_up()

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client.of(self.settings)
        return self._client

    def hang_up(self) -> None:
        """A connection outlives neither the control plane that it leads to nor the test."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def run(self, *arguments: str) -> str:
        """Its standard output; it has to succeed."""
        done = self.command(*arguments)
        log = self.settings.log.read_text()[-3000:] if self.settings.log.exists() else ""
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{log}"
        return done.stdout

    @property
    def pid(self) -> int:
        return int(self.settings.pid_file.read_text())

    def signal(self, number: signal.Signals) -> None:
        """To the control plane; returns when it is gone."""
        process = os.pidfd_open(self.pid)
        try:
            signal.pidfd_send_signal(process, number)
            assert select.select([process], [], [], PATIENCE)[0], "the control plane goes on"
        finally:
            os.close(process)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    # the engine

    @property
    def engine(self) -> docker.APIClient:
        return docker.APIClient(base_url=self.environment.get("DOCKER_HOST"), version="auto", timeout=60)

    def containers(self, *, everything: bool = True) -> list[Obj]:
        with contextlib.closing(self.engine) as engine:
            label = f"{LABEL_CLUSTER}={self.settings.name}"
            found: list[Obj] = engine.containers(all=everything, filters={"label": label})
        return found

    def container(self, pod: str, name: str) -> Obj:
        """The one that runs."""
        wanted = (pod, name)
        return next(row for row in self.containers(everything=False) if whose(row)[1:] == wanted)

    def running(self) -> dict[str, str]:
        """Engine names and ids of the default namespace's containers."""
        return {
            row["Names"][0]: row["Id"] for row in self.containers(everything=False) if whose(row)[0] != "kube-system"
        }

    # the API

    def pods(self) -> dict[str, Obj]:
        return {meta.name(pod): pod for pod in self.client.items(PODS)}

    def pod(self, name: str) -> Obj | None:
        return self.client.find(f"{PODS}/{name}")

    def status(self, name: str) -> Obj:
        return (self.pod(name) or {}).get("status") or {}

    def restarts(self, name: str) -> int:
        return int((self.status(name).get("containerStatuses") or [{}])[0].get("restartCount", -1))

    def is_ready(self, name: str) -> bool:
        return meta.condition_is_true(self.status(name).get("conditions"), "Ready")

    def ready(self, *names: str) -> None:
        eventually(lambda: all(self.is_ready(name) for name in names), told=self.pods)

    def reasons(self, name: str) -> list[str]:
        events = self.client.items("/api/v1/namespaces/default/events")
        return [event["reason"] for event in events if event["involvedObject"]["name"] == name]

    def create_pod(self, name: str, **spec: Any) -> None:
        whole = {"containers": [container()], "terminationGracePeriodSeconds": 5, **spec}
        self.client.request("POST", PODS, {"metadata": {"name": name}, "spec": whole})

    def create_set(self, name: str, replicas: int) -> None:
        """A StatefulSet whose pods keep a file in a volume of their own, and its headless Service."""
        service = {"clusterIP": "None", "selector": {"app": name}, "ports": [{"port": 80}]}
        self.client.request("POST", SERVICES, {"metadata": {"name": name}, "spec": service})
        self.client.request("POST", SETS, stateful_set(name, replicas))

    def scale(self, name: str, replicas: int) -> None:
        patch = {"spec": {"replicas": replicas}}
        self.client.request("PATCH", f"{SETS}/{name}", patch, content_type="application/merge-patch+json")

    def delete_pod(self, name: str, grace: int | None = None) -> None:
        query = None if grace is None else {"gracePeriodSeconds": str(grace)}
        self.client.request("DELETE", f"{PODS}/{name}", query=query)

    def settled(self, name: str, replicas: int) -> None:
        """The set has so many ready pods and no more."""

        def holds() -> bool:
            pods = {pod for pod in self.pods() if pod.startswith(f"{name}-")}
            wanted = {f"{name}-{ordinal}" for ordinal in range(replicas)}
            return pods == wanted and all(self.is_ready(pod) for pod in wanted)

        eventually(holds, told=self.pods)

    def execute(self, pod: str, *words: str) -> str:
        """kubectl exec."""
        command = ["kubectl", "--kubeconfig", str(self.settings.kubeconfig), "exec", pod, "--", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout


def container(script: str = "trap 'exit 0' TERM; hostname >> /tmp/log; sleep 3600 & wait", **more: Any) -> Obj:
    return {"name": "app", "image": APP, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], **more}


def stateful_set(name: str, replicas: int) -> Obj:
    script = "trap 'exit 0' TERM; hostname >> /data/lives; echo up; sleep 3600 & wait"
    mount = {"name": "data", "mountPath": "/data"}
    probe = {"exec": {"command": ["test", "-s", "/data/lives"]}, "periodSeconds": 1}
    labels = {"app": name}
    spec = {"containers": [container(script, volumeMounts=[mount], readinessProbe=probe)]}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {
        "metadata": {"name": name},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {**spec, "terminationGracePeriodSeconds": 2},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        },
    }


def whose(row: Obj) -> tuple[str, str, str]:
    """(namespace, pod, container) of one of the engine's rows or of an event's attributes."""
    labels = row.get("Labels") or row
    return labels.get(LABEL_POD_NAMESPACE, ""), labels.get(LABEL_POD_NAME, ""), labels.get(LABEL_CONTAINER_NAME, "")


def new_cluster(home: Path, **more: Any) -> Cluster:
    settings = Settings(name=own_name(uuid.uuid4().hex[:6]), home=home, pod_cidr=POD_CIDR)
    return Cluster(settings, options=["--pod-cidr", str(POD_CIDR)], **more)


@contextlib.contextmanager
def deleted_after(cluster: Cluster) -> Iterator[Cluster]:
    try:
        yield cluster
    finally:
        cluster.hang_up()
        cluster.run("delete")


@contextlib.contextmanager
def running_cluster(home: Path) -> Iterator[Cluster]:
    with deleted_after(new_cluster(home)) as cluster:
        cluster.up()
        yield cluster
