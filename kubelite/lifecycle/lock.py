"""One command at a time changes a cluster's life."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from kubelite.config import Settings


@contextlib.contextmanager
def alone(settings: Settings, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the cluster's lock, waiting for it. The lock file goes with its last holder.

    A lock of this process, not of the open file: the daemon that is forked meanwhile must not inherit it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / f".{settings.name}.lock"
    while True:
        file = path.open("w")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another command that is at work on cluster {settings.name}")
            fcntl.lockf(file, fcntl.LOCK_EX)
        if _is_still(path, file.fileno()):
            break
        file.close()
    try:
        yield
    finally:
        path.unlink()
        file.close()


def _is_still(path: Path, descriptor: int) -> bool:
    """Whoever held the lock before may have removed the file that we waited for."""
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
