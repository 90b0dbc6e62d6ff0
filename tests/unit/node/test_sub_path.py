"""Sub-paths of volumes: made, found, and never outside, though links stand or are put in the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubelite.node.environment import ConfigError
from kubelite.node.sub_path import sub_path

WHOSE = 'volumeMount "v" of container "web"'
PREPARE = f"failed to prepare subPath for {WHOSE}"
CREATE = f"failed to create subPath directory for {WHOSE}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A volume with things in it that lead outside, and some that don't."""
    made = tmp_path / "v"
    (made / "dir").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    for name, target in {
        "link": tmp_path / "outside",
        "up": Path("../outside"),
        "to-file": Path("../outside/file"),
        "dangling": Path("../nothing"),
        "inside": Path("dir"),
        "loop": Path("loop"),
    }.items():
        (made / name).symlink_to(target)
    (made / "file").touch()
    return made


@pytest.mark.parametrize(
    ("below", "told"),
    [
        ("../out", "unable to provision SubPath `../out`: must not contain '..'"),
        ("a/../../out", "unable to provision SubPath `a/../../out`: must not contain '..'"),
        ("/abs", "error SubPath `/abs` must not be an absolute path"),
        ("link", PREPARE),
        ("up", PREPARE),
        ("to-file", PREPARE),
        ("link/file", PREPARE),
        ("link/no", CREATE),
        ("dangling", CREATE),
        ("file/x", PREPARE),
        ("loop", PREPARE),
    ],
)
def test_volume_is_not_left(root: Path, below: str, told: str) -> None:
    with pytest.raises(ConfigError) as failed:
        sub_path(root, below, WHOSE)
    assert str(failed.value) == told
    assert {path.name for path in root.parent.iterdir()} == {"v", "outside"}
    assert [path.name for path in (root.parent / "outside").iterdir()] == ["file"]


def test_what_is_there_is_found_and_links_inside_are_followed(root: Path) -> None:
    assert sub_path(root, "", WHOSE) == root
    assert sub_path(root, "file", WHOSE) == root / "file"
    assert sub_path(root, "inside", WHOSE) == root / "dir"
    assert sub_path(root, "..dots", WHOSE) == root / "..dots"


def test_missing_directories_have_the_rights_of_the_volume(root: Path) -> None:
    root.chmod(0o3775)
    before = os.umask(0o077)
    try:
        made = sub_path(root, "inside/a/b", WHOSE)
    finally:
        os.umask(before)
    assert made == root / "dir/a/b"
    assert [path.stat().st_mode & 0o7777 for path in (made.parent, made)] == [0o3775, 0o3775]


def test_containers_of_a_pod_may_need_the_same_at_once(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            below = f"{number}/x/y/z"
            found = pool.map(sub_path, [root] * 8, [below] * 8, [WHOSE] * 8)
            assert set(found) == {root / below}


@pytest.mark.parametrize("below", ["dir/a/b", "dir/file", "dir"])
def test_link_put_in_the_way_meanwhile_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    """Between the look at the path and the walk along it."""

    def swap(walk: Callable[..., None]) -> Callable[..., None]:
        def swapped(start: Path, names: tuple[str, ...]) -> None:
            (root / "dir").rename(root / "was")
            (root / "dir").symlink_to(root.parent / "outside")
            walk(start, names)

        return swapped

    module = sys.modules[sub_path.__module__]
    monkeypatch.setattr(module, "_walk", swap(module._walk))
    with pytest.raises(ConfigError):
        sub_path(root, below, WHOSE)
    assert [path.name for path in (root.parent / "outside").iterdir()] == ["file"]
