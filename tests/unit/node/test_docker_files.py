"""What this user may not remove is removed by a container."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from kubelite.node.docker_files import remove_tree


class Engine:
    """Notes what is run; with a `problem` nothing can be."""

    def __init__(self, problem: str = "") -> None:
        self.containers = self
        self.ran: list[tuple[str, Any, Any]] = []
        self._problem = problem

    def run(self, image: str, *, entrypoint: list[str], volumes: dict[str, Any], **_: Any) -> None:
        if self._problem:
            raise APIError(self._problem)
        self.ran.append((image, entrypoint, list(volumes)))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "claim"
    (path / "below").mkdir(parents=True)
    return path


def refuse(path: Path) -> None:
    raise PermissionError(path)


def test_own_files_need_no_container(directory: Path) -> None:
    engine: Any = Engine()
    remove_tree(engine, "image", directory)
    assert not directory.exists()
    assert engine.ran == []


def test_others_files_are_removed_by_a_container(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", refuse)
    engine: Any = Engine()
    remove_tree(engine, "image", directory)
    assert engine.ran == [("image", ["rm", "-rf", "/parent/claim"], [str(directory.parent)])]


def test_engine_that_cannot_is_an_os_error(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "rmtree", refuse)
    engine: Any = Engine("no such image")
    with pytest.raises(OSError, match="can't be removed: no such image"):
        remove_tree(engine, "image", directory)
