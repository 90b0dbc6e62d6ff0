"""Paths of this machine as volumes. After upstream's host path types (`pkg/volume/hostpath`)."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubelite.node.volume_payload import VolumeError
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that is ready to be mounted."""

    path: Path
    read_only: bool = False
    create: bool = False  # the engine makes the directory when it is missing
    group: str = ""  # whoever mounts it belongs to this group as well


def nfs(source: Obj) -> Path:
    """A directory that this machine itself serves, or could; others' aren't mounted."""
    server = str(source["server"])
    if not _is_this_machine(server):
        raise VolumeError(f"mount failed: {server}:{source['path']} is on another machine, which is not supported")
    return existing(source["path"])


def _is_this_machine(server: str) -> bool:
    """Only addresses of one's own can be bound."""
    try:
        found = socket.getaddrinfo(server.strip("[]"), 0, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, _, _, address in found:
        with socket.socket(family, kind) as probe, contextlib.suppress(OSError):
            probe.bind(address)
            return True
    return False


def existing(path: str) -> Path:
    if not os.path.isdir(path):
        raise VolumeError(f"mount failed: {path} is not a directory on this machine")
    return Path(path)


def local(source: Obj) -> Path:
    """A directory that somebody has made ready; after upstream's `pkg/volume/local`."""
    path = Path(source["path"])
    if not path.exists():
        raise VolumeError(f'path "{path}" does not exist')
    if not path.is_dir():
        raise VolumeError("only directory and block device are supported")
    return path.resolve()


_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def host_path(source: Obj) -> Volume:
    path, kind = Path(source["path"]), source.get("type") or ""
    if not kind:
        return Volume(path, create=True)
    if kind == "DirectoryOrCreate" and not path.exists():
        path.mkdir(parents=True, mode=0o755)
    if kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    matches, word = _CHECKS[kind]
    if not path.exists() or not matches(path.stat().st_mode):
        raise VolumeError(f"hostPath type check failed: {path} is not a {word}")
    return Volume(path)
