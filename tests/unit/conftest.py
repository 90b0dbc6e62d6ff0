"""Fixtures of the unit tests: a registry on an in-memory store, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kubelite.config import Settings
from kubelite.controllers.runtime import Controller, Key
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Event
from kubelite.registry.registry import Registry
from kubelite.store import Store


@dataclass
class Clock:
    """Time as tests set it."""

    at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Recorded:
    """A recorder that remembers (reason, message)."""

    events: list[tuple[str, str]] = field(default_factory=list)

    def event(self, about: Obj, type: str, reason: str, message: str, field_path: str = "") -> None:
        self.events.append((reason, message))

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.events]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def registry(clock: Clock, tmp_path: Path) -> Iterator[Registry]:
    """With the namespaces `default` and `kube-system`; afterwards no stored object may have been changed in place."""
    store = Store(":memory:")
    registry = Registry(store, Settings(home=tmp_path), now=clock)
    for name in ("default", "kube-system"):
        registry.create("namespaces", {"metadata": {"name": name}})
        registry.create("serviceaccounts", {"metadata": {"name": "default", "namespace": name}})
    yield registry
    assert store.verify() == []
    store.close()


class Controllers:
    """Runs controllers to rest, synchronously: every change reaches every mapper, every key is reconciled."""

    def __init__(self, registry: Registry, *controllers: Controller) -> None:
        self._registry = registry
        self._controllers = controllers
        self._seen = registry.store.revision

    def settle(self, rounds: int = 100) -> None:
        """Until nothing changes any more."""
        for controller in self._controllers:
            self._run(controller, dict.fromkeys(controller.initial()))
        for _ in range(rounds):
            if not self._step():
                return
        raise AssertionError("the controllers never come to rest")

    def _step(self) -> bool:
        plurals = {kind.resource: kind.plural for kind in self._registry.built_in}
        custom = {change.resource for change in self._registry.store._since(self._seen)} - set(plurals)
        watch = self._registry.store.watch([*plurals, *custom], self._seen)
        changes = list(watch._waiting)
        watch.close()
        self._seen = self._registry.store.revision
        for change in changes:
            old = change.before.object if change.before else None
            event = Event(change.type, plurals.get(change.resource, change.resource), change.now.object, old)
            for controller in self._controllers:
                watched = controller.watches()
                mapper = watched.get(event.plural if change.resource in plurals else CUSTOM)
                self._run(controller, dict.fromkeys(mapper(event) if mapper else ()))
        return bool(changes)

    @staticmethod
    def _run(controller: Controller, keys: dict[Key, None]) -> None:
        for key in keys:
            controller.reconcile(key)
