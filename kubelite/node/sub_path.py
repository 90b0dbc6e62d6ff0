"""The place in a volume that a mount's subPath names. Called when a container's mounts are made, in a thread.

Follows upstream's `pkg/volume/util/subpath`: links are followed as long as they stay inside, and what is missing is
made step by step, each from the directory before, so that nobody can put a link in the way meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from kubelite.node.environment import ConfigError

_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # of a link, the link itself


def sub_path(root: Path, below: str, whose: str) -> Path:
    """A missing one becomes a directory. What is told says nothing about the machine's file system, as upstream has it."""
    if not below:
        return root
    if below.startswith("/"):
        raise ConfigError(f"error SubPath `{below}` must not be an absolute path")
    if ".." in below.split("/"):
        raise ConfigError(f"unable to provision SubPath `{below}`: must not contain '..'")
    real_root = root.resolve()
    path = Path(os.path.realpath(real_root / below))
    problem = f"failed to {'create subPath directory' if _is_missing(path) else 'prepare subPath'} for {whose}"
    if not path.is_relative_to(real_root):
        raise ConfigError(problem)
    try:
        real_root.mkdir(parents=True, exist_ok=True)
        _walk(real_root, path.relative_to(real_root).parts)
    except OSError as error:
        raise ConfigError(problem) from error
    return path


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def _walk(root: Path, names: tuple[str, ...]) -> None:
    """OSError where the way isn't one of directories; its end may be anything but a link."""
    place = os.open(root, _PLACE)
    try:
        mode = stat.S_IMODE(os.fstat(place).st_mode)
        for name in names:
            below = _below(place, name, mode)
            os.close(place)
            place = below
        if stat.S_ISLNK(os.fstat(place).st_mode):
            raise NotADirectoryError(names[-1])
    finally:
        os.close(place)


def _below(directory: int, name: str, mode: int) -> int:
    """One step. What is there needn't be ours to read."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(name, _PLACE, dir_fd=directory)
    try:
        os.mkdir(name, dir_fd=directory)
    except FileExistsError:  # by now: another container of the pod needs it, too
        return os.open(name, _PLACE, dir_fd=directory)
    made = os.open(name, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    os.fchmod(made, mode)
    return made
