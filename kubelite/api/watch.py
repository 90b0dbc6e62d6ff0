"""The watch verb: an endless answer of JSON lines, with bookmarks and streaming lists (KEP-3157)."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
from aiohttp import web

from kubelite import errors
from kubelite.api import options, selection
from kubelite.api.negotiation import Form, answer_form
from kubelite.api.options import WatchOptions
from kubelite.api.path import Target
from kubelite.api.selection import Selection
from kubelite.api.table import Include, partial_metadata, table
from kubelite.api.views import include_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.registry import Registry
from kubelite.store import BACKLOG, Change, Expired, Stored, Watch

BOOKMARK_EVERY = 60.0
CLOCK = 0.002  # seconds by which a timer may be early
LONGEST = (1800, 3600)  # seconds of a watch that asks for no timeout: spread, so that not all come back at once
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def selected(change: Change, chosen: Selection, namespace: str | None) -> tuple[str, Stored] | None:
    """The event a watcher with this selection sees: entering it is ADDED, leaving it DELETED."""
    if namespace is not None and change.now.namespace != namespace:
        return None
    if chosen.everything:
        return change.type, change.now
    now = change.type != "DELETED" and chosen.matches(change.now.object)
    before = change.before if change.before is not None and chosen.matches(change.before.object) else None
    if now:
        return ("MODIFIED" if before else "ADDED"), change.now
    if before is None or change.type == "DELETED":
        return ("DELETED", change.now) if before else None
    return "DELETED", _with_revision(before, change.revision)


def _with_revision(stored: Stored, revision: int) -> Stored:
    """What left the selection is shown as it was last in it, with the revision of its leaving."""
    last = meta.copy(stored.object)
    last["metadata"]["resourceVersion"] = str(revision)
    return Stored(stored.namespace, stored.name, revision, msgspec.json.encode(last), last)


class Encoder:
    """Events to lines in the asked-for form; only a Table watch's first event carries the column definitions."""

    def __init__(self, registry: Registry, kind: Kind, form: Form, include: Include) -> None:
        self._registry = registry
        self._kind = kind
        self._form = form
        self._include = include
        self._header = True
        self._as_stored = form.type == "object" and kind.shown_as_stored

    def line(self, type: str, stored: Stored) -> bytes:
        shown = stored.raw if self._as_stored else msgspec.json.encode(self._shown(stored))
        return b'{"type":"%s","object":%s}\n' % (type.encode(), shown)

    def _shown(self, stored: Stored) -> Any:
        if self._form.type == "Table":
            return self._table([stored.object], str(stored.revision))
        if self._form.type == "PartialObjectMetadata":
            return partial_metadata(stored.object, self._form.api_version)
        return self._kind.encode(stored.object)

    def _table(self, objects: list[Obj], revision: str) -> dict[str, Any]:
        metadata = {"resourceVersion": revision}
        header, self._header = self._header, False
        return table(
            self._kind,
            objects,
            self._registry.now(),
            include=self._include,
            metadata=metadata,
            header=header,
            version=self._form.api_version,
        )

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        metadata: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        if self._form.type == "Table":
            shown = self._table([], str(revision))
            return msgspec.json.encode({"type": "BOOKMARK", "object": shown}) + b"\n"
        if self._form.type == "PartialObjectMetadata":
            shown = partial_metadata({"metadata": metadata}, self._form.api_version)
        else:
            shown = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": metadata}
        return msgspec.json.encode({"type": "BOOKMARK", "object": shown}) + b"\n"


class Watches:
    """Handler of the watch verb."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind, query = target.kind, dict(request.query)
        if target.name:
            query["fieldSelector"] = f"metadata.name={target.name}"
        asked = options.watch_options(query)
        chosen = selection.of_query(kind, query)
        form = answer_form(request.headers.get("Accept", ""), tables=not asked.streaming_list)
        encoder = Encoder(self._registry, kind, form, include_of(query))
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        try:
            watch = self._registry.store.watch([kind.resource], asked.since, BACKLOG)
        except Expired:
            return await self._expired(request, response, asked)
        try:
            initial = self._initial(target, chosen, encoder, asked)
            await response.prepare(request)
            if initial:
                await response.write(initial)
            await self._follow(response, watch, target.namespace, chosen, encoder, asked)
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            watch.close()
        return response

    async def _expired(
        self, request: web.Request, response: web.StreamResponse, asked: WatchOptions
    ) -> web.StreamResponse:
        """Upstream opens the stream and then says in it that the history doesn't reach back."""
        error = errors.expired(f"too old resource version: {asked.since} ({self._registry.store.oldest})")
        await response.prepare(request)
        await response.write(msgspec.json.encode({"type": "ERROR", "object": error.to_status()}) + b"\n")
        return response

    def _initial(self, target: Target, chosen: Selection, encoder: Encoder, asked: WatchOptions) -> bytes:
        """What is there already, as ADDED events; with no await since the subscription, so nothing is missed."""
        if not asked.initial:
            return b""
        store = self._registry.store
        items = store.list(target.kind.resource, target.namespace)
        lines = [encoder.line("ADDED", item) for item in items if chosen.everything or chosen.matches(item.object)]
        if asked.streaming_list:
            lines.append(encoder.bookmark(store.revision, initial_end=True))
        return b"".join(lines)

    async def _follow(
        self,
        response: web.StreamResponse,
        watch: Watch,
        namespace: str | None,
        chosen: Selection,
        encoder: Encoder,
        asked: WatchOptions,
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + (asked.seconds or random.uniform(*LONGEST))
        mark = loop.time() + BOOKMARK_EVERY
        timer = loop.call_at(min(mark, end), watch.wake)
        try:
            while (now := loop.time()) < end:
                if now >= mark:
                    mark = now + BOOKMARK_EVERY
                    await self._bookmark(response, watch, encoder, asked)
                if timer.when() <= now + CLOCK:
                    timer.cancel()
                    timer = loop.call_at(max(min(mark, end), now + CLOCK), watch.wake)
                seen = (selected(change, chosen, namespace) for change in await watch.batch())
                if lines := b"".join(encoder.line(*event) for event in seen if event is not None):
                    await response.write(lines)
            await self._bookmark(response, watch, encoder, asked)
        except StopAsyncIteration:
            return
        finally:
            timer.cancel()

    async def _bookmark(
        self, response: web.StreamResponse, watch: Watch, encoder: Encoder, asked: WatchOptions
    ) -> None:
        """Unless something is waiting to be sent: a bookmark must not run ahead of it."""
        if asked.bookmarks and watch.idle:
            await response.write(encoder.bookmark(self._registry.store.revision))
