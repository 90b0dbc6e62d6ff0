"""Decisions around the private engine; its life with a real dockerd is in tests/docker."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kubelite.engine import EngineError, Progress, daemon, install
from kubelite.engine.daemon import Daemon, is_free, mounted_below
from kubelite.engine.find import Candidate, ChosenEngineSilent, Endpoint

FOUND = Endpoint("unix:///engine.sock", "default socket", "20.10", "1.41", "amd64", "Docker")


@pytest.fixture
def directory() -> Iterator[Path]:
    with TemporaryDirectory(prefix="kl-") as made:
        yield Path(made)


def test_path_is_free_when_nothing_is_there(directory: Path) -> None:
    assert is_free(directory / "engine.sock")


def test_path_is_free_when_a_dead_daemons_socket_is_left(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "engine.sock"))
    assert is_free(directory / "engine.sock")


def test_path_is_taken_while_somebody_listens(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "engine.sock"))
        listener.listen()
        assert not is_free(directory / "engine.sock")


def test_mounts_below_are_listed_innermost_first() -> None:
    mounts = "\n".join(
        f"dev {target} ext4 rw 0 0"
        for target in ("/", "/data", "/data/overlay2/a/merged", "/database", "/data/with\\040space", "/other/data")
    )
    assert mounted_below(Path("/data"), mounts) == ["/data/with space", "/data/overlay2/a/merged", "/data"]


def test_stale_pid_files_are_removed_and_their_processes_left_alone(tmp_path: Path) -> None:
    stale = Daemon(data_root=tmp_path / "data", run=tmp_path, log=tmp_path / "log")
    stale.containerd_pid_file.parent.mkdir(parents=True)
    for path in (stale.pid_file, stale.containerd_pid_file):
        path.write_text(str(os.getpid()))
    daemon.clear_leftovers(stale)
    assert not stale.pid_file.exists()
    assert not stale.containerd_pid_file.exists()


def test_stop_without_daemon_does_nothing(tmp_path: Path) -> None:
    assert not daemon.stop(daemon=Daemon(data_root=tmp_path, run=tmp_path))


def test_ensure_takes_the_engine_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "find", lambda: FOUND)
    assert daemon.ensure(install_engine=False) is FOUND


@pytest.mark.parametrize("ours", [True, False])
def test_dead_engine_that_the_user_chose_is_started_if_it_is_kubelites_own(
    ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = daemon.PRIVATE_SOCKET if ours else Path("/run/other.sock")
    silent = ChosenEngineSilent(Candidate(f"unix://{address}", "DOCKER_HOST"), "Connection refused")

    def find() -> Endpoint:
        raise silent

    started: list[tuple[Path, ...]] = []

    def start(progress: Progress, made: Daemon) -> Endpoint:
        started.append(made.sockets)
        return FOUND

    monkeypatch.setattr(daemon, "find", find)
    monkeypatch.setattr(daemon, "start", start)
    monkeypatch.setattr(install, "install", lambda progress: "dockerd")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if ours:
        assert daemon.ensure(install_engine=True) is FOUND
        assert started == [(address,)]
    else:
        with pytest.raises(ChosenEngineSilent):
            daemon.ensure(install_engine=True)
        assert started == []


def test_ensure_without_leave_to_install_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "find", lambda: None)
    monkeypatch.setattr(install, "program", lambda: None)
    with pytest.raises(EngineError, match="no container engine answers") as failure:
        daemon.ensure(install_engine=False)
    assert "kubelite engine install" in failure.value.cure


def test_ensure_tells_a_user_without_rights_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "find", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EngineError) as failure:
        daemon.ensure(install_engine=True)
    assert "sudo kubelite engine install" in str(failure.value)
    assert "usermod -aG docker" in str(failure.value)


def test_ensure_installs_then_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    def start(progress: Progress, made: Daemon) -> Endpoint:
        steps.append("start")
        return FOUND

    monkeypatch.setattr(daemon, "find", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(install, "install", lambda progress: steps.append("install"))
    monkeypatch.setattr(daemon, "start", start)
    assert daemon.ensure(install_engine=True) is FOUND
    assert steps == ["install", "start"]
