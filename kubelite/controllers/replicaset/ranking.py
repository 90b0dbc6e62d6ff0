"""Which pods of a ReplicaSet go first when it is scaled down. Pure; upstream's `ActivePodsWithRanks`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import inf
from typing import Any

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
    return sorted(active, key=lambda pod: _rank(pod, neighbours, now))[:count]


def _rank(pod: Obj, neighbours: Counter[str], now: datetime) -> tuple[Any, ...]:
    """Smaller goes first: unassigned, pending, unready, cheap, crowded, young, restarted pods."""
    node = pod["spec"].get("nodeName", "")
    ready = podq.is_ready(pod)
    since = podq.ready_since(pod)
    return (
        bool(node),
        _PHASES.get(podq.phase(pod), 0),
        ready,
        deletion_cost(pod),
        -neighbours[node],
        _age_class(since, now) if ready else 0,
        -_restarts(pod),
        _age_class(_created(pod), now),
        meta.uid(pod),
    )


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


def _restarts(pod: Obj) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(status.get("restartCount", 0)) for status in statuses), default=0)
