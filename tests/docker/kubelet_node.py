"""A node under test: the real registry and kubelet on the real engine, without the rest of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import docker

from kubelite.config import LABEL_CLUSTER, Settings
from kubelite.engine.images import PAUSE
from kubelite.lifecycle import prepare
from kubelite.net.ipam import Allocator
from kubelite.node import memory_volumes
from kubelite.node.docker_network import remove_network
from kubelite.node.docker_runtime import DockerRuntime, connect
from kubelite.node.kubelet import Kubelet
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.events import EventRecorder
from kubelite.registry.registry import Registry
from kubelite.store import Store
from kubelite.testing.sessions import own_name
from tests.docker.running_cluster import eventually

PATIENCE = 60.0
TOOLS = "kubelite/tools:latest"


def sh(script: str) -> Obj:
    """The fields of a container that runs a script."""
    return {"image": TOOLS, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]}


SLEEP = sh("trap 'exit 0' TERM; sleep 600 & wait")


class Node:
    """Start a kubelet, create pods, wait for what becomes of them."""

    def __init__(self, home: Path, name: str = "") -> None:
        self.engine: docker.APIClient = connect()
        name = name or own_name(uuid.uuid4().hex[:6])
        wanted = Settings(name=name, home=home, pod_cidr=IPv4Network("172.29.0.0/16"))
        with contextlib.closing(docker.from_env()) as client:
            self.settings = prepare(wanted, client, print)
        self.registry = Registry(Store(":memory:"), self.settings)
        self.runtime = DockerRuntime(self.engine, self.settings)
        self.kubelet = self._kubelet()
        self._task: asyncio.Task[None] | None = None
        self._prepare()

    def _kubelet(self) -> Kubelet:
        return Kubelet(
            self.registry,
            EventRecorder(self.registry, "kubelet", self.settings.node_name),
            self.runtime,
            self.settings,
            pause_image=PAUSE,
            cluster_dns=lambda: str(self.settings.dns_pod_address),
            token=lambda namespace, account, audience, expiration, pod: f"token-of-{account}",
            addresses=Allocator(self.settings.pod_cidr),
        )

    def _prepare(self) -> None:
        if self.registry.find("namespaces", None, "default") is None:
            self.registry.create("namespaces", {"metadata": {"name": "default"}})
        self.registry.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
        self.configmap("kube-root-ca.crt", {"ca.crt": "certificate"})

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.kubelet.run())
        await self.until(lambda: self.kubelet.ready)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def restart(self) -> None:
        """A new kubelet over the same registry and engine."""
        await self.stop()
        self.kubelet = self._kubelet()
        await self.start()

    async def close(self) -> None:
        await self.stop()
        await asyncio.to_thread(self._remove_all)
        self.runtime.close()
        self.registry.store.close()
        self.engine.close()

    def _remove_all(self) -> None:
        for row in self.engine.containers(all=True, filters={"label": f"{LABEL_CLUSTER}={self.settings.name}"}):
            with contextlib.suppress(docker.errors.APIError):
                self.engine.remove_container(row["Id"], force=True, v=True)
        with contextlib.suppress(AssertionError):  # Docker 20.10 may have miscounted its endpoints for good
            eventually(self._network_is_gone, seconds=2)
        memory_volumes.remove(memory_volumes.directory_of(self.settings.name))
        shutil.rmtree(self.settings.directory, ignore_errors=True)

    def _network_is_gone(self) -> bool:
        """The engine lets go of a container's endpoint a moment after the container."""
        try:
            remove_network(self.engine, self.settings)
        except docker.errors.APIError:
            return False
        return True

    # --- objects

    def configmap(self, name: str, data: dict[str, str]) -> Obj:
        return self.registry.create("configmaps", {"metadata": {"name": name, "namespace": "default"}, "data": data})

    def create(self, name: str, container: Obj | None = None, **spec: Any) -> Obj:
        """A pod bound to the node; `container` completes its one container, `web`."""
        containers = [{"name": "web", "image": "httpd:2.4", **(container or {})}]
        pod = self.registry.create(
            "pods",
            {
                "metadata": {"name": name, "namespace": "default", **spec.pop("metadata", {})},
                "spec": {"containers": containers, **spec},
            },
        )
        return self.registry.bind(pod, self.settings.node_name)

    def pod(self, name: str) -> Obj | None:
        return self.registry.find("pods", "default", name)

    def status(self, name: str) -> Obj:
        return (self.pod(name) or {}).get("status") or {}

    def container(self, name: str, container: str = "web") -> Obj:
        """The container's status; {} while there is none."""
        status = self.status(name)
        entries = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
        return next((entry for entry in entries if entry["name"] == container), {})

    def is_ready(self, name: str) -> bool:
        return meta.condition_is_true(self.status(name).get("conditions"), "Ready")

    def events(self, name: str) -> list[str]:
        found = [e for e in self.registry.list("events", "default") if e["involvedObject"]["name"] == name]
        return [f"{event['type']} {event['reason']} {event['message']}" for event in found]

    async def until(self, holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
        """Wait on the watch for a condition."""
        end = time.monotonic() + seconds
        changes = self.registry.watch(["pods", "events"])
        try:
            while not holds():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {seconds:g} s; pods: {self._summary()}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(anext(changes), min(left, 0.5))
        finally:
            changes.close()

    def _summary(self) -> str:
        pods = self.registry.list("pods")
        return "\n".join(f"{meta.name(pod)}: {pod.get('status')} {self.events(meta.name(pod))}" for pod in pods)

    async def ready(self, *names: str) -> None:
        await self.until(lambda: all(self.is_ready(name) for name in names))

    def delete(self, name: str, grace: int | None = None) -> None:
        self.registry.delete("pods", "default", name, grace=grace)

    async def gone(self, name: str) -> None:
        await self.until(lambda: self.pod(name) is None)

    def containers(self) -> list[Obj]:
        found: list[Obj] = self.engine.containers(all=True, filters={"label": f"{LABEL_CLUSTER}={self.settings.name}"})
        return found

    async def run(self, name: str, *command: str, container: str = "web") -> str:
        """The output of a command inside the pod."""
        pod = self.pod(name)
        assert pod is not None
        result = await self.runtime.execute(self.kubelet.container_id(pod, container), command, 20)
        return result.output


@contextlib.asynccontextmanager
async def running_node(home: Path) -> AsyncIterator[Node]:
    node = Node(home)
    try:
        await node.start()
        yield node
    finally:
        await node.close()
