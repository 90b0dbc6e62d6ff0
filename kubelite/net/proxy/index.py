"""The Services and EndpointSlices as last heard of, and which Services are to be looked at again. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelite.net.kind import Key
from kubelite.net.proxy.model import KINDS, Service, Slice


class Index:
    """Each change costs as much as the entry it concerns, however many others there are."""

    def __init__(self) -> None:
        self._entries: dict[type[Any], dict[Key, Any]] = {kind.entry: {} for kind in KINDS}
        self._slices: dict[Key, dict[Key, Slice]] = {}
        self._listed: set[type[Any]] = set()
        self._touched: dict[Key, None] = {}

    @property
    def synced(self) -> bool:
        """True once every kind was listed: before, an absent endpoint proves nothing."""
        return len(self._listed) == len(self._entries)

    def put(self, entry: Any) -> bool:
        known = self._entries[type(entry)]
        before = known.get(entry.key)
        if before == entry:
            return False
        self._unlink(before)
        known[entry.key] = entry
        self._link(entry)
        return True

    def drop(self, kind: type[Any], key: Key) -> bool:
        before = self._entries[kind].pop(key, None)
        self._unlink(before)
        return before is not None

    def replace(self, kind: type[Any], entries: Iterable[Any]) -> bool:
        """Take a complete list: what it lacks is gone."""
        listed = {entry.key: entry for entry in entries}
        gone = [key for key in self._entries[kind] if key not in listed]
        changes = [self.drop(kind, key) for key in gone] + [self.put(entry) for entry in listed.values()]
        changes.append(kind not in self._listed)
        self._listed.add(kind)
        return any(changes)

    def touched(self) -> list[Key]:
        """The Services concerned by changes since the last call."""
        keys = list(self._touched)
        self._touched.clear()
        return keys

    def service(self, key: Key) -> Service | None:
        found: Service | None = self._entries[Service].get(key)
        return found

    def slices(self, key: Key) -> list[Slice]:
        return list(self._slices.get(key, {}).values())

    def _link(self, entry: Service | Slice) -> None:
        if isinstance(entry, Slice):
            self._slices.setdefault(entry.service, {})[entry.key] = entry
        self._touch(entry)

    def _unlink(self, entry: Service | Slice | None) -> None:
        if entry is None:
            return
        if isinstance(entry, Slice):
            remaining = self._slices[entry.service]
            del remaining[entry.key]
            if not remaining:
                del self._slices[entry.service]
        self._touch(entry)

    def _touch(self, entry: Service | Slice) -> None:
        self._touched[entry.service if isinstance(entry, Slice) else entry.key] = None
