"""Writes a volume's files so that readers see all of the old ones or all of the new ones.

The layout is upstream's (`pkg/volume/util/atomic_writer.go`), which clients watch for: each visible name is a symlink
into `..data`, itself a symlink to a directory named by time that is swapped by one rename.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from kubelite.node.group_rights import own
from kubelite.node.volume_payload import File, VolumeError

DATA = "..data"


def write_atomically(volume: Path, files: Mapping[str, File], group: int | None) -> bool:
    """Make `volume`, a directory, show exactly `files`; False when it does already."""
    for name in files:
        _check(name)
    if (volume / DATA).exists() and _shown(volume / DATA) == {name: file.content for name, file in files.items()}:
        return False
    old = os.readlink(volume / DATA) if (volume / DATA).is_symlink() else None
    fresh = volume / datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.%f")
    _write(fresh, files)
    own(volume, group, read_only=True)
    swap = volume / "..data_tmp"
    swap.unlink(missing_ok=True)
    swap.symlink_to(fresh.name)
    swap.rename(volume / DATA)
    _link(volume, files)
    if old:
        shutil.rmtree(volume / old, ignore_errors=True)
    return True


def _check(name: str) -> None:
    if not name or name.startswith(("/", "..")) or ".." in name.split("/"):
        raise VolumeError(f"invalid path {name!r}: it must stay below the volume")


def _shown(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def _make(directory: Path) -> None:
    """Whoever the containers run as may look inside, whatever the umask."""
    if not directory.exists():
        _make(directory.parent)
        directory.mkdir()
        directory.chmod(0o755)


def _write(directory: Path, files: Mapping[str, File]) -> None:
    _make(directory)
    for name, file in files.items():
        path = directory / name
        _make(path.parent)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        if file.owner is not None:
            _give_away(path, file.owner)


def _give_away(path: Path, owner: int) -> None:
    """Only root may. For another user everybody gets the owner's rights: the pod's directory lets nobody else in."""
    try:
        os.chown(path, owner, -1)
    except PermissionError:
        mode = path.stat().st_mode
        path.chmod(stat.S_IMODE(mode) | (mode & stat.S_IRWXU) >> 6)


def _link(volume: Path, files: Mapping[str, File]) -> None:
    """One symlink for each first part of a path; what a missing subPath left there stays."""
    wanted = {name.split("/")[0] for name in files}
    present = {entry.name: entry for entry in volume.iterdir() if not entry.name.startswith("..")}
    for name, entry in present.items():
        if name not in wanted and entry.is_symlink():
            entry.unlink()
    for name in wanted - present.keys():
        (volume / name).symlink_to(f"{DATA}/{name}")
