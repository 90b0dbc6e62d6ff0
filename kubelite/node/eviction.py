"""Pods that take more of the disk than their limits allow are ended. Called by the kubelet, now and then.

Follows upstream's `localStorageEviction` (eviction_manager.go): first each emptyDir's own limit, then the pod's, then
each container's. Only pods that have such a limit are looked at.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from kubelite.node.runtime import Runtime
from kubelite.node.view import Ending, regular_containers, sidecars
from kubelite.objects import quantity
from kubelite.objects.meta import Obj

STORAGE = "ephemeral-storage"
CRITICAL_PRIORITY = 2_000_000_000  # such pods aren't ended
GRACE = 1


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes, by the names of emptyDir volumes and of containers."""

    volumes: Mapping[str, int] = field(default_factory=dict)
    containers: Mapping[str, int] = field(default_factory=dict)


def is_limited(pod: Obj) -> bool:
    """Whether there is anything to measure."""
    if (pod["spec"].get("priority") or 0) >= CRITICAL_PRIORITY:
        return False
    return any(_size_limits(pod)) or any(_storage_limits(pod))


def overrun(pod: Obj, used: DiskUse) -> Ending | None:
    """Why the pod is to be ended; None while it keeps its limits."""
    message = next(_overruns(pod, used), None)
    return Ending("Evicted", message, GRACE) if message else None


def _overruns(pod: Obj, used: DiskUse) -> Iterator[str]:
    for name, limit in _size_limits(pod):
        if used.volumes.get(name, 0) > quantity.parse(limit):
            yield f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    limits = dict(_storage_limits(pod))
    total = sum((quantity.parse(limit) for limit in limits.values()), Decimal(0))
    on_disk = sum(used.volumes.get(volume["name"], 0) for volume in empty_dirs(pod) if not in_memory(volume))
    if limits and on_disk + sum(used.containers.values()) > total:
        shown = next(iter(limits.values())) if len(limits) == 1 else str(total)
        yield f"Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "
    for name, limit in limits.items():
        if used.containers.get(name, 0) > quantity.parse(limit):
            yield f'Container {name} exceeded its local ephemeral storage limit "{limit}". '


def empty_dirs(pod: Obj) -> list[Obj]:
    return [volume for volume in pod["spec"].get("volumes") or () if volume.get("emptyDir") is not None]


def in_memory(volume: Obj) -> bool:
    return bool(volume["emptyDir"].get("medium") == "Memory")


def _size_limits(pod: Obj) -> Iterator[tuple[str, str]]:
    for volume in empty_dirs(pod):
        limit = volume["emptyDir"].get("sizeLimit")
        if limit is not None and quantity.parse(limit) > 0:
            yield volume["name"], str(limit)


def _storage_limits(pod: Obj) -> Iterator[tuple[str, str]]:
    for container in [*regular_containers(pod), *sidecars(pod)]:
        limit = ((container.get("resources") or {}).get("limits") or {}).get(STORAGE)
        if limit is not None and quantity.parse(limit) > 0:
            yield container["name"], str(limit)


async def measured(runtime: Runtime, pod: Obj, paths: Mapping[str, Path], running: Mapping[str, str]) -> DiskUse:
    """`paths` are the directories of the pod's emptyDir volumes, `running` the engine's ids of its containers."""
    volumes = await asyncio.to_thread(lambda: {name: bytes_in(path) for name, path in paths.items()})
    limited = running if any(_storage_limits(pod)) else {}
    written = {name: await runtime.written(container_id) for name, container_id in limited.items()}
    return DiskUse(volumes, written)


def bytes_in(root: Path) -> int:
    """What the files below a directory take of the disk, as `du` counts."""
    total = 0
    for directory, _, names in os.walk(root):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512
            except OSError:
                continue  # it went meanwhile
    return total
