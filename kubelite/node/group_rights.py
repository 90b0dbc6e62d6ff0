"""fsGroup: what a pod's volumes hold belongs to the pod's group. Called when volumes are set up and refreshed.

Only root may give files to any group. For another user the same rights go to everybody instead: a pod's directory lets
nobody else in, and claims are open to all containers as it is. What belongs to somebody else stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

_READ = 0o440
_WRITE = 0o660
_OF_DIRECTORY = 0o2110  # new files belong to the group, too
ON_ROOT_MISMATCH = "OnRootMismatch"


def own(root: Path, group: int | None, policy: str = "Always", *, read_only: bool = False) -> None:
    """Give a volume to the pod's group: everything readable and, unless told otherwise, writable by it, new files too.

    By the policy OnRootMismatch only if its root doesn't look as if that had been done.
    """
    rights = _READ if read_only else _WRITE
    if group is None or (policy == ON_ROOT_MISMATCH and _is_owned(root, group, rights)):
        return
    for directory, _, files in os.walk(root, topdown=False):
        for path in (*(Path(directory) / name for name in files), Path(directory)):
            if not path.is_symlink():
                grant(path, group, rights | (_OF_DIRECTORY if path.is_dir() else 0))


def _is_owned(root: Path, group: int, rights: int) -> bool:
    found, wanted = root.stat(), rights | _OF_DIRECTORY
    return found.st_gid == group and found.st_mode & wanted == wanted


def grant(path: Path, group: int, rights: int) -> None:
    """Give `path` to the group, with `rights` (bits of a mode) on top of those it has."""
    try:
        os.chown(path, -1, group)
    except PermissionError:
        rights = (rights & 0o777) | (rights & 0o070) >> 3
    with contextlib.suppress(PermissionError):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | rights)
