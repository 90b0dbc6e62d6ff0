"""Writes of objects as the registry does them, without a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from kubelite.config import Settings
from kubelite.errors import StatusError, invalid
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind

NOW = datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC)


@dataclass
class Cluster:
    """A Reader over plain lists; `create` and `update` do what the registry does around a declaration."""

    objects: dict[str, list[Obj]] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def find(self, plural: str, namespace: str | None, name: str) -> Obj | None:
        found = (obj for obj in self.list(plural, namespace) if meta.name(obj) == name)
        return next(found, None)

    def list(self, plural: str, namespace: str | None = None) -> list[Obj]:
        return [obj for obj in self.objects.get(plural, []) if namespace in (None, meta.namespace(obj))]

    def create(self, kind: Kind, obj: dict[str, Any]) -> Obj:
        new = self._completed(kind, obj)
        new["metadata"]["creationTimestamp"] = "2026-11-23T12:00:00Z"
        kind.default(new)
        if "status" in kind.subresources:
            new["status"] = kind.initial_status(new) or {}
        self._admit(kind, new, None)
        self.objects.setdefault(kind.plural, []).append(new)
        return new

    def update(self, kind: Kind, old: Obj, change: Callable[[Obj], object]) -> Obj:
        new = meta.copy(old)
        change(new)
        kind.default(new)
        self._admit(kind, new, old)
        self.objects[kind.plural] = [new if obj is old else obj for obj in self.objects[kind.plural]]
        return new

    def _completed(self, kind: Kind, obj: dict[str, Any]) -> Obj:
        new = {"apiVersion": kind.api_version, "kind": kind.kind} | meta.copy(obj)
        new["metadata"] = {"name": "x"} | (new.get("metadata") or {})
        if kind.namespaced:
            new["metadata"].setdefault("namespace", "default")
        return new

    def _admit(self, kind: Kind, new: Obj, old: Obj | None) -> None:
        kind.prepare(new, old)
        kind.admit(new, old, self)
        if found := kind.validate(new, old):
            raise invalid(kind.kind, meta.name(new), found, kind.group)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def refused() -> Callable[[Callable[[], object]], list[str]]:
    """The causes with which a write is refused, as `path: message`; none when it isn't."""

    def causes(write: Callable[[], object]) -> list[str]:
        try:
            write()
        except StatusError as error:
            listed = error.details.get("causes")
            return [f"{cause['field']}: {cause['message']}" for cause in listed] if listed else [error.message]
        return []

    return causes
