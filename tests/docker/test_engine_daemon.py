"""The private engine: its own roots, found and stopped by its pid file, not stopped by what an earlier run left.

Each test's daemon stands on a bridge of its own; without one, dockerd would take docker0 away from the machine's.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kubelite.engine import EngineError, daemon, images, processes
from kubelite.engine.daemon import Daemon
from kubelite.engine.find import DEFAULT_SOCKET, Candidate, connect, find, probe

pytestmark = pytest.mark.root


@pytest.fixture
def scratch(bridge: str, tmp_path: Path) -> Iterator[Daemon]:
    with TemporaryDirectory(prefix="kubelite-test-", dir="/run") as run:  # containerd's sockets need a short path
        made = Daemon(
            data_root=tmp_path / "data",
            run=Path(run),
            log=tmp_path / "log" / "engine.log",
            sockets=(Path(run) / "engine.sock",),
            options=(f"--bridge={bridge}", "--iptables=false", "--ip-masq=false"),
        )
        yield made
        daemon.stop(daemon=made)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert processes.wait_until(lambda: not processes.command_line(pid), 10)


def test_daemon_answers_after_start_and_a_second_start_returns_the_same(scratch: Daemon) -> None:
    told: list[str] = []
    endpoint = daemon.start(told.append, scratch)
    pid = scratch.pid()
    assert endpoint.socket == scratch.sockets[0]
    assert any("started in" in line for line in told)
    assert daemon.start(daemon=scratch) == endpoint
    assert scratch.pid() == pid


def test_stop_ends_the_daemon_and_removes_its_pid_files(scratch: Daemon) -> None:
    daemon.start(daemon=scratch)
    assert daemon.stop(daemon=scratch)
    assert not scratch.pid_file.exists()
    assert scratch.pid() is None
    assert str(scratch.data_root) not in Path("/proc/mounts").read_text()
    assert not daemon.stop(daemon=scratch)


def test_stop_leaves_a_process_that_is_no_engine_of_ours(scratch: Daemon) -> None:
    scratch.pid_file.write_text(str(os.getpid()))
    assert not daemon.stop(daemon=scratch)


def test_start_succeeds_with_stale_pid_files_and_socket(scratch: Daemon) -> None:
    daemon.start(daemon=scratch)
    pid = scratch.pid()
    assert pid is not None
    kill(pid)
    assert scratch.sockets[0].exists()
    # Numbers that now belong to a live process which is neither dockerd nor containerd.
    scratch.pid_file.write_text(str(os.getpid()))
    scratch.containerd_pid_file.write_text(str(os.getpid()))
    assert daemon.start(daemon=scratch).version
    assert scratch.pid() not in (pid, None)


def test_start_replaces_a_daemon_that_no_longer_answers(scratch: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.start(daemon=scratch)
    pid = scratch.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(daemon, "HANG_SECONDS", 0.3)
    monkeypatch.setattr(daemon, "HALF_DEAD_SECONDS", 0.3)
    assert daemon.start(daemon=scratch).version
    assert scratch.pid() != pid


def test_killed_engine_gets_its_containers_back_and_leaves_no_process(scratch: Daemon) -> None:
    engine = find()
    assert engine is not None
    shared = connect(engine)
    images.ensure(shared, ["pause"])
    client = connect(daemon.start(daemon=scratch))
    client.images.load(b"".join(shared.images.get(images.PAUSE).save(named=True)))
    container = client.containers.run(images.PAUSE, detach=True, network_mode="none", name="survivor")
    workload = client.api.inspect_container(container.id)["State"]["Pid"]
    killed = [pid for pid in (scratch.pid(), scratch.containerd_pid()) if pid is not None]
    client.close()
    for pid in killed:
        if processes.command_line(pid):
            kill(pid)

    with closing(connect(daemon.start(daemon=scratch))) as again:
        survivor = again.containers.get("survivor")
        assert survivor.status == "exited"
        assert not processes.command_line(workload)
        survivor.start()
        survivor.remove(force=True)
    shared.close()


def test_failed_start_shows_the_end_of_the_log(scratch: Daemon) -> None:
    wrong = replace(scratch, options=(*scratch.options, "--storage-driver=x"))
    with pytest.raises(EngineError, match="driver not supported") as failure:
        daemon.start(daemon=wrong)
    assert failure.value.cure
    assert wrong.pid() is None
    assert str(wrong.data_root) not in Path("/proc/mounts").read_text()


def test_occupied_sockets_are_passed_over(scratch: Daemon) -> None:
    sockets = (DEFAULT_SOCKET, *scratch.sockets)
    endpoint = daemon.start(daemon=replace(scratch, sockets=sockets))
    assert endpoint.socket == scratch.sockets[0]
    assert probe(Candidate(f"unix://{DEFAULT_SOCKET}", "default socket")) is not None
