"""Pid files are believed only when the process is what they say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelite.engine import processes

MARK = Path("/data/of/ours")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process with the mark in its arguments, which are complete once it has written a byte."""
    script = "import sys, time; print(1, flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script, f"--data-root={MARK}"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_owner_is_the_process_with_program_and_mark(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{sleeper.pid}\n")
    program = os.path.basename(sys.executable)
    assert processes.owner(pid_file, program, MARK) == sleeper.pid
    assert processes.owner(pid_file, "dockerd", MARK) is None
    assert processes.owner(pid_file, program, Path("/data/of")) is None


@pytest.mark.parametrize("content", ["", "x", "0", "-1", "4194999"])
def test_owner_is_nobody_for_a_pid_file_without_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    assert processes.owner(tmp_path / "pid", "dockerd", MARK) is None


def test_owner_is_nobody_without_pid_file(tmp_path: Path) -> None:
    assert processes.owner(tmp_path / "pid", "dockerd", MARK) is None


def test_end_asks_first(sleeper: subprocess.Popen[bytes]) -> None:
    processes.end(sleeper.pid, 5)
    assert sleeper.wait() == -15


def test_end_kills_what_does_not_listen() -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        processes.end(child.pid, 0.1)
        assert child.wait() == -9


def test_wait_until_gives_up_in_time() -> None:
    started = time.monotonic()
    assert not processes.wait_until(lambda: False, 0.05)
    assert time.monotonic() - started < 1
