"""What running containers use, for `kubectl top`. Made by the composition root; the API's `Usages`.

Measured only when somebody asks: two readings of each container, a moment apart. Memory is the working set, as
cAdvisor has it: what can't be dropped under pressure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kubelite.node.runtime import EngineError
from kubelite.objects import meta
from kubelite.objects.meta import Obj

WINDOW = 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a container's cgroup."""

    cpu: int  # nanoseconds used so far
    memory: int  # bytes
    at: float  # seconds, of the clock that all readings share


class Meter(Protocol):
    """The engine, as far as it is asked here."""

    async def reading(self, container_id: str) -> Reading:
        """EngineError when the container doesn't run (any more)."""
        ...


class Containers(Protocol):
    """The kubelet, as far as it is asked here."""

    def running_containers(self, pod: Obj) -> Mapping[str, str]:
        """Engine's ids by container name."""
        ...


Usage = tuple[int, int]  # nanocores, bytes


def reading_of(stats: Mapping[str, Any], at: float) -> Reading:
    """From the engine's answer; cgroup v1 and v2 name the inactive page cache differently."""
    memory = stats.get("memory_stats") or {}
    detail = memory.get("stats") or {}
    inactive = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    cpu = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage", 0)
    return Reading(int(cpu), max(int(memory.get("usage", 0)) - int(inactive), 0), at)


def usage(first: Reading, second: Reading) -> Usage:
    seconds = max(second.at - first.at, 0.001)
    return max(int((second.cpu - first.cpu) / seconds), 0), second.memory


class Usages:
    """`of` measures; nothing is measured in between."""

    def __init__(self, meter: Meter, containers: Containers) -> None:
        self._meter = meter
        self._containers = containers

    async def of(self, pods: Iterable[Obj]) -> dict[str, dict[str, Usage]]:
        """By pod uid and container name; containers that don't run are left out."""
        wanted = [
            (meta.uid(pod), name, container_id)
            for pod in pods
            for name, container_id in self._containers.running_containers(pod).items()
        ]
        measured = await asyncio.gather(*(self._measure(container_id) for _, _, container_id in wanted))
        found: dict[str, dict[str, Usage]] = {}
        for (uid, name, _), one in zip(wanted, measured, strict=True):
            if one is not None:
                found.setdefault(uid, {})[name] = one
        return found

    async def _measure(self, container_id: str) -> Usage | None:
        try:
            first = await self._meter.reading(container_id)
            await asyncio.sleep(WINDOW)
            return usage(first, await self._meter.reading(container_id))
        except EngineError:
            return None
