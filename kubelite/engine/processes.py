"""Processes named by pid files: is it still the one that wrote the file, and end it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.01


def command_line(pid: int) -> list[str]:
    """Arguments of a live process; empty when there is none (or only its zombie)."""
    try:
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return content.rstrip(b"\0").decode(errors="replace").split("\0") if content else []


def read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().strip())
    except (OSError, ValueError):
        return None


def owner(pid_file: Path, program: str, mark: Path) -> int | None:
    """The live process that the file names, if it is `program` started with the path `mark` in its arguments.

    A number alone proves nothing: after a crash or a reboot it may belong to anybody.
    """
    pid = read_pid(pid_file)
    arguments = command_line(pid) if pid is not None else []
    if not arguments or os.path.basename(arguments[0]) != program:
        return None
    return pid if any(argument.split("=", 1)[-1] == str(mark) for argument in arguments) else None


def end(pid: int, patience: float) -> None:
    """SIGTERM, then SIGKILL after `patience` seconds; returns when the process is gone."""
    identity = command_line(pid)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        if command_line(pid) != identity:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(lambda: command_line(pid) != identity, seconds):
            return


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll shortly spaced; False when time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
