"""Which of a target's pods count, and what they use. Pure; after upstream's `replica_calculator`.

All amounts are thousandths of the resource's unit, as upstream computes with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubelite.controllers import pods as podq
from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.objects.usage import Measured, Usage

START_UP = timedelta(minutes=5)  # a pod's CPU says little before
FIRST_READINESS = timedelta(seconds=30)  # a pod that wasn't ready until then has never been


class Unmeasurable(Exception):
    """What a metric asks for can't be had."""


@dataclass(frozen=True, slots=True)
class Samples:
    """`used` by pod uid, of those that count; `ready` is their number; what isn't known is assumed by the caller."""

    used: Mapping[str, int]
    ready: int
    unready: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sample:
    amount: int
    window: float
    age: float


def take(pods: Iterable[Obj], measured: Measured, resource: str, container: str, now: datetime) -> Samples:
    """Of all containers, or of the one named `container`."""
    used: dict[str, int] = {}
    unready, missing = set(), set()
    for pod in pods:
        if meta.is_terminating(pod) or podq.phase(pod) == "Failed":
            continue
        sample = _sample(measured.get(meta.uid(pod)) or {}, resource, container)
        if podq.phase(pod) == "Pending":
            unready.add(meta.uid(pod))
        elif sample is None:
            missing.add(meta.uid(pod))
        elif resource == "cpu" and _is_starting(pod, sample, now):
            unready.add(meta.uid(pod))
        else:
            used[meta.uid(pod)] = sample.amount
    return Samples(used, len(used), frozenset(unready), frozenset(missing))


def _sample(usages: Mapping[str, Usage], resource: str, container: str) -> Sample | None:
    chosen = [usage for name, usage in usages.items() if container in ("", name)]
    if not chosen or resource not in ("cpu", "memory"):
        return None
    amounts = [-(-usage.cpu // 1_000_000) if resource == "cpu" else usage.memory * 1000 for usage in chosen]
    return Sample(sum(amounts), max(usage.window for usage in chosen), max(usage.age for usage in chosen))


def _is_starting(pod: Obj, sample: Sample, now: datetime) -> bool:
    ready, started = podq.ready_condition(pod), (pod.get("status") or {}).get("startTime")
    if ready is None or not started or not ready.get("lastTransitionTime"):
        return True
    start, moved = meta.parse_time(started), meta.parse_time(ready["lastTransitionTime"])
    if start + START_UP > now:
        measured_at = now - timedelta(seconds=sample.age)
        return ready.get("status") == "False" or measured_at < moved + timedelta(seconds=sample.window)
    return ready.get("status") == "False" and start + FIRST_READINESS > moved


def requests(pods: Iterable[Obj], resource: str, container: str) -> dict[str, int]:
    """By pod uid; every container has to have one."""
    found: dict[str, int] = {}
    for pod in pods:
        total = 0
        for one in _long_running(pod["spec"]):
            if container not in ("", one["name"]):
                continue
            asked = ((one.get("resources") or {}).get("requests") or {}).get(resource)
            if asked is None:
                text = f"missing request for {resource} in container {one['name']} of Pod {meta.name(pod)}"
                raise Unmeasurable(text)
            total += quantity.to_milli(asked)
        found[meta.uid(pod)] = total
    return found


def _long_running(spec: Obj) -> list[Obj]:
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return [*spec["containers"], *sidecars]
