"""The node's side of log, exec, attach and portforward; the API's `PodStreams`, over the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Protocol

from docker.errors import DockerException

from kubelite.errors import internal_error
from kubelite.node import docker_streams
from kubelite.node.pod_network import connect_to_pod
from kubelite.node.process import Process
from kubelite.objects.meta import Obj

if TYPE_CHECKING:
    import docker


class Wanted(Protocol):
    """Which streams a client wants (`kubelite.streams.remote.StreamOptions`)."""

    @property
    def stdin(self) -> bool: ...
    @property
    def stdout(self) -> bool: ...
    @property
    def stderr(self) -> bool: ...
    @property
    def tty(self) -> bool: ...


class Log(Protocol):
    """Which part of a log a client wants (`kubelite.api.pods.LogOptions`)."""

    @property
    def follow(self) -> bool: ...
    @property
    def tail(self) -> int | None: ...
    @property
    def since(self) -> str | None: ...
    @property
    def timestamps(self) -> bool: ...


class Containers(Protocol):
    """The kubelet, as far as it is asked here."""

    def container_id(self, pod: Obj, container: str, *, previous: bool = False) -> str:
        """KeyError when there is none."""
        ...

    def sandbox_id(self, pod: Obj) -> str:
        """ "" when there is none."""
        ...


class NodeStreams:
    """See the module."""

    def __init__(self, client: docker.DockerClient, containers: Containers) -> None:
        self._client = client
        self._containers = containers

    def container_id(self, pod: Obj, container: str, *, previous: bool = False) -> str | None:
        try:
            return self._containers.container_id(pod, container, previous=previous)
        except KeyError:
            return None

    async def exec(self, container_id: str, command: Sequence[str], options: Wanted) -> Process:
        return await docker_streams.exec_process(
            self._client,
            container_id,
            list(command),
            stdin=options.stdin,
            stdout=options.stdout,
            stderr=options.stderr,
            tty=options.tty,
        )

    async def attach(self, container_id: str, options: Wanted) -> Process:
        return await docker_streams.attach(
            self._client,
            container_id,
            stdin=options.stdin,
            stdout=options.stdout,
            stderr=options.stderr,
            tty=options.tty,
        )

    async def logs(self, container_id: str, options: Log) -> AsyncGenerator[bytes, None]:
        return await docker_streams.logs(
            self._client,
            container_id,
            follow=options.follow,
            tail=options.tail,
            since=options.since,
            timestamps=options.timestamps,
        )

    async def connect(self, pod: Obj, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name, address = pod["metadata"]["name"], pod.get("status", {}).get("podIP")
        sandbox = self._containers.sandbox_id(pod)
        if not address or not sandbox:
            raise internal_error(f"pod {name} has no address")
        try:
            found = await asyncio.to_thread(self._client.api.inspect_container, sandbox)
        except DockerException as error:
            raise internal_error(f"pod {name}: {error}") from error
        return await connect_to_pod(port, sandbox_id=sandbox, pid=int(found["State"]["Pid"]), address=address)
