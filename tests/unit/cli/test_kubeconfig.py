"""Merging into the user's kubeconfig: what is there stays, whatever it is."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubelite.cli import kubeconfig
from kubelite.cli.failure import Failure
from kubelite.cli.kubeconfig import forget, merge, merge_into, users_file

ADDED: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "kubelite", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "kubelite", "user": {"token": "new"}}],
    "contexts": [{"name": "kubelite", "context": {"cluster": "kubelite", "user": "kubelite"}}],
    "current-context": "kubelite",
}
THEIRS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "users": [{"name": "kubelite", "user": {"token": "old"}}, {"name": "me", "user": {"exec": {"command": "login"}}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me", "namespace": "team"}}],
    "current-context": "work",
}


def test_entries_are_added_and_ours_replaced_in_place() -> None:
    merged = merge(THEIRS, ADDED)
    assert merged["preferences"] == {"colors": True}
    assert [entry["name"] for entry in merged["clusters"]] == ["work", "kubelite"]
    assert merged["users"] == [ADDED["users"][0], THEIRS["users"][1]]
    assert merged["contexts"][0] == THEIRS["contexts"][0]
    assert merged["current-context"] == "kubelite"


def test_merging_twice_changes_nothing_more() -> None:
    once = merge(THEIRS, ADDED)
    assert merge(once, ADDED) == once


@pytest.mark.parametrize("content", [None, "", "apiVersion: v1\nkind: Config\nclusters: null\n"])
def test_missing_or_empty_file_becomes_a_whole_one(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    merge_into(path, ADDED)
    assert yaml.safe_load(path.read_text()) == ADDED
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_deleted_cluster_is_forgotten_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(THEIRS))
    merge_into(path, ADDED)
    assert forget(path, ADDED)
    assert yaml.safe_load(path.read_text()) == THEIRS | {"users": THEIRS["users"][1:], "current-context": ""}
    assert not forget(path, ADDED)


def test_other_cluster_of_the_same_name_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "config"
    other = ADDED | {"clusters": [{"name": "kubelite", "cluster": {"server": "https://elsewhere"}}]}
    path.write_text(yaml.safe_dump(other))
    assert not forget(path, ADDED)
    assert yaml.safe_load(path.read_text()) == other


@pytest.mark.parametrize("content", [None, "{"])
def test_file_that_can_not_be_read_is_left_alone(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "config"
    if content:
        path.write_text(content)
    assert not forget(path, ADDED)
    assert path.exists() == bool(content)


def test_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text(yaml.safe_dump(THEIRS))
    link.symlink_to(real)
    merge_into(link, ADDED)
    assert link.is_symlink()
    assert yaml.safe_load(real.read_text())["current-context"] == "kubelite"


@pytest.mark.parametrize("content", ["{", "a list", "- x\n", "clusters: {}\n", "clusters: [x]\n"])
def test_file_that_is_no_kubeconfig_stays_as_it_is(content: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(Failure, match="is no kubeconfig, and stays as it is"):
        merge_into(path, ADDED)
    assert path.read_text() == content
    assert list(tmp_path.iterdir()) == [path]


def test_lock_of_kubectl_is_waited_for(tmp_path: Path) -> None:
    path, lock = tmp_path / "config", tmp_path / "config.lock"
    lock.touch()
    threading.Timer(0.1, lock.unlink).start()
    merge_into(path, ADDED)
    assert path.exists()
    assert not lock.exists()


def test_lock_that_never_goes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeconfig, "LOCK_SECONDS", 0.0)
    (tmp_path / "config.lock").touch()
    with pytest.raises(Failure, match="is locked by another program"):
        merge_into(tmp_path / "config", ADDED)
    assert not (tmp_path / "config").exists()


def test_first_file_of_the_list_is_the_users() -> None:
    assert users_file({"KUBECONFIG": f"{os.pathsep}/a/b{os.pathsep}/c"}) == Path("/a/b")
    assert users_file({}) == Path.home() / ".kube" / "config"
