"""The watch verb: an endless answer of JSON lines, with bookmarks and streaming lists (KEP-3157)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from kubelite import errors
from kubelite.api import selection
from kubelite.api.negotiation import Form, answer_form
from kubelite.api.path import Target
from kubelite.api.resources import include_of
from kubelite.api.selection import Selection
from kubelite.api.table import Include, partial_metadata, table
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.registry import Registry
from kubelite.store import Change, Expired, Stored, Watch

BOOKMARK_EVERY = 60.0
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Options:
    """A watch request's parameters."""

    since: int | None  # None: begin with what is there
    timeout: float
    bookmarks: bool
    streaming_list: bool


def options_of(query: Mapping[str, str]) -> Options:
    version = query.get("resourceVersion", "")
    if not (version == "" or version.isdigit()):
        raise errors.bad_request(f"invalid resource version: {version!r}")
    initial = query.get("sendInitialEvents", "").lower() in ("true", "1")
    seconds = float(query.get("timeoutSeconds") or 0)
    return Options(
        since=None if initial or version in ("", "0") else int(version),
        timeout=seconds or random.uniform(1800, 3600),
        bookmarks=query.get("allowWatchBookmarks", "").lower() in ("true", "1"),
        streaming_list=initial,
    )


def selected(change: Change, chosen: Selection, namespace: str | None) -> tuple[str, Stored] | None:
    """The event a watcher with this selection sees: entering it is ADDED, leaving it DELETED."""
    if namespace is not None and change.now.namespace != namespace:
        return None
    if chosen.everything:
        return change.type, change.now
    now = change.type != "DELETED" and chosen.matches(change.now.object)
    before = change.before is not None and chosen.matches(change.before.object)
    if now:
        return ("MODIFIED" if before else "ADDED"), change.now
    return ("DELETED", change.now) if before else None


class Encoder:
    """Events to lines in the asked-for form; only a Table watch's first event carries the column definitions."""

    def __init__(self, registry: Registry, kind: Kind, form: Form, include: Include) -> None:
        self._registry = registry
        self._kind = kind
        self._form = form
        self._include = include
        self._header = True

    def line(self, type: str, stored: Stored) -> bytes:
        return msgspec.json.encode({"type": type, "object": self._shown(stored)}) + b"\n"

    def _shown(self, stored: Stored) -> Any:
        if self._form.type == "Table":
            return self._table([stored.object], str(stored.revision))
        if self._form.type == "PartialObjectMetadata":
            return partial_metadata(stored.object)
        if self._kind.stored_as:
            return {**stored.object, "apiVersion": self._kind.api_version}
        return msgspec.Raw(stored.raw)

    def _table(self, objects: list[Obj], revision: str) -> dict[str, Any]:
        metadata = {"resourceVersion": revision}
        header, self._header = self._header, False
        return table(self._kind, objects, self._registry.now(), include=self._include, metadata=metadata, header=header)

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        metadata: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        if self._form.type == "Table":
            shown = self._table([], str(revision))
            if initial_end:
                row_object = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
                shown["rows"] = [{"cells": [""] * len(self._kind.columns), "object": row_object}]
            return msgspec.json.encode({"type": "BOOKMARK", "object": shown}) + b"\n"
        if self._form.type == "PartialObjectMetadata":
            shown = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
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
        options = options_of(query)
        chosen = selection.of_query(kind, query)
        encoder = Encoder(self._registry, kind, answer_form(request.headers.get("Accept", "")), include_of(query))
        try:
            watch = self._registry.store.watch([kind.resource], options.since)
        except Expired:
            raise errors.expired(f"too old resource version: {options.since} ({self._registry.store.oldest})") from None
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        try:
            initial = self._initial(target, chosen, encoder, options)
            await response.prepare(request)
            if initial:
                await response.write(initial)
            await self._follow(response, watch, target.namespace, chosen, encoder, options)
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            watch.close()
        return response

    def _initial(self, target: Target, chosen: Selection, encoder: Encoder, options: Options) -> bytes:
        """What is there already, as ADDED events; with no await since the subscription, so nothing is missed."""
        if options.since is not None:
            return b""
        store = self._registry.store
        items = store.list(target.kind.resource, target.namespace)
        lines = [encoder.line("ADDED", item) for item in items if chosen.everything or chosen.matches(item.object)]
        if options.streaming_list:
            lines.append(encoder.bookmark(store.revision, initial_end=True))
        return b"".join(lines)

    async def _follow(
        self,
        response: web.StreamResponse,
        watch: Watch,
        namespace: str | None,
        chosen: Selection,
        encoder: Encoder,
        options: Options,
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + options.timeout
        while (left := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, BOOKMARK_EVERY)):
                    change = await anext(watch)
            except TimeoutError:
                if options.bookmarks:
                    await response.write(encoder.bookmark(self._registry.store.revision))
                continue
            except StopAsyncIteration:
                return
            seen = selected(change, chosen, namespace)
            if seen is not None:
                await response.write(encoder.line(*seen))
