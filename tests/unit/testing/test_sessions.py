"""Which clusters belong to test sessions that are gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubelite.config import LABEL_CLUSTER, LABEL_HOME, Settings
from kubelite.testing import sessions

NAME_OF_A_SESSION = "from kubelite.testing.sessions import own_name; print(own_name(), flush=True); input()"


@pytest.fixture
def other() -> Iterator[Any]:
    """Another process that has named its cluster, and lives until it is told to end."""
    with subprocess.Popen(
        [sys.executable, "-c", NAME_OF_A_SESSION], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def name_of(process: Any) -> str:
    return str(process.stdout.readline()).strip()


def test_own_cluster_is_not_abandoned() -> None:
    assert not sessions.is_abandoned(sessions.own_name())
    assert sessions.own_name() == sessions.own_name()


def test_cluster_is_abandoned_when_its_process_has_gone(other: Any) -> None:
    name = name_of(other)
    assert name != sessions.own_name()
    assert not sessions.is_abandoned(name)
    other.communicate("\n")
    assert sessions.is_abandoned(name)


def test_sessions_may_have_several_clusters() -> None:
    *_, start = (name := sessions.own_name("second")).removesuffix("-second").split("-")
    assert not sessions.is_abandoned(name)
    assert sessions.is_abandoned(name.replace(start, f"{int(start, 16) - 1:x}"))


def test_killed_process_is_gone_before_its_parent_has_noticed(other: Any) -> None:
    name = name_of(other)
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert sessions.is_abandoned(name)


def test_later_process_with_the_same_number_is_another() -> None:
    *parts, start = sessions.own_name().split("-")
    assert sessions.is_abandoned("-".join([*parts, f"{int(start, 16) - 1:x}"]))


@pytest.mark.parametrize(
    "name", ["kubelite", "pytest", "pytest-1", "pytest-of-mine", "pytest-zzzz-1-1", "x-pytest-0-1-1"]
)
def test_clusters_with_other_names_are_nobodys_leftovers(name: str) -> None:
    assert not sessions.is_abandoned(name)


def test_sessions_of_other_places_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    name = sessions.own_name().rpartition("-")[0] + "-1"
    assert sessions.is_abandoned(name)
    monkeypatch.undo()
    assert not sessions.is_abandoned(name)


class Engine:
    """Lists what carries the cluster's label."""

    def __init__(self, containers: list[dict[str, str]], networks: list[dict[str, str]]) -> None:
        self.api = self
        self._containers, self._networks = containers, networks

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Labels": labels} for labels in self._containers]

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Labels": labels} for labels in self._networks]

    def close(self) -> None:
        pass


def test_sweep_removes_what_is_left_on_the_engine_and_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = sessions.own_name().rpartition("-")[0]
    on_disk, networked, elsewhere = f"{gone}-1", f"{gone}-2", f"{gone}-3"
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    for name in (on_disk, "pytest-mine", sessions.own_name()):
        (tmp_path / name).mkdir()
    engine = Engine(
        [{LABEL_CLUSTER: elsewhere}, {LABEL_CLUSTER: "kubelite"}, {LABEL_CLUSTER: networked}],
        [{LABEL_CLUSTER: networked, LABEL_HOME: "/other/home"}, {LABEL_CLUSTER: sessions.own_name()}],
    )
    deleted: dict[str, Settings] = {}
    monkeypatch.setattr("kubelite.engine.find.connect", lambda endpoint: engine)
    monkeypatch.setattr("kubelite.lifecycle.delete", lambda settings, *_: deleted.update({settings.name: settings}))
    endpoint: Any = object()
    assert sessions.sweep(endpoint) == [on_disk, networked, elsewhere]
    assert deleted[networked].directory == Path("/other/home") / networked
    assert deleted[on_disk].directory == tmp_path / on_disk
    assert set(deleted) == {on_disk, networked, elsewhere}


def test_sweep_goes_on_when_something_can_not_be_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = sessions.own_name().rpartition("-")[0]
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    tried = []
    for name in (f"{gone}-1", f"{gone}-2"):
        (tmp_path / name).mkdir()

    def refuse(settings: Settings, *_: Any) -> None:
        tried.append(settings.name)
        raise PermissionError("somebody else's")

    monkeypatch.setattr("kubelite.lifecycle.delete", refuse)
    sessions.sweep(None)
    assert sorted(tried) == [f"{gone}-1", f"{gone}-2"]
