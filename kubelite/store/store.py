"""The store: objects under (resource, namespace, name), one revision counter, watches with a history.

One append-only table whose primary key is the revision (the shape of k3s-io/kine), current objects in dicts beside it.
Everything is synchronous: a write is one SQLite transaction in WAL mode, and once a call returns a SIGKILL loses
nothing. A second writer on the same file collides on the primary key instead of corrupting anything.

Used by the registry only; knows nothing of Kubernetes but `metadata.resourceVersion`, which it writes.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Container, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from kubelite.errors import internal_error
from kubelite.objects.meta import Obj
from kubelite.store.watch import Change, Stored, Watch

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    revision  INTEGER PRIMARY KEY,
    resource  TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    deleted   INTEGER NOT NULL,
    value     BLOB NOT NULL
);
"""
_INSERT = "INSERT INTO objects (revision, resource, namespace, name, deleted, value) VALUES (?, ?, ?, ?, ?, ?)"
_LOAD = "SELECT revision, resource, namespace, name, deleted, value FROM objects ORDER BY revision"
_DELETE = "DELETE FROM objects WHERE revision IN ({})"

HISTORY = 4000  # changes that a watch can still be resumed from
CHUNK = 50  # rows that are deleted at once: more would hold up the event loop
DECODED = 200  # of these, how many keep their decoded form
BACKLOG = 20_000  # events that a slow client may have waiting

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict).decode


class Expired(Exception):
    """The asked-for revision is older than the history (or newer than the store): list again."""


class Unusable(Exception):
    """The file can't be opened or read; the text says which and why."""


Resource = dict[str, dict[str, Stored]]  # namespace ("" for cluster-scoped) -> name -> object


class Store:
    """See the module. `path` may be ":memory:"; `durable` also survives a power cut (synchronous=FULL)."""

    def __init__(self, path: Path | str, *, durable: bool = False, history: int = HISTORY) -> None:
        self.revision = 1  # so that no list ever answers resourceVersion "0", which means "any" to clients
        self._resources: dict[str, Resource] = {}
        self._history: deque[Change] = deque()
        self._limit = history
        self._oldest = 0  # a watch may start at this revision or later
        self._obsolete: deque[int] = deque()  # rows that nobody needs any more
        self._watches: set[Watch] = set()
        try:
            self._database = _opened(path, durable)
            self._load()
        except (sqlite3.Error, OSError) as error:
            raise Unusable(f"{path}: {error}") from error

    def _load(self) -> None:
        for revision, resource, namespace, name, deleted, raw in self._database.execute(_LOAD):
            before = self._find(resource, namespace, name)
            now = Stored(namespace, name, revision, raw)
            if before is None and not deleted:
                kind: Literal["ADDED", "MODIFIED", "DELETED"] = "ADDED"
            else:
                kind = "DELETED" if deleted else "MODIFIED"
            self._put(Change(kind, resource, now, before))
        # Compaction leaves gaps that a load can't tell from quiet times: only what comes now can be resumed.
        self._forget(0)
        self._oldest = self.revision
        if len(self._obsolete) > self._limit:  # fewer go bit by bit, as writes come
            self.compact()

    # reads

    def _find(self, resource: str, namespace: str, name: str) -> Stored | None:
        return self._resources.get(resource, {}).get(namespace, {}).get(name)

    def get(self, resource: str, namespace: str, name: str) -> Stored | None:
        return self._find(resource, namespace, name)

    def list(self, resource: str, namespace: str | None = None) -> list[Stored]:
        """Of one namespace or (None) of all, ordered by namespace and name."""
        spaces = self._resources.get(resource, {})
        chosen = sorted(spaces) if namespace is None else [namespace]
        return [spaces[space][name] for space in chosen if space in spaces for name in sorted(spaces[space])]

    def list_at(self, resource: str, namespace: str | None, revision: int) -> Sequence[Stored]:
        """As `list` was at `revision`, by undoing what came since; Expired when the history doesn't reach back."""
        if not self._oldest <= revision <= self.revision:
            raise Expired(revision)
        then = {(item.namespace, item.name): item for item in self.list(resource, namespace)}
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            if change.resource != resource or namespace not in (None, change.now.namespace):
                continue
            key = (change.now.namespace, change.now.name)
            if change.before is None:
                then.pop(key, None)
            else:
                then[key] = change.before
        return [then[key] for key in sorted(then)]

    def count(self, resource: str) -> int:
        return sum(len(names) for names in self._resources.get(resource, {}).values())

    # writes

    def put(self, resource: str, namespace: str, name: str, obj: Obj) -> Stored:
        """Create or replace; `obj` becomes the store's, with its new resourceVersion."""
        revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        raw = _encode(obj)
        self._insert(revision, resource, namespace, name, 0, raw)
        before = self._find(resource, namespace, name)
        now = Stored(namespace, name, revision, raw, obj)
        self._publish(Change("ADDED" if before is None else "MODIFIED", resource, now, before))
        return now

    def delete(self, resource: str, namespace: str, name: str) -> Stored:
        """Remove an object that exists; its last version comes back, with the deletion's resourceVersion."""
        before = self._resources[resource][namespace][name]
        revision = self.revision + 1
        last = _decode(before.raw)
        last["metadata"]["resourceVersion"] = str(revision)
        raw = _encode(last)
        self._insert(revision, resource, namespace, name, 1, raw)
        now = Stored(namespace, name, revision, raw, last)
        self._publish(Change("DELETED", resource, now, before))
        return now

    def _insert(self, *row: object) -> None:
        """Nothing has changed when this raises: a full disk refuses the write and no more."""
        try:
            self._database.execute(_INSERT, row)
        except sqlite3.OperationalError as error:
            raise internal_error(f"the state can't be written: {error}") from error

    def _publish(self, change: Change) -> None:
        self._put(change)
        for watch in list(self._watches):
            if change.resource in watch.resources:
                watch.push(change)
        self._forget(self._limit)
        if len(self._obsolete) >= CHUNK:
            self._delete_chunk()

    def _put(self, change: Change) -> None:
        self.revision = change.revision
        names = self._resources.setdefault(change.resource, {}).setdefault(change.now.namespace, {})
        if change.type == "DELETED":
            names.pop(change.now.name, None)
        else:
            names[change.now.name] = change.now
        self._history.append(change)
        if len(self._history) > DECODED:
            self._release(self._history[-DECODED])

    def _release(self, change: Change) -> None:
        current = self._find(change.resource, change.now.namespace, change.now.name)
        for stored in (change.now, change.before):
            if stored is not None and stored is not current:
                stored.release()

    def _forget(self, limit: int) -> None:
        """Drop history beyond `limit` changes, and mark the rows that only it needed, oldest first."""
        while len(self._history) > limit:
            change = self._history.popleft()
            self._oldest = change.revision
            if change.before is not None:
                self._obsolete.append(change.before.revision)
            if change.type == "DELETED":
                self._obsolete.append(change.revision)

    def compact(self) -> None:
        """Drop history beyond the limit, in memory and on disk; current objects stay."""
        self._forget(self._limit)
        while self._obsolete and self._delete_chunk():
            pass

    def _delete_chunk(self) -> bool:
        """The newest row stays, whatever it is: the next start counts on from it. False when there is nothing to do."""
        chunk = [revision for revision in islice(self._obsolete, CHUNK) if revision != self.revision]
        if not chunk:
            return False
        try:
            self._database.execute(_DELETE.format(",".join("?" * len(chunk))), chunk)
        except sqlite3.Error:
            return False  # a full disk: the next chunk is tried again
        for _ in chunk:
            self._obsolete.popleft()
        return True

    # watches

    def watch(self, resources: Container[str], since: int | None = None, most: int | None = None) -> Watch:
        """Changes after revision `since` (None: from now on); Expired when the history no longer reaches back.

        A watch with more than `most` changes waiting is closed: its reader has to list again.
        """
        if since is None or since == self.revision:
            backlog: Iterator[Change] = iter(())
        elif since < self._oldest or since > self.revision:
            raise Expired(since)
        else:
            backlog = (c for c in self._since(since) if c.resource in resources)
        watch = Watch(resources, backlog, self._watches.discard, most)
        self._watches.add(watch)
        return watch

    def _since(self, revision: int) -> Iterator[Change]:
        missed = next((i for i, change in enumerate(self._history) if change.revision > revision), len(self._history))
        return islice(self._history, missed, None)

    @property
    def oldest(self) -> int:
        return self._oldest

    def verify(self) -> Sequence[str]:
        """Keys of objects that somebody changed in place: always empty, asked by tests."""
        return [
            f"{resource}/{stored.namespace}/{stored.name}"
            for resource, spaces in self._resources.items()
            for names in spaces.values()
            for stored in names.values()
            if _encode(stored.object) != stored.raw
        ]

    def close(self) -> None:
        for watch in list(self._watches):
            watch.close()
        self._database.close()


def _opened(path: Path | str, durable: bool) -> sqlite3.Connection:
    if isinstance(path, Path):
        path.touch(mode=0o600)  # Secrets are in it
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    database.executescript(_SCHEMA)
    return database
