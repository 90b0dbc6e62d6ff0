"""A kubelet over an engine in memory, with levers: what the tests `test_kubelet*.py` stand on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from kubelite.net.ipam import Allocator
from kubelite.node.kubelet import Kubelet
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded
from tests.unit.node.fake_runtime import FakeRuntime
from tests.unit.node.pods import container


class Node:
    """A kubelet and levers; time stands still until it is advanced."""

    def __init__(self, registry: Registry, recorded: Recorded, clock: Clock) -> None:
        self.registry, self.recorded, self.clock = registry, recorded, clock
        self.runtime = FakeRuntime(clock)
        self.tokens = 0  # that were issued
        self._task: asyncio.Task[None] | None = None
        self.kubelet = self._kubelet()
        self._ticks = 0

    def _kubelet(self) -> Kubelet:
        return Kubelet(
            self.registry,
            self.recorded,
            self.runtime,
            self.registry.settings,
            pause_image="pause",
            cluster_dns=lambda: "172.30.0.2",
            token=self._token,
            addresses=Allocator(self.registry.settings.pod_cidr),
            now=self.clock,
        )

    def _token(self, namespace: str, account: str, audience: str, expiration: int, pod: Obj) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.kubelet.run())
        await self.until(lambda: self.kubelet.ready)

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def restart(self) -> None:
        await self.stop()
        self.kubelet = self._kubelet()
        await self.start()

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 (the engine's side has no event to wait on)
                await asyncio.sleep(0.001)

    def create(self, name: str = "web-0", *containers: Obj, **spec: Any) -> Obj:
        pod = {
            "metadata": {"name": name, "namespace": "default", **spec.pop("metadata", {})},
            "spec": {
                "containers": list(containers) or [container()],
                "automountServiceAccountToken": False,
                **spec,
            },
        }
        return self.registry.bind(self.registry.create("pods", pod), self.registry.settings.node_name)

    def pod(self, name: str = "web-0") -> Obj | None:
        return self.registry.find("pods", "default", name)

    def status(self, name: str = "web-0") -> Obj:
        return (self.pod(name) or {}).get("status") or {}

    def state(self, name: str = "web-0") -> Obj:
        entries = self.status(name).get("containerStatuses") or [{"state": {}}]
        return dict(entries[0]["state"])

    def waiting(self, name: str = "web-0") -> str:
        return str((self.state(name).get("waiting") or {}).get("reason", ""))

    async def ready(self, name: str = "web-0") -> None:
        await self.until(lambda: meta.condition_is_true(self.status(name).get("conditions"), "Ready"))

    async def gone(self, name: str = "web-0") -> None:
        await self.until(lambda: self.pod(name) is None)

    def delete(self, name: str = "web-0", grace: int | None = None) -> None:
        self.registry.delete("pods", "default", name, grace=grace)

    def advance(self, seconds: float) -> None:
        """Move time, and have every worker look at the clock."""
        self.clock.advance(seconds)
        self._ticks += 1
        for pod in self.registry.list("pods"):
            note = {"metadata": {"annotations": {"tick": str(self._ticks)}}}
            self.registry.patch("pods", meta.namespace(pod), meta.name(pod), note)


def register(node: Node, **allocatable: str) -> None:
    name = node.registry.settings.node_name
    node.registry.create("nodes", {"metadata": {"name": name}, "spec": {}})
    made = node.registry.get("nodes", None, name)
    offered = {"cpu": "2", "memory": "1Gi", "pods": "10", **allocatable}
    node.registry.update("nodes", {**meta.copy(made), "status": {"allocatable": offered}}, "status")
