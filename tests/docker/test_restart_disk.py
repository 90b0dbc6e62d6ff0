"""A cluster whose disk is full, damaged or not to be written: it says so, and does nothing by halves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelite.cli.client import ApiError
from tests.docker.running_cluster import Cluster, deleted_after, new_cluster, running_cluster

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Cluster]:
    """Its home has room for little."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], check=True)
    try:
        with deleted_after(new_cluster(tmp_path)) as cluster:
            cluster.up()
            yield cluster
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.root
def test_full_disk_refuses_writes_until_there_is_room_again(tiny: Cluster) -> None:
    tiny.create_pod("lives")
    tiny.ready("lives")
    fill(tiny)
    before = tiny.running()
    with pytest.raises(ApiError, match="the state can't be written"):
        tiny.create_pod("refused")
    tiny.kill()
    subprocess.run(["mount", "-o", "remount,size=30m", tiny.settings.home], check=True)
    tiny.up()
    assert tiny.running() == before
    assert set(tiny.pods()) == {"lives"}
    tiny.create_pod("accepted")
    tiny.ready("accepted")


def fill(cluster: Cluster) -> None:
    """Until not even a small object fits."""
    for size in (100_000, 1_000, 10):
        with pytest.raises(ApiError, match="database or disk is full"):
            add_maps(cluster, size)


def add_maps(cluster: Cluster, size: int) -> None:
    for index in range(1000):
        body = {"metadata": {"name": f"big-{size}-{index}"}, "data": {"x": "x" * size}}
        cluster.client.request("POST", MAPS, body)


@pytest.mark.parametrize("what", ["damaged", "emptied", "removed"])
def test_lost_state_is_named_and_the_containers_are_left_alone(cluster: Cluster, what: str) -> None:
    cluster.create_pod("lives")
    cluster.ready("lives")
    cluster.kill()
    before = cluster.running()
    kept = {path: path.read_bytes() for path in cluster.settings.directory.glob("state.db*")}
    for path in kept:
        path.unlink()
    if what != "removed":
        cluster.settings.database.write_bytes(b"no database" * 1000 if what == "damaged" else b"")
    failed = cluster.command("up")
    assert failed.returncode == 1
    assert str(cluster.settings.database) in failed.stderr
    assert "Traceback" not in failed.stderr
    assert cluster.command("status").returncode == 1
    for path, content in kept.items():
        path.write_bytes(content)
    cluster.up()
    assert cluster.running() == before
    assert set(cluster.pods()) == {"lives"}


@pytest.mark.root
def test_read_only_home_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", home], check=True)
    try:
        failed = new_cluster(home).command("up")
    finally:
        subprocess.run(["umount", home], check=True)
    assert failed.returncode == 1
    assert "Read-only file system" in failed.stderr
    assert str(home) in failed.stderr
    assert "Traceback" not in failed.stderr
