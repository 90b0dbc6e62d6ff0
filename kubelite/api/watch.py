"""The watch verb: an endless answer of JSON lines, with bookmarks and streaming lists (KEP-3157)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
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
from kubelite.api.views import in_version, include_of
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.customresourcedefinition import CUSTOM_RESOURCE_DEFINITION
from kubelite.registry.registry import Registry
from kubelite.registry.webhook_review import Pending, current
from kubelite.store import BACKLOG, Change, Expired, Stored, Watch

DEFINITIONS = CUSTOM_RESOURCE_DEFINITION.resource
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


def _error(error: StatusError) -> bytes:
    return msgspec.json.encode({"type": "ERROR", "object": error.to_status()}) + b"\n"


class Encoder:
    """Events to lines in the asked-for form; only a Table watch's first event carries the column definitions."""

    def __init__(self, registry: Registry, kind: Kind, form: Form, include: Include) -> None:
        self._registry = registry
        self._kind = kind
        self._form = form
        self._include = include
        self._header = True
        self._as_stored = form.type == "object" and kind.shown_as_stored

    @property
    def is_partial(self) -> bool:
        """Metadata is the same in every version."""
        return self._form.type == "PartialObjectMetadata"

    def line(self, type: str, stored: Stored) -> bytes:
        shown = stored.raw if self._as_stored else msgspec.json.encode(self._shown(stored))
        return b'{"type":"%s","object":%s}\n' % (type.encode(), shown)

    def _shown(self, stored: Stored) -> Any:
        if self._form.type == "Table":
            return self._table(in_version(self._kind, [stored.object]), str(stored.revision))
        if self._form.type == "PartialObjectMetadata":
            return partial_metadata(stored.object, self._form.api_version)
        return self._kind.encode(stored.object)

    def _table(self, objects: Sequence[Obj], revision: str) -> dict[str, Any]:
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


class View:
    """What one watcher sees of the store's changes."""

    def __init__(self, target: Target, chosen: Selection, encoder: Encoder, opened: int) -> None:
        self._kind = target.kind
        self._namespace = target.namespace
        self._chosen = chosen
        self._encoder = encoder
        self._opened = opened  # the revision it began to follow at
        self.over = False

    @property
    def resources(self) -> list[str]:
        """A custom kind lives as long as its definition says the same."""
        return [self._kind.resource] if self._kind.structural is None else [self._kind.resource, DEFINITIONS]

    def existing(self, items: Sequence[Stored]) -> bytes:
        """May raise Pending."""
        chosen = self._chosen.of(items)
        if self._kind.require is not None and not self._encoder.is_partial:
            self._kind.require([item.object for item in chosen])  # with one call
        return b"".join(self._encoder.line("ADDED", item) for item in chosen)

    async def lines(self, changes: Sequence[Change]) -> bytes:
        """Up to where the kind ends."""
        if self._chosen.reads_converted:
            mine = [change for change in changes if change.resource == self._kind.resource]
            await self._convert([state.object for one in mine for state in (one.before, one.now) if state is not None])
        found = []
        for change in changes:
            if change.resource != self._kind.resource:
                self.over = self.over or self._is_end(change)
            elif not self.over and (event := selected(change, self._chosen, self._namespace)):
                found.append(event)
        if not self._encoder.is_partial:
            await self._convert([stored.object for _, stored in found])
        return b"".join(self._encoder.line(*event) for event in found)

    async def _convert(self, objects: Sequence[Obj]) -> None:
        """What a webhook converts is in the watch's version before it is looked at."""
        if self._kind.require is None:
            return
        try:
            self._kind.require(objects)
        except Pending as pending:
            if review := current():
                await review.settle(pending)

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        return self._encoder.bookmark(revision, initial_end=initial_end)

    def _is_end(self, definition: Change) -> bool:
        """As upstream takes down what served a definition that went or changed: clients have to look at it again."""
        if definition.now.name != self._kind.resource or definition.revision <= self._opened:
            return False
        before = definition.before.object if definition.before else {}
        return definition.type == "DELETED" or before.get("spec") != definition.now.object["spec"]


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
        encoder, store = Encoder(self._registry, kind, form, include_of(query)), self._registry.store
        view = View(target, chosen, encoder, store.revision)
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        try:
            watch = store.watch(view.resources, asked.since, BACKLOG)
        except Expired:
            return await self._expired(request, response, asked)
        try:
            initial = self._initial(target, view, asked)
            await response.prepare(request)
            if initial:
                await response.write(initial)
            await self._follow(response, watch, view, asked)
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
        await response.write(_error(error))
        return response

    def _initial(self, target: Target, view: View, asked: WatchOptions) -> bytes:
        """What is there already, as ADDED events; with no await since the subscription, so nothing is missed."""
        if not asked.initial:
            return b""
        store = self._registry.store
        existing = view.existing(store.list(target.kind.resource, target.namespace))
        return existing + (view.bookmark(store.revision, initial_end=True) if asked.streaming_list else b"")

    async def _follow(self, response: web.StreamResponse, watch: Watch, view: View, asked: WatchOptions) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + (asked.seconds or random.uniform(*LONGEST))
        mark = loop.time() + BOOKMARK_EVERY
        timer = loop.call_at(min(mark, end), watch.wake)
        try:
            while (now := loop.time()) < end and not view.over:
                if now >= mark:
                    mark = now + BOOKMARK_EVERY
                    await self._bookmark(response, watch, view, asked)
                if timer.when() <= now + CLOCK:
                    timer.cancel()
                    timer = loop.call_at(max(min(mark, end), now + CLOCK), watch.wake)
                if lines := await view.lines(await watch.batch()):
                    await response.write(lines)
            if not view.over:
                await self._bookmark(response, watch, view, asked)
        except StopAsyncIteration:
            return
        except StatusError as error:  # of a conversion
            await response.write(_error(error))
        finally:
            timer.cancel()

    async def _bookmark(self, response: web.StreamResponse, watch: Watch, view: View, asked: WatchOptions) -> None:
        """Unless something is waiting to be sent: a bookmark must not run ahead of it."""
        if asked.bookmarks and watch.idle:
            await response.write(view.bookmark(self._registry.store.revision))
