"""The Runtime on a Docker engine: the SDK's low-level client, called in a bounded pool of threads.

The composition root makes one. Nothing here decides anything: specs become the engine's JSON and its JSON becomes
records. API reference: https://docs.docker.com/engine/api/.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, ImageNotFound, NotFound

from kubelite.config import LABEL_CLUSTER, Settings
from kubelite.node import docker_exec, docker_images, docker_json
from kubelite.node.docker_events import watch_events
from kubelite.node.docker_network import NetworkRefused, ensure_network
from kubelite.node.oom_kills import OomKills
from kubelite.node.runtime import (
    DISK_TOTAL,
    Container,
    ContainerSpec,
    EngineError,
    EngineEvent,
    EngineGone,
    ExecResult,
    Image,
    NameTaken,
    NoSuchContainer,
    NoSuchImage,
    RegistryUnavailable,
)
from kubelite.node.usage import Reading, reading_of

P = ParamSpec("P")
R = TypeVar("R")

WORKERS = 16
PULLS = 4  # they may take as long as they like
TIMEOUT = 120  # a busy disk can hold up a create or a remove for long


def connect(base_url: str | None = None) -> docker.APIClient:
    """A client of the engine that the environment or `base_url` names, good for use from many threads."""
    options: dict[str, Any] = {"base_url": base_url} if base_url else docker.utils.kwargs_from_env()
    return docker.APIClient(version="auto", timeout=TIMEOUT, max_pool_size=WORKERS + PULLS, **options)


@dataclass(frozen=True, slots=True)
class _Streaming:
    """The part of the SDK's high-level client that streams need."""

    api: docker.APIClient


class DockerRuntime:
    """One cluster's containers on one engine."""

    def __init__(self, client: docker.APIClient, settings: Settings) -> None:
        self.client = client
        self._settings = settings
        self._streaming = _Streaming(client)
        self._filter = {"label": [f"{LABEL_CLUSTER}={settings.name}"]}
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="engine")
        self._pulls = ThreadPoolExecutor(PULLS, thread_name_prefix="engine-pull")
        self._images: dict[str, Image] = {}
        self._ooms = OomKills()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pulls.shutdown(wait=False, cancel_futures=True)

    async def containers(self) -> list[Container]:
        rows = await self._call(self.client.containers, all=True, filters=self._filter)
        ids = [row["Id"] for row in rows if (row.get("Labels") or {}).get("io.kubernetes.pod.uid")]
        found = await asyncio.gather(*(self.inspect(container_id) for container_id in ids))
        return [container for container in found if container is not None]

    async def inspect(self, container_id: str) -> Container | None:
        try:
            found = await self._call(self.client.inspect_container, container_id)
        except NoSuchContainer:
            return None
        container = docker_json.container(found)
        if container.state != "exited" or container.oom_killed:
            return container
        limited = bool(found["HostConfig"].get("Memory"))
        return replace(container, oom_killed=self._ooms.ran_out(container_id, container.exit_code, limited=limited))

    def events(self) -> AsyncIterator[EngineEvent]:
        return watch_events(self._streaming, self._filter["label"])

    async def create(self, spec: ContainerSpec) -> str:
        body = docker_json.create_body(spec, self._settings.network)
        try:
            answer = await self._call(self.client.create_container_from_config, body, spec.engine_name)
        except NoSuchImage:
            self._images.pop(spec.image, None)
            raise
        return str(answer["Id"])

    async def start(self, container_id: str) -> None:
        self._ooms.starts(container_id)
        await self._call(self.client.start, container_id)

    async def kill(self, container_id: str, signal: str) -> None:
        if signal == "SIGKILL":
            self._ooms.forget(container_id)
        try:
            await self._call(self.client.kill, container_id, signal)
        except NoSuchContainer:
            return
        except EngineError as error:
            if "is not running" not in str(error):
                raise

    async def remove(self, container_id: str) -> None:
        self._ooms.gone(container_id)
        try:
            await self._call(self.client.remove_container, container_id, force=True, v=True)
        except NoSuchContainer:
            return
        except EngineError as error:
            if "is already in progress" not in str(error):
                raise

    async def remove_by_name(self, engine_name: str) -> None:
        try:
            found = await self._call(self.client.inspect_container, engine_name)
        except NoSuchContainer:
            return
        if (found["Config"].get("Labels") or {}).get(LABEL_CLUSTER) != self._settings.name:
            raise NameTaken(f"a container that is not this cluster's has the name {engine_name}")
        await self.remove(found["Id"])

    async def execute(self, container_id: str, command: Sequence[str], seconds: float | None) -> ExecResult:
        return await docker_exec.execute(self._streaming, container_id, command, seconds)

    async def tail(self, container_id: str, lines: int, limit: int) -> str:
        text = await self._call(self.client.logs, container_id, tail=lines)
        return bytes(text)[-limit:].decode(errors="replace")

    async def written(self, container_id: str) -> int:
        rows = await self._call(self.client.containers, all=True, size=True, filters={"id": container_id})
        return sum(int(row.get("SizeRw") or 0) for row in rows)

    async def image(self, reference: str) -> Image | None:
        if known := self._images.get(reference):
            return known
        try:
            found = docker_json.image(await self._call(self.client.inspect_image, reference))
        except (NoSuchImage, NoSuchContainer):
            return None
        self._images[reference] = found
        return found

    async def pull(self, reference: str, credentials: Sequence[Mapping[str, str]], patience: float | None) -> Image:
        loop, answered = asyncio.get_running_loop(), asyncio.Event()

        def answer() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(answered.set)

        work = asyncio.ensure_future(
            self._in(self._pulls, docker_images.pull, self.client, reference, credentials, answer)
        )
        first = asyncio.ensure_future(answered.wait())
        try:
            await asyncio.wait({work, first}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not answered.is_set():
                raise RegistryUnavailable(f"no answer from the registry within {patience:g} s")
            await work
        finally:
            first.cancel()
            work.add_done_callback(_ignore_outcome)  # whoever gave up or was cancelled asks no more
        self._images.pop(reference, None)
        image = await self.image(reference)
        if image is None:
            raise NoSuchImage(f"No such image: {reference}")
        return image

    async def reading(self, container_id: str) -> Reading:
        stats = await self._call(self.client.stats, container_id, stream=False, one_shot=True)
        return reading_of(stats, time.monotonic())

    async def restore_network(self) -> bool:
        try:
            return await self._call(ensure_network, self.client, self._settings)
        except NetworkRefused as error:
            raise EngineError(str(error)) from error

    async def info(self) -> Mapping[str, Any]:
        info: Mapping[str, Any] = await self._call(self.client.info)
        return {**info, DISK_TOTAL: await asyncio.to_thread(_disk_total, str(info.get("DockerRootDir") or ""))}

    async def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._in(self._pool, function, *args, **kwargs)

    async def _in(self, pool: ThreadPoolExecutor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, lambda: _translated(function, *args, **kwargs))


def _translated(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call, and turn the SDK's errors into the runtime's."""
    try:
        return function(*args, **kwargs)
    except ImageNotFound as error:
        raise NoSuchImage(_explain(error)) from error
    except NotFound as error:
        raise (NoSuchImage if "No such image" in _explain(error) else NoSuchContainer)(_explain(error)) from error
    except APIError as error:
        if error.status_code == 409 and "already in use" in _explain(error):
            raise NameTaken(_explain(error)) from error
        raise EngineError(_explain(error)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise EngineGone(f"the engine doesn't answer: {error}") from error


def _disk_total(root: str) -> int:
    """Of the disk with the engine's directory; of an engine elsewhere nothing is known, so our own counts."""
    for path in (root, "/"):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(path).total
    return 0


def _ignore_outcome(work: asyncio.Future[None]) -> None:
    """An abandoned pull may end as it likes."""
    if not work.cancelled():
        work.exception()


def _explain(error: APIError) -> str:
    return str(error.explanation or error)
