"""The place in a volume that a mount's subPath names. Called when a container's mounts are made, in a thread.

Follows upstream's `pkg/volume/util/subpath`: links are followed as long as they stay inside, and what is missing is
made step by step, each from the directory before, so that nobody can put a link in the way meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubelite.node.environment import ConfigError

_STEP = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT_MODE = 0o2777


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
    """OSError when a step isn't a directory, or a link; the last one may be a file."""
    with _opened(root, None) as directory:
        mode = os.fstat(directory).st_mode & _KEPT_MODE
        _descend(directory, names, mode)


def _descend(directory: int, names: tuple[str, ...], mode: int) -> None:
    if not names:
        return
    first, *others = names
    made = _made(directory, first)
    if not others and not made and _is_file(directory, first):
        return
    with _opened(first, directory) as child:
        if made:
            os.fchmod(child, mode)
        _descend(child, tuple(others), mode)


def _made(directory: int, name: str) -> bool:
    try:
        os.mkdir(name, dir_fd=directory)
    except FileExistsError:
        return False
    return True


def _is_file(directory: int, name: str) -> bool:
    with _opened(name, directory, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC) as found:
        mode = os.fstat(found).st_mode
    return not stat.S_ISDIR(mode) and not stat.S_ISLNK(mode)


@contextmanager
def _opened(name: Path | str, directory: int | None, flags: int = _STEP) -> Iterator[int]:
    found = os.open(name, flags, dir_fd=directory)
    try:
        yield found
    finally:
        os.close(found)
