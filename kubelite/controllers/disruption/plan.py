"""The status of a PodDisruptionBudget. Pure; after upstream's `disruption`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubelite.controllers import amounts
from kubelite.controllers import pods as podq
from kubelite.objects import meta
from kubelite.objects.meta import Obj

DELETION_TIMEOUT = timedelta(minutes=2)

_CONDITION = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class Plan:
    """`overdue` are pods whose eviction was granted, but which weren't deleted in time."""

    status: Obj
    overdue: tuple[Obj, ...] = ()
    requeue_after: float | None = None


def needs_scale(budget: Obj) -> bool:
    """Whether the budget is a share of what the pods' controllers want, not of the pods that are there."""
    spec = budget["spec"]
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def plan(budget: Obj, pods: Sequence[Obj], scale: int, now: datetime) -> Plan:
    """`scale` is what the pods' controllers want in sum; it only counts when `needs_scale`."""
    expected, desired = _expected_and_desired(budget, pods, scale)
    disrupted, overdue, wait = _disrupted(budget, pods, now)
    healthy = sum(_is_healthy(pod) and meta.name(pod) not in disrupted for pod in pods)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    status: Obj = {
        "observedGeneration": budget["metadata"].get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    present = (budget.get("status") or {}).get("conditions")
    status["conditions"] = with_verdict(present, allowed, status["observedGeneration"], now)
    return Plan(status, overdue, wait)


def _expected_and_desired(budget: Obj, pods: Sequence[Obj], scale: int) -> tuple[int, int]:
    least, most = budget["spec"].get("minAvailable"), budget["spec"].get("maxUnavailable")
    if most is not None:
        return scale, max(scale - amounts.of(most, scale, round_up=True, default=0), 0)
    if isinstance(least, str):
        return scale, amounts.of(least, scale, round_up=True, default=0)
    return (0, 0) if least is None else (len(pods), least)


def _is_healthy(pod: Obj) -> bool:
    return podq.is_ready(pod) and not meta.is_terminating(pod)


def _disrupted(budget: Obj, pods: Iterable[Obj], now: datetime) -> tuple[dict[str, str], tuple[Obj, ...], float | None]:
    """The evictions that were granted and haven't become deletions yet; which never will; when to look again."""
    granted = (budget.get("status") or {}).get("disruptedPods") or {}
    kept: dict[str, str] = {}
    overdue, waits = [], []
    for pod in pods:
        if meta.is_terminating(pod) or meta.name(pod) not in granted:
            continue
        left = (meta.parse_time(granted[meta.name(pod)]) + DELETION_TIMEOUT - now).total_seconds()
        if left < 0:
            overdue.append(pod)
        else:
            kept[meta.name(pod)] = granted[meta.name(pod)]
            waits.append(left)
    return kept, tuple(overdue), min(waits, default=None)


def with_verdict(conditions: Sequence[Obj] | None, allowed: int, generation: int, now: datetime) -> list[Obj]:
    state, reason = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
    return _with(conditions, state, reason, "", generation, now)


def failed(budget: Obj, message: str, now: datetime) -> Obj:
    """When the counts can't be had nothing may be evicted."""
    status = budget.get("status") or {}
    generation = status.get("observedGeneration", 0)
    conditions = _with(status.get("conditions"), "False", "SyncFailed", message, generation, now)
    return status | {"disruptionsAllowed": 0, "conditions": conditions}


def _with(
    conditions: Sequence[Obj] | None, state: str, reason: str, message: str, generation: int, now: datetime
) -> list[Obj]:
    new: Obj = {"type": _CONDITION, "status": state, "reason": reason, "message": message}
    if generation:
        new["observedGeneration"] = generation
    return meta.with_condition(conditions, new, now)
