"""A pod's volumes on disk: made before its first container, refreshed when their sources change.

Called by the pod worker, in a thread. Upstream's directory names (`<uid>/volumes/kubernetes.io~<kind>/<name>`), its
host path types (`pkg/volume/hostpath`) and its fsGroup ownership (`pkg/volume/volume_linux.go`).
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubelite.node.atomic_writer import write_atomically
from kubelite.node.environment import Surroundings
from kubelite.node.group_rights import grant
from kubelite.node.volume_payload import TokenSource, VolumeError, is_payload, payload_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that is ready to be mounted."""

    path: Path
    read_only: bool = False
    create: bool = False  # the engine makes the directory when it is missing


class VolumeFailed(Exception):
    """One volume can't be set up; the text is the FailedMount message."""

    def __init__(self, volume: str, reason: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {reason}')


@dataclass(frozen=True, slots=True)
class VolumeContext:
    """Where volumes go and where their content comes from."""

    directory: Path  # of the pod
    memory_directory: Path  # of the pod, for emptyDir with medium Memory
    around: Surroundings
    token: TokenSource
    find: Callable[[str, str | None, str], Obj | None]  # any object


def set_up(pod: Obj, context: VolumeContext) -> dict[str, Volume]:
    """All volumes by name; VolumeFailed names the first that can't be."""
    ready = {}
    for volume in pod["spec"].get("volumes") or ():
        try:
            ready[volume["name"]] = _set_up(pod, volume, context)
        except (VolumeError, OSError) as error:
            raise VolumeFailed(volume["name"], str(error)) from error
    return ready


def refresh(pod: Obj, context: VolumeContext) -> None:
    """Bring the files of configMap, secret, downwardAPI and projected volumes up to date."""
    for volume in pod["spec"].get("volumes") or ():
        if is_payload(volume):
            try:
                _payload_volume(pod, volume, context)
            except (VolumeError, OSError) as error:
                raise VolumeFailed(volume["name"], str(error)) from error


def tear_down(directory: Path, memory_directory: Path) -> None:
    """Remove what a pod left on disk (never what its claims and host paths point at)."""
    for path in (directory, memory_directory):
        shutil.rmtree(path, ignore_errors=True)


def memory_directory(cluster: str, uid: str) -> Path:
    return SHARED_MEMORY / f"kubelite-{cluster}" / uid


def _set_up(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    if is_payload(volume):
        return _payload_volume(pod, volume, context)
    if "emptyDir" in volume:
        return _empty_dir(pod, volume, context)
    if source := volume.get("hostPath"):
        return _host_path(source)
    if source := volume.get("nfs"):
        return Volume(_existing(source["path"]), bool(source.get("readOnly")))
    if source := volume.get("persistentVolumeClaim"):
        return _claim(pod, source["claimName"], bool(source.get("readOnly")), context)
    if "ephemeral" in volume:
        return _ephemeral(pod, f"{meta.name(pod)}-{volume['name']}", context)
    kind = next((key for key in volume if key != "name"), "")
    raise VolumeError(f"volume type {kind} is not supported")


def _payload_volume(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    kind = next(key for key in ("configMap", "secret", "downwardAPI", "projected") if key in volume)
    plugin = {"configMap": "configmap", "downwardAPI": "downward-api"}.get(kind, kind)
    path = _plugin_path(context.directory, plugin, volume["name"])
    write_atomically(path, payload_of(pod, volume, context.around, context.token), _group(pod))
    return Volume(path, read_only=True)


def _plugin_path(directory: Path, plugin: str, name: str) -> Path:
    return directory / "volumes" / f"kubernetes.io~{plugin}" / name


def _empty_dir(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    in_memory = (volume["emptyDir"] or {}).get("medium") == "Memory"
    path = (
        context.memory_directory / volume["name"]
        if in_memory
        else _plugin_path(context.directory, "empty-dir", volume["name"])
    )
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)
    _own(path, _group(pod))
    return Volume(path)


def _group(pod: Obj) -> int | None:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def _own(root: Path, group: int | None) -> None:
    """Give a volume to the pod's group: everything readable and writable by it, new files too."""
    if group is None or root.stat().st_gid == group:
        return
    for directory, _, files in os.walk(root):
        for path in (Path(directory), *(Path(directory) / name for name in files)):
            if not path.is_symlink():
                grant(path, group, 0o2770 if path.is_dir() else 0o660)


def _ephemeral(pod: Obj, name: str, context: VolumeContext) -> Volume:
    claim = context.find("persistentvolumeclaims", meta.namespace(pod), name)
    if claim is not None and not meta.is_controlled_by(claim, pod):
        names = f"PVC {meta.namespace(pod)}/{name} was not created for pod {meta.namespace(pod)}/{meta.name(pod)}"
        raise VolumeError(f"{names} (pod is not owner)")
    return _claim(pod, name, False, context)


def _claim(pod: Obj, name: str, read_only: bool, context: VolumeContext) -> Volume:
    claim = context.find("persistentvolumeclaims", meta.namespace(pod), name)
    if claim is None:
        raise VolumeError(f'persistentvolumeclaim "{name}" not found')
    if (claim.get("status") or {}).get("phase") != "Bound" or not claim["spec"].get("volumeName"):
        raise VolumeError(f'persistentvolumeclaim "{name}" is not bound')
    persistent = context.find("persistentvolumes", None, claim["spec"]["volumeName"])
    if persistent is None:
        raise VolumeError(f'persistentvolume "{claim["spec"]["volumeName"]}" not found')
    return _persistent(pod, persistent["spec"], read_only)


def _persistent(pod: Obj, spec: Obj, read_only: bool) -> Volume:
    if source := spec.get("nfs"):
        return Volume(_existing(source["path"]), read_only or bool(source.get("readOnly")))
    if source := spec.get("hostPath"):
        found = _host_path(source)
        return Volume(found.path, read_only, found.create)
    if source := spec.get("local"):
        path = _existing(source["path"])
        _own(path, _group(pod))
        return Volume(path, read_only)
    raise VolumeError("only persistent volumes of the types nfs, hostPath and local are supported")


def _existing(path: str) -> Path:
    if not os.path.isdir(path):
        raise VolumeError(f"mount failed: {path} is not a directory on this machine")
    return Path(path)


# --- hostPath --------------------------------------------------------------------------------------------------------

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def _host_path(source: Obj) -> Volume:
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
