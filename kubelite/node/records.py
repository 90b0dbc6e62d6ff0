"""What is known of one pod's containers: kept up to date by the worker's own calls and by engine events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from kubelite.node.runtime import Container

_ORDER = {"created": 0, "running": 1, "exited": 2}


class Records:
    """By id; the engine's word always wins over what was there."""

    def __init__(self, containers: Iterable[Container] = ()) -> None:
        self._by_id = {container.id: container for container in containers}

    def put(self, container: Container) -> None:
        """A container never goes back to an earlier state (an answer that says so was overtaken), and it doesn't start
        at another moment than the one that was told."""
        known = self._by_id.get(container.id)
        if known is None:
            self._by_id[container.id] = container
        elif _ORDER[container.state] >= _ORDER[known.state]:
            self._by_id[container.id] = replace(container, started_at=_start(known, container))

    def get(self, container_id: str) -> Container | None:
        return self._by_id.get(container_id)

    def discard(self, container_id: str) -> Container | None:
        return self._by_id.pop(container_id, None)

    def started(self, container_id: str, at: datetime) -> None:
        """The start call returned; by then the container may already have ended."""
        found = self._by_id.get(container_id)
        if found is not None and found.state == "created":
            self._by_id[container_id] = replace(found, state="running", started_at=at)

    def all(self) -> list[Container]:
        return list(self._by_id.values())

    def sandboxes(self) -> tuple[Container, ...]:
        """Newest first."""
        return _newest_first(container for container in self._by_id.values() if container.is_sandbox)

    def by_name(self) -> dict[str, tuple[Container, ...]]:
        """The pod's own containers, newest first."""
        names = dict.fromkeys(c.name for c in self._by_id.values() if not c.is_sandbox)
        return {name: _newest_first(c for c in self._by_id.values() if c.name == name) for name in names}

    def running(self) -> list[Container]:
        return [c for c in self._by_id.values() if c.state == "running" and not c.is_sandbox]


def _start(known: Container, now: Container) -> datetime | None:
    if known.started_at is None or now.started_at is None:
        return now.started_at
    return min(known.started_at, now.finished_at or known.started_at)


def _newest_first(containers: Iterable[Container]) -> tuple[Container, ...]:
    return tuple(sorted(containers, key=lambda container: container.attempt, reverse=True))
