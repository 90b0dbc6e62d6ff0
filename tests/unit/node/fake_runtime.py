"""A container engine in memory: what the kubelet asked of it, and levers to make things happen."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from kubelite.node import docker_json
from kubelite.node.runtime import (
    Container,
    ContainerSpec,
    EngineError,
    EngineEvent,
    EngineGone,
    ExecResult,
    Image,
    NameTaken,
    PullFailed,
    RegistryUnavailable,
)


class FakeRuntime:
    """Containers start at once and run until `end`; TERM ends them unless they are `deaf`."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._ids = itertools.count(1)
        self._events: asyncio.Queue[EngineEvent] = asyncio.Queue()
        self.specs: dict[str, ContainerSpec] = {}
        self.found: dict[str, Container] = {}
        self.images = {"httpd:2.4": Image("sha256:1"), "pause": Image("sha256:2")}
        self.calls: list[str] = []
        self.deaf: set[str] = set()
        self.gone = False
        self.network_missing = False
        self.network_refused = ""
        self.start_errors: dict[str, str] = {}  # by container name
        self.registry: Callable[[str], Image] | None = None
        self.written_bytes = 0
        self.exec_codes: dict[str, int] = {}  # by first word

    def named(self, name: str, pod: str | None = None) -> list[Container]:
        return [c for c in self.found.values() if c.name == name and pod in (None, c.pod_name)]

    def end(self, container: Container, code: int, **fields: Any) -> None:
        """The container's process ends."""
        self.found[container.id] = replace(
            self.found[container.id], state="exited", exit_code=code, finished_at=self._now(), **fields
        )
        self._events.put_nowait(EngineEvent("die", container.id))

    def resync(self) -> None:
        self._events.put_nowait(EngineEvent("resync"))

    def lose(self) -> None:
        """The engine goes away."""
        self.gone = True
        self._events.put_nowait(EngineEvent("lost"))

    def _check(self) -> None:
        if self.gone:
            raise EngineGone("the engine doesn't answer")

    async def containers(self) -> list[Container]:
        self._check()
        return list(self.found.values())

    async def inspect(self, container_id: str) -> Container | None:
        self._check()
        return self.found.get(container_id)

    async def events(self) -> AsyncIterator[EngineEvent]:
        yield EngineEvent("resync")
        while True:
            yield await self._events.get()

    async def create(self, spec: ContainerSpec) -> str:
        self._check()
        if any(container.engine_name == spec.engine_name for container in self.found.values()):
            raise NameTaken(spec.engine_name)
        container_id = f"id{next(self._ids)}"
        body = docker_json.create_body(spec, "net")
        answer = {
            "Id": container_id,
            "Name": f"/{spec.engine_name}",
            "Created": self._now().isoformat(),
            "State": {"Status": "created", "ExitCode": 0},
            "Config": {"Image": spec.image, "Labels": body["Labels"]},
            "HostConfig": body["HostConfig"],
        }
        self.found[container_id] = docker_json.container(answer)
        self.specs[container_id] = spec
        self.calls.append(f"create {self.found[container_id].name}")
        return container_id

    async def start(self, container_id: str) -> None:
        self._check()
        container = self.found[container_id]
        self.calls.append(f"start {container.name}")
        if message := self.start_errors.get(container.name):
            self.found[container_id] = replace(
                container, state="exited", exit_code=127, error=message, finished_at=self._now()
            )
            raise EngineError(message)
        self.found[container_id] = replace(container, state="running", started_at=self._now())

    async def kill(self, container_id: str, signal: str) -> None:
        self._check()
        container = self.found.get(container_id)
        if container is None or container.state != "running":
            return
        self.calls.append(f"{signal} {container.name}")
        if signal == "SIGKILL":
            self.end(container, 137)
        elif container.name not in self.deaf:
            self.end(container, 0)

    async def remove(self, container_id: str) -> None:
        self._check()
        if container := self.found.pop(container_id, None):
            self.calls.append(f"remove {container.name}")
            self._events.put_nowait(EngineEvent("destroy", container_id))

    async def remove_by_name(self, engine_name: str) -> None:
        for container in list(self.found.values()):
            if container.engine_name == engine_name:
                await self.remove(container.id)

    async def execute(self, container_id: str, command: Sequence[str], seconds: float | None) -> ExecResult:
        self.calls.append(f"exec {' '.join(command)}")
        return ExecResult(self.exec_codes.get(command[0], 0), "")

    async def tail(self, container_id: str, lines: int, limit: int) -> str:
        return "last words"

    async def written(self, container_id: str) -> int:
        return self.written_bytes

    async def image(self, reference: str) -> Image | None:
        return self.images.get(reference)

    async def pull(self, reference: str, credentials: Sequence[Mapping[str, str]], patience: float | None) -> Image:
        self.calls.append(f"pull {reference}")
        if self.registry is None:
            raise RegistryUnavailable("dial tcp: no such host")
        self.images[reference] = self.registry(reference)
        return self.images[reference]

    async def restore_network(self) -> bool:
        self._check()
        if self.network_refused:
            raise EngineError(self.network_refused)
        missing, self.network_missing = self.network_missing, False
        return missing

    async def info(self) -> Mapping[str, Any]:
        return {"NCPU": 2, "MemTotal": 8 * 1024**3}


def refusing(reference: str) -> Image:
    """A registry that has no such image."""
    raise PullFailed(f"manifest for {reference} not found")
