"""A pod's volumes on disk: made before its first container, refreshed when their sources change.

Called by the pod worker, in a thread. Upstream's directory names (`<uid>/volumes/kubernetes.io~<kind>/<name>`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kubelite.node import memory_volumes
from kubelite.node.atomic_writer import write_atomically
from kubelite.node.claim_volumes import ClaimUnusable, PersistentVolume, is_out_of_reach, persistent_volume, take
from kubelite.node.environment import Surroundings
from kubelite.node.group_rights import own
from kubelite.node.host_volumes import Volume, existing, host_path, local, nfs
from kubelite.node.volume_payload import TokenSource, VolumeError, is_payload, payload_of
from kubelite.objects.meta import Obj

_NO_DRIVER = (
    "kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: "
    "driver name {} not found in the list of registered CSI drivers"
)


# As upstream's are, which live in directories for everybody, in memory or not.
_ROOT_MODES = {"configMap": 0o777, "secret": 0o1777, "downwardAPI": 0o1777, "projected": 0o1777}


class VolumeFailed(Exception):
    """One volume can't be set up; the text is the FailedMount message."""


class VolumesFailed(Exception):
    """What can't be set up of a pod's volumes, each with its FailedMount message."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class VolumeContext:
    """Where volumes go and where their content comes from."""

    directory: Path  # of the pod
    memory_directory: Path  # of the pod, for emptyDir with medium Memory
    around: Surroundings
    token: TokenSource
    find: Callable[[str, str | None, str], Obj | None]  # any object


def set_up(pod: Obj, context: VolumeContext) -> dict[str, Volume]:
    """All volumes by name; VolumesFailed tells of those that can't be."""
    return _each(pod["spec"].get("volumes") or (), lambda volume: _ready(pod, volume, context))


def refresh(pod: Obj, context: VolumeContext) -> None:
    """Bring the files of configMap, secret, downwardAPI and projected volumes up to date, each for itself."""

    def refreshed(volume: Obj) -> Volume:
        with _failing(volume["name"]):
            return _payload_volume(pod, volume, context)

    _each(filter(is_payload, pod["spec"].get("volumes") or ()), refreshed)


def _each(volumes: Iterable[Obj], made: Callable[[Obj], Volume]) -> dict[str, Volume]:
    ready: dict[str, Volume] = {}
    problems: list[str] = []
    for volume in volumes:
        try:
            ready[volume["name"]] = made(volume)
        except VolumeFailed as error:
            problems.append(str(error))
    if problems:
        raise VolumesFailed(problems)
    return ready


def _ready(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    name = volume["name"]
    try:
        found = persistent_volume(pod, volume, context.find)
    except ClaimUnusable as error:
        mentioned = f"unmounted volumes=[{name}], unattached volumes=[], failed to process volumes=[{name}]"
        raise VolumeFailed(f"Unable to attach or mount volumes: {mentioned}: {error}") from error
    if found is None:
        with _failing(name):
            return _set_up(pod, volume, context)
    return replace(_persistent(pod, found, context), group=found.group)


@contextmanager
def _failing(volume: str, step: str = "SetUp") -> Iterator[None]:
    try:
        yield
    except (VolumeError, OSError) as error:
        raise VolumeFailed(f'MountVolume.{step} failed for volume "{volume}" : {error}') from error


def tear_down(directory: Path, memory_directory: Path) -> None:
    """Remove what a pod left on disk (never what its claims and host paths point at)."""
    shutil.rmtree(directory, ignore_errors=True)
    memory_volumes.remove(memory_directory)


def _set_up(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    if is_payload(volume):
        return _payload_volume(pod, volume, context)
    if "emptyDir" in volume:
        return _empty_dir(pod, volume, context)
    if source := volume.get("hostPath"):
        return host_path(source)
    if source := volume.get("nfs"):
        return Volume(nfs(source), bool(source.get("readOnly")))
    if source := volume.get("csi"):
        raise VolumeError(_NO_DRIVER.format(source["driver"]))
    kind = next((key for key in volume if key != "name"), "")
    raise VolumeError(f"volume type {kind} is not supported")


def _payload_volume(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    kind = next(key for key in ("configMap", "secret", "downwardAPI", "projected") if key in volume)
    plugin = {"configMap": "configmap", "downwardAPI": "downward-api"}.get(kind, kind)
    path = _plugin_path(context.directory, plugin, volume["name"])
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(_ROOT_MODES[kind])
    write_atomically(path, payload_of(pod, volume, context.around, context.token), _group(pod))
    return Volume(path, read_only=True)


def _plugin_path(directory: Path, plugin: str, name: str) -> Path:
    return directory / "volumes" / f"kubernetes.io~{plugin}" / name


def _empty_dir(pod: Obj, volume: Obj, context: VolumeContext) -> Volume:
    if (volume["emptyDir"] or {}).get("medium") == "Memory":
        path = context.memory_directory / volume["name"]
        memory_volumes.make(path, memory_volumes.memory_size(pod, volume))
    else:
        path = _plugin_path(context.directory, "empty-dir", volume["name"])
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o777)
    _give(path, pod)
    return Volume(path)


def _group(pod: Obj) -> int | None:
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def _give(root: Path, pod: Obj) -> None:
    """To the pod's group, where it has one."""
    own(root, _group(pod), (pod["spec"].get("securityContext") or {}).get("fsGroupChangePolicy") or "Always")


def _persistent(pod: Obj, found: PersistentVolume, context: VolumeContext) -> Volume:
    """A claim's volume, checked in upstream's order."""
    with _failing(found.name, "NodeAffinity check"):
        if is_out_of_reach(found, context.find("nodes", None, pod["spec"].get("nodeName") or "")):
            raise VolumeError("no matching NodeSelectorTerms")
    with _failing(found.name, "NewMounter initialization"):
        path = local(found.spec["local"]) if found.spec.get("local") else None
    with _failing(found.name, "MountOptionSupport check"):
        if found.spec.get("hostPath") and found.spec.get("mountOptions"):
            raise VolumeError("mount options are not supported for this volume type")
    with _failing(found.name):
        take(pod, found, context.directory, context.find)
        return _mounted(found) if path is None else _local(pod, found, path)


def _local(pod: Obj, found: PersistentVolume, path: Path) -> Volume:
    """The only ones that are given to the pod's group, as upstream has it, and only where the pod may write."""
    if not found.read_only:
        _give(path, pod)
    return Volume(path, _is_read_only(found))


def _is_read_only(found: PersistentVolume) -> bool:
    return found.read_only or "ro" in (found.spec.get("mountOptions") or ())


def _mounted(found: PersistentVolume) -> Volume:
    spec = found.spec
    if source := spec.get("nfs"):
        path = existing(source["path"]) if found.provisioned else nfs(source)
        return Volume(path, _is_read_only(found) or bool(source.get("readOnly")))
    if source := spec.get("hostPath"):
        volume = host_path(source)
        return Volume(volume.path, found.read_only, volume.create)
    if source := spec.get("csi"):
        raise VolumeError(_NO_DRIVER.format(source["driver"]))
    raise VolumeError("only persistent volumes of the types nfs, hostPath and local are supported")
