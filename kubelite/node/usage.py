"""What running containers use, for `kubectl top`. Made by the composition root; the API's `Usages`.

Measured when somebody asks, as the difference from the reading before; what was measured in the last fifteen seconds is
told again, as metrics-server does. Only a container that nobody asked about lately is read twice, a moment apart.
Memory is the working set, as cAdvisor has it: what can't be dropped under pressure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kubelite.node.docker_json import moment
from kubelite.node.runtime import EngineError
from kubelite.objects import meta
from kubelite.objects.meta import Obj

MOMENT = 0.2  # between the two readings of a container that wasn't read lately
RESOLUTION = 15.0
LATELY = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a container's cgroup."""

    cpu: int  # nanoseconds used so far
    memory: int  # bytes
    taken: float  # seconds, of the engine's clock
    at: float  # seconds, of ours: when the answer was here


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container used over the `window` seconds that ended `age` seconds ago."""

    cpu: int  # nanocores
    memory: int  # bytes
    window: float
    age: float = 0.0
    total: int = field(default=0, compare=False)  # nanoseconds since it started


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


def reading_of(stats: Mapping[str, Any], at: float) -> Reading:
    """From the engine's answer; cgroup v1 and v2 name the inactive page cache differently."""
    memory = stats.get("memory_stats") or {}
    detail = memory.get("stats") or {}
    inactive = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    cpu = ((stats.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage", 0)
    taken = moment(str(stats.get("read") or ""))
    used = max(int(memory.get("usage", 0)) - int(inactive), 0)
    return Reading(int(cpu), used, taken.timestamp() if taken else at, at)


def usage(first: Reading, second: Reading, now: float) -> Usage:
    seconds = max(second.taken - first.taken, 0.001)
    cpu = max(int((second.cpu - first.cpu) / seconds), 0)
    return Usage(cpu, second.memory, seconds, max(now - second.at, 0.0), second.cpu)


class Usages:
    """`of` measures what isn't known freshly enough; nothing is measured in between."""

    def __init__(self, meter: Meter, containers: Containers, now: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._containers = containers
        self._now = now
        self._readings: dict[str, tuple[Reading, Reading]] = {}  # the last two, by container id

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
        self._forget_old()
        return found

    async def _measure(self, container_id: str) -> Usage | None:
        known = self._readings.get(container_id)
        if known is None or self._now() - known[1].at > RESOLUTION:
            try:
                known = await self._read(container_id, known[1] if known else None)
            except EngineError:
                self._readings.pop(container_id, None)
                return None
            self._readings[container_id] = known
        return usage(*known, self._now())

    async def _read(self, container_id: str, before: Reading | None) -> tuple[Reading, Reading]:
        if before is None or self._now() - before.at > LATELY:
            before = await self._meter.reading(container_id)
            await asyncio.sleep(MOMENT)
        return before, await self._meter.reading(container_id)

    def _forget_old(self) -> None:
        oldest = self._now() - LATELY
        self._readings = {key: pair for key, pair in self._readings.items() if pair[1].at > oldest}
