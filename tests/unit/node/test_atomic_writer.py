"""How the files of a volume are written and changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubelite.node.atomic_writer import write_atomically
from kubelite.node.volume_payload import File, VolumeError


def files(**content: str) -> dict[str, File]:
    return {name: File(text.encode(), 0o644) for name, text in content.items()}


def links(volume: Path) -> dict[str, str]:
    return {path.name: os.readlink(path) for path in volume.iterdir() if path.is_symlink()}


def test_names_lead_through_one_link_that_is_swapped(tmp_path: Path) -> None:
    assert write_atomically(tmp_path, files(a="1", b="1") | {"deep/er/c": File(b"1", 0o644)}, None)
    before = links(tmp_path)
    assert before.pop("..data").startswith("..20")
    assert before == {"a": "..data/a", "b": "..data/b", "deep": "..data/deep"}
    assert not write_atomically(tmp_path, files(a="1", b="1") | {"deep/er/c": File(b"1", 0o644)}, None)
    assert write_atomically(tmp_path, files(a="2", d="2"), None)
    now = links(tmp_path)
    (directory,) = tmp_path.glob("..20*")
    assert now == {"..data": directory.name, "a": "..data/a", "d": "..data/d"}
    assert {path.name: path.read_text() for path in directory.iterdir()} == {"a": "2", "d": "2"}


def test_fewer_files_are_a_change(tmp_path: Path) -> None:
    write_atomically(tmp_path, files(a="1", b="1"), None)
    assert write_atomically(tmp_path, files(a="1"), None)
    assert write_atomically(tmp_path, {}, None)
    assert set(links(tmp_path)) == {"..data"}
    assert not write_atomically(tmp_path, {}, None)


def test_directory_that_a_sub_path_made_stays(tmp_path: Path) -> None:
    write_atomically(tmp_path, files(a="1"), None)
    (tmp_path / "missing").mkdir()
    assert write_atomically(tmp_path, files(a="2"), None)
    assert write_atomically(tmp_path, files(missing="3"), None)
    assert set(links(tmp_path)) == {"..data"}
    assert (tmp_path / "missing").is_dir()


def test_file_of_a_user_can_be_read_by_that_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, owner, group: given.append((path.name, owner)))
    write_atomically(tmp_path / "root", {"token": File(b"", 0o600, 1000)}, None)
    assert given == [("token", 1000)]
    assert (tmp_path / "root" / "..data" / "token").stat().st_mode & 0o777 == 0o600

    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    write_atomically(tmp_path / "other", {"token": File(b"", 0o600, 1000)}, None)
    assert (tmp_path / "other" / "..data" / "token").stat().st_mode & 0o777 == 0o606


def test_path_that_leaves_the_volume_is_not_written(tmp_path: Path) -> None:
    for name in ("/etc/x", "../x", "a/../../x", "..x", ""):
        with pytest.raises(VolumeError):
            write_atomically(tmp_path, {name: File(b"", 0o644)}, None)


def test_files_can_be_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path, {"a/b/c": File(b"", 0o644)}, None)
    finally:
        os.umask(before)
    path = tmp_path / "a" / "b"
    assert {found.stat().st_mode & 0o777 for found in (tmp_path / "..data", path.parent, path)} == {0o755}
