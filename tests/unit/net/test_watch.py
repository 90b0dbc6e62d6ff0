"""Following the API: list, watch, bookmarks, 410, broken connections; a fake API on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kubelite.net import watch
from kubelite.net.dns.index import Index
from kubelite.net.dns.source import Source
from kubelite.net.watch import Access

Object = dict[str, Any]
SERVICES = "/api/v1/services"
KEY = ("prod", "web")


def web_service(version: int, address: str = "10.254.0.10", name: str = "web") -> Object:
    metadata = {"namespace": "prod", "name": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"clusterIPs": [address], "ports": [{"port": 80}]}}


class FakeAPI:
    """Lists what it is told to; each watch sends what its queue gives it, until None ends it."""

    def __init__(self) -> None:
        self.items = [web_service(9, name="listed")]
        self.version = 10
        self.failures: list[int] = []
        self.lists: list[str] = []
        self.watches: asyncio.Queue[tuple[str, asyncio.Queue[Object | None]]] = asyncio.Queue()
        self.tokens: list[str] = []
        self._open: list[asyncio.Queue[Object | None]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        if request.path == SERVICES and self.failures:
            return web.Response(status=self.failures.pop(0))
        if request.query.get("watch") == "true":
            return await self._watch(request)
        self.lists.append(request.path)
        items = self.items if request.path == SERVICES else []
        return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        events: asyncio.Queue[Object | None] = asyncio.Queue()
        self._open.append(events)
        if request.path == SERVICES:
            assert request.query["allowWatchBookmarks"] == "true"
            self.watches.put_nowait((request.query["resourceVersion"], events))
        while (event := await events.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    def end_watches(self) -> None:
        for events in self._open:
            events.put_nowait(None)


@pytest.fixture
async def api() -> FakeAPI:
    return FakeAPI()


@pytest.fixture
async def access(api: FakeAPI, tmp_path: Path) -> AsyncIterator[Access]:
    app = web.Application()
    app.router.add_get("/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    yield Access(f"http://{host}:{port}", tmp_path, "test")
    api.end_watches()
    await runner.cleanup()


class Followed:
    """An index that a source keeps, and a way to wait for it."""

    def __init__(self) -> None:
        self.index = Index()
        self._changed = asyncio.Event()
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1
        self._changed.set()

    async def until(self, condition: Callable[[Index], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition(self.index):
                self._changed.clear()
                await self._changed.wait()

    def address(self) -> str:
        service = self.index.service(KEY)
        return service.addresses[0] if service else ""


@pytest.fixture
async def followed(access: Access, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    monkeypatch.setattr(watch, "SHORTEST_PAUSE", 0.001)
    monkeypatch.setattr(watch, "LONGEST_PAUSE", 0.005)
    followed = Followed()
    source = Source(access, followed.index, followed.changed)
    source.start()
    yield followed
    await asyncio.to_thread(source.close)


async def test_list_makes_it_synced(api: FakeAPI, followed: Followed) -> None:
    await followed.until(lambda index: index.synced)
    assert followed.index.service(("prod", "listed")) is not None
    assert len(api.lists) == 3


async def test_changes_arrive_by_watch(api: FakeAPI, followed: Followed) -> None:
    version, events = await api.watches.get()
    assert version == "10"
    events.put_nowait({"type": "ADDED", "object": web_service(11)})
    await followed.until(lambda index: followed.address() == "10.254.0.10")
    events.put_nowait({"type": "MODIFIED", "object": web_service(12, "10.254.0.11")})
    await followed.until(lambda index: followed.address() == "10.254.0.11")
    events.put_nowait({"type": "DELETED", "object": web_service(13, "10.254.0.11")})
    await followed.until(lambda index: followed.address() == "")
    assert len(api.lists) == 3


async def test_change_that_dns_does_not_show_is_no_change(api: FakeAPI, followed: Followed) -> None:
    _, events = await api.watches.get()
    await followed.until(lambda index: index.synced)
    before = followed.changes
    for version in (11, 12, 13):
        events.put_nowait({"type": "MODIFIED", "object": web_service(version)})
    events.put_nowait({"type": "ADDED", "object": web_service(14, name="last")})
    await followed.until(lambda index: index.service(("prod", "last")) is not None)
    assert followed.changes == before + 2


async def test_broken_watch_goes_on_where_it_was(api: FakeAPI, followed: Followed) -> None:
    _, events = await api.watches.get()
    events.put_nowait({"type": "ADDED", "object": web_service(11)})
    events.put_nowait(None)
    version, events = await api.watches.get()
    assert version == "11"
    events.put_nowait({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "40"}}})
    events.put_nowait(None)
    version, events = await api.watches.get()
    assert version == "40"
    assert api.lists.count(SERVICES) == 1


@pytest.mark.parametrize("answer", ["event", "status"])
async def test_too_old_a_version_lists_again(api: FakeAPI, followed: Followed, answer: str) -> None:
    _, events = await api.watches.get()
    events.put_nowait({"type": "ADDED", "object": web_service(11)})
    await followed.until(lambda index: followed.address() != "")
    api.items, api.version = [web_service(50, "10.254.0.50", "new")], 50
    if answer == "event":
        events.put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}})
    else:
        api.failures.append(410)
        events.put_nowait(None)
    version, _ = await api.watches.get()
    assert version == "50"
    await followed.until(lambda index: index.service(("prod", "new")) is not None)
    assert followed.address() == ""
    assert api.lists.count(SERVICES) == 2


async def test_failing_api_is_asked_until_it_answers(
    api: FakeAPI, followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    _, events = await api.watches.get()
    events.put_nowait({"type": "ADDED", "object": web_service(11)})
    await followed.until(lambda index: followed.address() != "")
    api.failures += [500, 503, 401]
    events.put_nowait({"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "no luck"}})
    version, _ = await api.watches.get()
    assert version == "11"
    assert followed.address() == "10.254.0.10"
    for reason in ("no luck", "500", "503", "401"):
        assert reason in caplog.text


async def test_nonsense_from_the_api_does_not_stop_it(api: FakeAPI, followed: Followed) -> None:
    _, events = await api.watches.get()
    events.put_nowait({"type": "ADDED", "object": {"metadata": {}}})
    version, events = await api.watches.get()
    assert version == "10"
    events.put_nowait({"type": "ADDED", "object": web_service(12)})
    await followed.until(lambda index: followed.address() != "")


async def test_keeps_its_records_while_the_api_is_gone(
    api: FakeAPI, followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    _, events = await api.watches.get()
    events.put_nowait({"type": "ADDED", "object": web_service(11)})
    await followed.until(lambda index: followed.address() != "")
    api.failures += [503] * 50
    events.put_nowait(None)
    await api.watches.get()
    assert followed.index.synced
    assert followed.address() == "10.254.0.10"


async def test_token_is_read_for_each_request(api: FakeAPI, access: Access, followed: Followed) -> None:
    _, events = await api.watches.get()
    assert set(api.tokens) == {""}
    (access.credentials / "token").write_text("renewed\n")
    events.put_nowait(None)
    await api.watches.get()
    assert api.tokens[-1] == "Bearer renewed"


async def test_api_that_comes_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LONGEST_PAUSE", 0.005)
    followed, api = Followed(), FakeAPI()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    source = Source(Access(f"http://{host}:{port}", tmp_path, "test"), followed.index, followed.changed)
    source.start()
    server.close()
    app = web.Application()
    app.router.add_get("/{path:.*}", api.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port, reuse_address=True).start()
    await followed.until(lambda index: index.synced)
    await asyncio.to_thread(source.close)
    api.end_watches()
    await runner.cleanup()
