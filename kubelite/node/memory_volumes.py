"""Memory-backed emptyDir volumes: directories of the machine's shared memory, of the size that the pod may fill.

Called by the volumes' set-up and tear-down. Where this user may mount, each volume with a limit is a tmpfs of its own;
elsewhere nothing but the kubelet's look at the disk keeps it to its limit. Sizes follow upstream's
`calculateEmptyDirMemorySize` (pkg/volume/emptydir).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from decimal import Decimal
from pathlib import Path

from kubelite.node.view import regular_containers, sidecars
from kubelite.objects import quantity
from kubelite.objects.meta import Obj

SHARED_MEMORY = Path("/dev/shm")
_MODE = 0o1777  # as the kernel gives it to a tmpfs
_DETACH = 2  # umount2's MNT_DETACH


def directory_of(cluster: str, uid: str = "") -> Path:
    """A pod's memory volumes, or those of a whole cluster."""
    return SHARED_MEMORY / f"kubelite-{cluster}" / uid


def memory_size(pod: Obj, volume: Obj) -> int:
    """Bytes that the volume may hold: its own limit, or what the pod's containers may use; 0 without either."""
    own = (volume.get("emptyDir") or {}).get("sizeLimit")
    limits = [quantity.parse(own)] if own is not None else []
    of_containers = [
        ((container.get("resources") or {}).get("limits") or {}).get("memory")
        for container in [*regular_containers(pod), *sidecars(pod)]
    ]
    if all(limit is not None for limit in of_containers):
        limits.append(sum((quantity.parse(limit) for limit in of_containers if limit is not None), Decimal(0)))
    return int(min((limit for limit in limits if limit > 0), default=Decimal(0)))


def make(path: Path, size: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if size and not path.is_mount():
        _libc().mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, f"size={size}".encode())
    path.chmod(_MODE)


def remove(root: Path) -> None:
    """With everything below."""
    for path in sorted(root.rglob("*"), reverse=True) if root.is_dir() else ():
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink() and path.is_mount():
                _libc().umount2(os.fsencode(path), _DETACH)
    shutil.rmtree(root, ignore_errors=True)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
