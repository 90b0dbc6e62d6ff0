"""Whether a registry answers is learned once, and in time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import docker.errors
import pytest

from kubelite.engine import registry
from kubelite.engine.registry import RegistryError


class Engine:
    """`pull` answers with `events`, an error, or not at all."""

    def __init__(self, events: list[dict[str, str]] | Exception | threading.Event) -> None:
        self.api = self
        self.base_url = f"http://engine-{id(self)}"
        self.events = events
        self.asked: list[tuple[str, str]] = []

    def pull(self, repository: str, tag: str, stream: bool, decode: bool) -> Iterator[dict[str, str]]:
        self.asked.append((repository, tag))
        if isinstance(self.events, threading.Event):
            self.events.wait(10)
            return
        if isinstance(self.events, Exception):
            raise self.events
        yield from self.events


def quiet(line: str) -> None:
    pass


def test_pull_succeeds_and_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    engine: Any = Engine([{"status": "Pulling"}, {"status": "Done"}])
    registry.pull(engine, "httpd", told.append)
    assert engine.asked == [("httpd", "latest")]
    assert told[0] == "httpd: pulling"


@pytest.mark.parametrize(
    "events", [[{"status": "Pulling"}, {"error": "no space left"}], docker.errors.APIError("no space left")]
)
def test_failed_pull_gives_the_engines_reason(events: Any) -> None:
    with pytest.raises(RegistryError, match="no space left"):
        registry.pull(Engine(events), "httpd", quiet)


def test_silent_registry_is_given_up_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FIRST_ANSWER_SECONDS", 0.05)
    over = threading.Event()
    engine: Any = Engine(over)
    assert not registry.try_pull(engine, "httpd", quiet)
    assert not registry.try_pull(engine, "debian", quiet)
    assert engine.asked == [("httpd", "latest")]
    over.set()
