"""Which pods of a ReplicaSet go first when it is scaled down. Pure; upstream's `ActivePodsWithRanks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cmp_to_key, partial
from math import inf

from kubelite.controllers import pods as podq
from kubelite.objects import meta
from kubelite.objects.meta import Obj

COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def doomed(active: Sequence[Obj], count: int, related: Iterable[Obj], now: datetime) -> list[Obj]:
    """The `count` pods that are missed least; `related` are the pods that share the owner's owner."""
    if count >= len(active):
        return list(active)
    neighbours = Counter(pod["spec"].get("nodeName", "") for pod in related if podq.is_active(pod))
    return sorted(active, key=cmp_to_key(partial(_compare, neighbours, now)))[:count]


def _compare(neighbours: Counter[str], now: datetime, left: Obj, right: Obj) -> int:
    """Below 0 when `left` goes first: unassigned, pending, unready, cheap, crowded, young, restarted pods do.

    Times that differ decide in any case, by the uid where they are of the same order of magnitude.
    """
    standings = _standing(left, neighbours), _standing(right, neighbours)
    if standings[0] != standings[1]:
        return -1 if standings[0] < standings[1] else 1
    if podq.is_ready(left) and (order := _by_age(left, right, podq.ready_since, now)):
        return order
    if podq.restarts(left) != podq.restarts(right):
        return -1 if podq.restarts(left) > podq.restarts(right) else 1
    return _by_age(left, right, _created, now)


def _standing(pod: Obj, neighbours: Counter[str]) -> tuple[bool, int, bool, int, int]:
    node = pod["spec"].get("nodeName", "")
    phase = _PHASES.get(podq.phase(pod), 0)
    return bool(node), phase, podq.is_ready(pod), deletion_cost(pod), -neighbours[node]


def _by_age(left: Obj, right: Obj, since: Callable[[Obj], datetime | None], now: datetime) -> int:
    times = since(left), since(right)
    if times[0] == times[1]:
        return 0
    ages = _age_class(times[0], now), _age_class(times[1], now)
    if ages[0] != ages[1]:
        return -1 if ages[0] < ages[1] else 1
    return -1 if meta.uid(left) < meta.uid(right) else 1


def deletion_cost(pod: Obj) -> int:
    """The annotation's number; 0 when it is absent or unreadable."""
    try:
        return int(meta.annotations(pod).get(COST_ANNOTATION, "0"))
    except ValueError:
        return 0


def _age_class(since: datetime | None, now: datetime) -> float:
    """Ages count by their order of magnitude (base 2, of nanoseconds), so that equals are chosen at random."""
    if since is None:
        return -inf
    age = int((now - since).total_seconds() * 1e9)
    return age.bit_length() - 1 if age > 0 else -1


def _created(pod: Obj) -> datetime | None:
    stamp = pod["metadata"].get("creationTimestamp")
    return meta.parse_time(stamp) if stamp else None
