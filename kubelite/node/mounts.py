"""What is mounted into one container. Called by the container starter, in a thread.

Volume mounts with their sub-paths, the pod's resolv.conf, hosts and hostname, and the termination message file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kubelite.node.environment import ConfigError, expand
from kubelite.node.runtime import Mount
from kubelite.node.volumes import Volume
from kubelite.objects.meta import Obj

ETC_FILES = {"/etc/resolv.conf": "resolv.conf", "/etc/hosts": "hosts", "/etc/hostname": "hostname"}
MESSAGE_PATH = "/dev/termination-log"
_PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared"}


def message_file(directory: Path, container: str, attempt: int) -> Path:
    """The host side of a container's termination message."""
    return directory / "containers" / container / str(attempt)


def mounts_of(
    container: Obj, attempt: int, directory: Path, volumes: Mapping[str, Volume], variables: Mapping[str, str]
) -> list[Mount]:
    """All mounts; makes the message file and missing sub-paths. ConfigError when a mount can't be."""
    wanted = [_volume_mount(entry, volumes, variables) for entry in container.get("volumeMounts") or ()]
    taken = {mount.target for mount in wanted}
    for target, name in ETC_FILES.items():
        path = directory / "etc" / name
        if target not in taken and path.exists():
            wanted.append(Mount(str(path), target))
    message = message_file(directory, container["name"], attempt)
    message.parent.mkdir(parents=True, exist_ok=True)
    message.touch()
    message.chmod(0o666)
    return [*wanted, Mount(str(message), container.get("terminationMessagePath") or MESSAGE_PATH)]


def _volume_mount(entry: Obj, volumes: Mapping[str, Volume], variables: Mapping[str, str]) -> Mount:
    volume = volumes.get(entry["name"])
    if volume is None:
        raise ConfigError(f'cannot find volume "{entry["name"]}" to mount into container')
    below = entry.get("subPath") or expand(entry.get("subPathExpr") or "", variables.get)
    source = _sub_path(volume.path, below) if below else volume.path
    return Mount(
        str(source),
        entry["mountPath"],
        volume.read_only or bool(entry.get("readOnly")),
        _PROPAGATION.get(entry.get("mountPropagation") or "", "rprivate"),
        volume.create and not below,
    )


def _sub_path(root: Path, below: str) -> Path:
    """The path below the volume, links resolved; it may not lead out, and a missing one becomes a directory."""
    if below.startswith("/") or ".." in below.split("/"):
        raise ConfigError(f"subPath {below!r} must be a relative path without ..")
    real_root = root.resolve()
    path = (real_root / below).resolve()
    if not path.is_relative_to(real_root):
        raise ConfigError(f"failed to prepare subPath: {below!r} leads out of the volume")
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(real_root.stat().st_mode & 0o7777)
    return path
