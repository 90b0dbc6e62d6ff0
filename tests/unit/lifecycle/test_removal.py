"""What a deleted cluster leaves on the engine: nothing that can be removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from kubelite.config import Settings
from kubelite.lifecycle import removal


class Engine:
    """Lists `rounds` of containers, one after another; its network is busy while a container is left, or for good."""

    def __init__(self, *rounds: list[str], network_stuck: bool = False) -> None:
        self.api = self
        self.removed: list[str] = []
        self._rounds = list(rounds)
        self._stuck = network_stuck

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        now = self._rounds.pop(0) if self._rounds else []
        return [{"Id": name} for name in now]

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return [] if "network" in self.removed else [{"Id": "network"}]

    def remove_container(self, name: str, **_: Any) -> None:
        self.removed.append(name)

    def remove_network(self, name: str) -> None:
        if self._stuck or self._rounds:
            raise APIError("network has active endpoints")
        self.removed.append(name)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setattr("kubelite.engine.service_rules.remove", lambda *arguments: None)
    return Settings(name="gone", home=tmp_path)


def test_container_that_appears_late_is_removed_too(settings: Settings) -> None:
    engine: Any = Engine(["a", "b"], ["late"])
    assert removal.remove_from_engine(settings, engine, lambda line: None)
    assert set(engine.removed) == {"a", "b", "late", "network"}


def test_network_that_the_engine_does_not_let_go_is_told_and_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "LET_GO_SECONDS", 0.1)
    told: list[str] = []
    engine: Any = Engine(["a"], network_stuck=True)
    assert removal.remove_from_engine(settings, engine, told.append)
    assert "network has active endpoints" in told[-1]


def test_nothing_to_remove_is_reported(settings: Settings) -> None:
    engine: Any = Engine()
    engine.removed.append("network")
    assert not removal.remove_from_engine(settings, engine, lambda line: None)
