"""A client that speaks JSON to the HTTP edge under test, a node without an engine, and objects to send."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient

from kubelite.api.pods import LogOptions
from kubelite.node.process import Process
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.streams.remote import StreamOptions

CORE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass
class FakeStreams:
    """A node whose containers are all there and say one line."""

    asked: list[LogOptions] = field(default_factory=list)
    gone: bool = False

    def container_id(self, pod: Obj, container: str, *, previous: bool = False) -> str | None:
        return None if previous or self.gone else f"id-of-{container}"

    async def exec(self, container_id: str, command: Sequence[str], options: StreamOptions) -> Process:
        raise AssertionError("no test starts a process")

    async def attach(self, container_id: str, options: StreamOptions) -> Process:
        raise AssertionError("no test attaches")

    async def logs(self, container_id: str, options: LogOptions) -> AsyncGenerator[bytes, None]:
        self.asked.append(options)

        async def chunks() -> AsyncGenerator[bytes, None]:
            yield f"log of {container_id}\n".encode()

        return chunks()

    async def connect(self, pod: Obj, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise AssertionError("no test forwards a port")


@dataclass(frozen=True)
class Reply:
    """An answer: its status, headers (warnings apart) and decoded body."""

    status: int
    headers: Mapping[str, str]
    warnings: list[str]
    content: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.content)

    @property
    def message(self) -> str:
        return str(self.json["message"])

    @property
    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.json["items"]]


class Caller:
    """Requests as an authenticated user; bodies are objects (JSON) or bytes."""

    def __init__(self, client: TestClient[Any, Any], token: str, registry: Registry) -> None:
        self.client = client
        self.registry = registry
        self.headers = {"Authorization": f"Bearer {token}"}

    async def __call__(
        self, method: str, path: str, body: Any = None, media: str = "application/json", **headers: str
    ) -> Reply:
        content = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        sent = self.headers | ({"Content-Type": media} if content is not None else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(
            method, path, data=None if content is None else io.BytesIO(content), headers=sent
        ) as answer:
            warnings = answer.headers.getall("Warning", [])
            return Reply(answer.status, answer.headers, warnings, await answer.read())

    async def get(self, path: str, **headers: str) -> Reply:
        return await self("GET", path, **headers)

    async def post(self, path: str, body: Any, **headers: str) -> Reply:
        return await self("POST", path, body, **headers)

    async def put(self, path: str, body: Any, **headers: str) -> Reply:
        return await self("PUT", path, body, **headers)

    async def patch(self, path: str, body: Any, media: str = MERGE, **headers: str) -> Reply:
        return await self("PATCH", path, body, media, **headers)

    async def delete(self, path: str, body: Any = None, **headers: str) -> Reply:
        return await self("DELETE", path, body, **headers)

    async def events(self, path: str, count: int, **headers: str) -> list[Any]:
        """The first `count` events of a watch."""
        found: list[Any] = []
        async for event in self.watch(path, **headers):
            found.append(event)
            if len(found) == count:
                break
        return found

    async def watch(self, path: str, **headers: str) -> AsyncGenerator[Any, None]:
        async with self.client.get(path, headers=self.headers | headers) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                yield msgspec.json.decode(line)

    async def anonymous(self, path: str) -> Reply:
        async with self.client.get(path) as answer:
            return Reply(answer.status, answer.headers, [], await answer.read())


def config_map(name: str = "a", **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"k": "v"}}


def pod(name: str = "web", **metadata: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [{"name": "c", "image": "httpd:2.4"}]},
    }


def deployment(name: str = "web", **spec: Any) -> Obj:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "httpd:2.4"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }
