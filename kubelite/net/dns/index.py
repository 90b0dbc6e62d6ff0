"""The state DNS answers from: entries by key, slices by service, holders by address.

Pure (no clock, no I/O). `source` puts and drops entries one at a time; `records` looks them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from kubelite.net.dns.model import KINDS, Endpoint, Entry, Namespace, Port, Service, Slice
from kubelite.net.kind import Key

Outer = TypeVar("Outer")
Inner = TypeVar("Inner")
Value = TypeVar("Value")


class Index:
    """Each change costs as much as the entry it concerns, however many others there are."""

    def __init__(self, serial: int = 0) -> None:
        self.serial = serial
        self._entries: dict[type[Entry], dict[Key, Entry]] = {kind.entry: {} for kind in KINDS}
        self._slices: dict[Key, dict[Key, Slice]] = {}
        self._holders: dict[str, dict[tuple[type[Entry], Key], Entry]] = {}
        self._listed: set[type[Entry]] = set()

    @property
    def synced(self) -> bool:
        """True once every kind was listed: before, an absent name proves nothing."""
        return len(self._listed) == len(self._entries)

    def put(self, entry: Entry) -> bool:
        """Add or replace; false when nothing that DNS shows has changed."""
        known = self._entries[type(entry)]
        if known.get(entry.key) == entry:
            return False
        self._unlink(known.get(entry.key))
        known[entry.key] = entry
        self._link(entry)
        self.serial += 1
        return True

    def drop(self, kind: type[Entry], key: Key) -> bool:
        entry = self._entries[kind].pop(key, None)
        self._unlink(entry)
        self.serial += entry is not None
        return entry is not None

    def replace(self, kind: type[Entry], entries: Iterable[Entry]) -> bool:
        """Take a complete list: what it lacks is gone."""
        listed = {entry.key: entry for entry in entries}
        gone = [key for key in self._entries[kind] if key not in listed]
        changes = [self.drop(kind, key) for key in gone] + [self.put(entry) for entry in listed.values()]
        changes.append(kind not in self._listed)
        self._listed.add(kind)
        return any(changes)

    def has_namespace(self, name: str) -> bool:
        return ("", name) in self._entries[Namespace]

    def service(self, key: Key) -> Service | None:
        entry = self._entries[Service].get(key)
        return entry if isinstance(entry, Service) else None

    def endpoints(self, key: Key) -> Iterator[tuple[Endpoint, Port]]:
        """Every ready endpoint of a service with every port of its slice, once each."""
        seen = {
            (endpoint, port): None
            for part in self._slices.get(key, {}).values()
            for endpoint in part.endpoints
            for port in part.ports
        }
        return iter(seen)

    def holders(self, address: str) -> Iterable[Entry]:
        """The services and slices that an address belongs to."""
        return self._holders.get(address, {}).values()

    def _link(self, entry: Entry) -> None:
        if isinstance(entry, Slice):
            self._slices.setdefault((entry.key[0], entry.service), {})[entry.key] = entry
        for address in entry.addresses:
            self._holders.setdefault(address, {})[type(entry), entry.key] = entry

    def _unlink(self, entry: Entry | None) -> None:
        if entry is None:
            return
        if isinstance(entry, Slice):
            _discard(self._slices, (entry.key[0], entry.service), entry.key)
        for address in entry.addresses:
            _discard(self._holders, address, (type(entry), entry.key))


def _discard(table: dict[Outer, dict[Inner, Value]], outer: Outer, inner: Inner) -> None:
    """Remove from a nested table; an emptied inner one goes too."""
    inside = table.get(outer)
    if inside is not None and inside.pop(inner, None) is not None and not inside:
        del table[outer]
