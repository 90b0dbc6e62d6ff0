"""fsGroup: what a pod's volumes hold belongs to the pod's group. Called when volumes are set up and refreshed.

Only root may give files to any group. For another user the same rights go to everybody instead: a pod's directory lets
nobody else in, and claims are open to all containers as it is. What belongs to somebody else stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def grant(path: Path, group: int, rights: int) -> None:
    """Give `path` to the group, with `rights` (bits of a mode) on top of those it has."""
    try:
        os.chown(path, -1, group)
    except PermissionError:
        rights = (rights & 0o777) | (rights & 0o070) >> 3
    with contextlib.suppress(PermissionError):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | rights)
