"""Rights of a pod's group, granted by root and by others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubelite.node.group_rights import grant, own


def refuse(*arguments: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_group_gets_the_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((path, user, group)))
    tmp_path.chmod(0o700)
    grant(tmp_path, 2000, 0o2770)
    assert given == [(tmp_path, -1, 2000)]
    assert mode(tmp_path) == 0o2770


def test_everybody_gets_them_where_the_group_cannot_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chown", refuse)
    file = tmp_path / "file"
    file.touch(mode=0o600)
    grant(file, 2000, 0o440)
    assert mode(file) == 0o644
    tmp_path.chmod(0o700)
    grant(tmp_path, 2000, 0o2770)
    assert mode(tmp_path) == 0o777


def test_files_of_others_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(Path, "chmod", refuse)
    before = mode(tmp_path)
    grant(tmp_path, 2000, 0o2770)
    assert mode(tmp_path) == before


def test_a_volume_is_given_to_the_group_each_time_or_only_when_its_root_is_not(tmp_path: Path) -> None:
    group = os.getgid()
    file = tmp_path / "deep" / "file"
    file.parent.mkdir()
    file.touch(mode=0o600)
    own(tmp_path, group, "OnRootMismatch")
    assert file.stat().st_mode & 0o777 == 0o660
    assert tmp_path.stat().st_mode & 0o2770 == 0o2770
    file.chmod(0o600)
    own(tmp_path, group, "OnRootMismatch")
    assert file.stat().st_mode & 0o777 == 0o600
    own(tmp_path, group, "Always")
    assert file.stat().st_mode & 0o777 == 0o660
