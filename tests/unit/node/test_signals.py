"""Which containers never hear of their stop signal."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelite.node.runtime import Container
from kubelite.node.signals import is_deaf

TERM, WINCH = "0000000000004000", "0000000008000000"
NONE = "0000000000000000"


def process(
    proc: Path, *, caught: str = NONE, blocked: str = NONE, pids: str = "77 1", cgroup: str = "/docker/abc"
) -> None:
    (proc / "77").mkdir()
    (proc / "77" / "cgroup").write_text(f"4:pids:{cgroup}\n")
    (proc / "77" / "status").write_text(f"Name:\tapp\nNSpid:\t{pids}\nSigBlk:\t{blocked}\nSigCgt:\t{caught}\n")


@pytest.mark.parametrize(
    ("found", "signal", "expected"),
    [
        ({}, "SIGTERM", True),
        ({"caught": TERM}, "SIGTERM", False),
        ({"caught": TERM}, "15", False),
        ({"caught": TERM}, "TERM", False),
        ({"blocked": TERM}, "SIGTERM", False),
        ({"caught": WINCH}, "SIGTERM", True),
        ({"caught": WINCH}, "SIGWINCH", False),
        ({}, "SIGRTMIN+3", False),
        ({"pids": "77 12"}, "SIGTERM", False),
        ({"cgroup": "/user.slice"}, "SIGTERM", False),
    ],
)
def test_first_process_that_neither_catches_nor_blocks_it(
    found: dict[str, str], signal: str, expected: bool, tmp_path: Path
) -> None:
    process(tmp_path, **found)
    assert is_deaf(container(signal), tmp_path) is expected


def test_process_of_another_machine_is_waited_for(tmp_path: Path) -> None:
    assert not is_deaf(container("SIGTERM"), tmp_path)


def container(signal: str) -> Container:
    return Container("abc", "app", "u-1", "web-0", "default", state="running", stop_signal=signal, process=77)
