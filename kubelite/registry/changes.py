"""What writes did: their outcomes, and what changes in the store as the in-process client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass

from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.store import Change, Watch


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the object as it is or last was, and whether it is gone."""

    object: Obj
    gone: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """What a server-side apply did; `old` is None when it created the object."""

    object: Obj
    old: Obj | None


class AllBut:
    """Resources of custom kinds come and go: a watch of them says what it isn't about."""

    def __init__(self, others: Collection[str]) -> None:
        self._others = others

    def __contains__(self, resource: object) -> bool:
        return resource not in self._others


class EventStream(AsyncIterator[Event]):
    """The store's changes as the client's events."""

    def __init__(self, watch: Watch, plurals: Mapping[str, str]) -> None:
        self._watch = watch
        self._plurals = plurals

    async def __anext__(self) -> Event:
        change: Change = await anext(self._watch)
        old = change.before.object if change.before else None
        plural = self._plurals.get(change.resource, change.resource)
        return Event(change.type, plural, change.now.object, old)

    def close(self) -> None:
        self._watch.close()
