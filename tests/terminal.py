"""Run a command on a terminal of its own, as a person would type it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the terminal showed, its line ends as a plain text has them, and the exit code."""

    text: str
    code: int


def run(
    command: Sequence[str], environment: Mapping[str, str], typed: str = "", size: tuple[int, int] = (24, 80)
) -> Answer:
    """`size` is rows and columns; `typed` is waiting in the keyboard's buffer when the command starts."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    with subprocess.Popen(
        command, env=dict(environment), stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    ) as process:
        os.close(follower)
        try:
            os.write(leader, typed.encode())
            shown = _read_all(leader, process)
        finally:
            process.kill()
            os.close(leader)
    return Answer(shown.replace("\r\n", "\n"), process.returncode)


def _read_all(leader: int, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + SECONDS
    shown = bytearray()
    while select.select([leader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            shown += os.read(leader, 65536)
        except OSError:  # Linux: the last holder of the other end closed it
            process.wait(SECONDS)
            return shown.decode(errors="replace")
    raise TimeoutError(f"{process.args!r} is still running; it showed {bytes(shown)!r}")
