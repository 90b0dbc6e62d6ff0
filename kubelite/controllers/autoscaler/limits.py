"""How far and how fast a proposal may change a target. Pure; after upstream's `horizontal`.

Without `spec.behavior` the highest of the last five minutes' proposals counts, and no step more than doubles; with it
the windows and policies of each direction do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from kubelite.objects.meta import Obj

WINDOW = 300
_SCALE_UP_FACTOR, _SCALE_UP_MINIMUM = 2, 4
_FEW = "the desired replica count is less than the minimum replica count"
_MANY = "the desired replica count is more than the maximum replica count"
_FAST_UP = "the desired replica count is increasing faster than the maximum scale rate"
_FAST_DOWN = "the desired replica count is decreasing faster than the maximum scale rate"
_FITS = ("DesiredWithinRange", "the desired count is within the acceptable range")
_HIGHER = "recent recommendations were higher than current one, applying the highest recent recommendation"
_LOWER = "recent recommendations were lower than current one, applying the lowest recent recommendation"
_SAME = ("ReadyForNewScale", "recommended size matches current size")

Moment = tuple[datetime, int]


@dataclass(slots=True)
class History:
    """What was proposed for one target, and by how much it was scaled; kept in memory, as upstream does."""

    proposed: list[Moment] = field(default_factory=list)
    ups: list[Moment] = field(default_factory=list)
    downs: list[Moment] = field(default_factory=list)

    def scaled(self, now: datetime, change: int) -> None:
        (self.ups if change > 0 else self.downs).append((now, abs(change)))

    def forget(self, now: datetime) -> None:
        """No window and no period is longer than an hour."""
        oldest = now - timedelta(hours=1)
        for moments in (self.proposed, self.ups, self.downs):
            moments[:] = [moment for moment in moments if moment[0] > oldest]


@dataclass(frozen=True, slots=True)
class Decision:
    """The size, and the reasons of the conditions AbleToScale and ScalingLimited with their messages."""

    replicas: int
    stabilized: tuple[str, str]
    limit: tuple[str, str]

    @property
    def is_limited(self) -> bool:
        return self.limit != _FITS


def decide(spec: Obj, current: int, proposed: int, history: History, now: datetime) -> Decision:
    """Notes `proposed` in the history."""
    behavior = spec.get("behavior")
    up, down = (0, WINDOW) if behavior is None else _windows(behavior)
    stable = _stabilized(current, proposed, history.proposed, (up, down), now, plain=behavior is None)
    history.proposed.append((now, proposed))
    history.forget(now)
    stabilized = _SAME
    if stable > proposed:
        stabilized = ("ScaleDownStabilized", _HIGHER)
    elif stable < proposed:
        stabilized = ("ScaleUpStabilized", _LOWER)
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    if behavior is None:
        replicas, limit = _within(stable, least, most, max(_SCALE_UP_FACTOR * current, _SCALE_UP_MINIMUM))
    else:
        replicas, limit = _by_policies(behavior, current, stable, (least, most), history, now)
    return Decision(replicas, stabilized, limit)


def _windows(behavior: Obj) -> tuple[int, int]:
    up, down = ((behavior.get(way) or {}).get("stabilizationWindowSeconds") for way in ("scaleUp", "scaleDown"))
    return up or 0, WINDOW if down is None else down


def _stabilized(
    current: int, proposed: int, past: Sequence[Moment], windows: tuple[int, int], now: datetime, *, plain: bool
) -> int:
    up, down = (
        [proposed, *(size for at, size in past if at > now - timedelta(seconds=seconds))] for seconds in windows
    )
    if plain:
        return max(down)
    return min(max(current, min(up)), max(down))


def _within(stable: int, least: int, most: int, fastest: int) -> tuple[int, tuple[str, str]]:
    limit, why = (fastest, ("ScaleUpLimit", _FAST_UP)) if most > fastest else (most, ("TooManyReplicas", _MANY))
    if stable < least:
        return least, ("TooFewReplicas", _FEW)
    return (limit, why) if stable > limit else (stable, _FITS)


def _by_policies(
    behavior: Obj, current: int, stable: int, bounds: tuple[int, int], history: History, now: datetime
) -> tuple[int, tuple[str, str]]:
    least, most = bounds
    if stable > current:
        fastest = max(_fastest(behavior["scaleUp"], current, history, now, up=True), current)
        limit, why = (fastest, ("ScaleUpLimit", _FAST_UP)) if most > fastest else (most, ("TooManyReplicas", _MANY))
        return (limit, why) if stable > limit else (stable, _FITS)
    if stable < current:
        fastest = min(_fastest(behavior["scaleDown"], current, history, now, up=False), current)
        limit, why = (fastest, ("ScaleDownLimit", _FAST_DOWN)) if least < fastest else (least, ("TooFewReplicas", _FEW))
        return (limit, why) if stable < limit else (stable, _FITS)
    return stable, _FITS


def _fastest(rules: Obj, current: int, history: History, now: datetime, *, up: bool) -> int:
    """The size that the policies allow: the one of most change, with `Min` the one of least."""
    chosen = rules.get("selectPolicy", "Max")
    if chosen == "Disabled":
        return current
    sizes = [_allowed(policy, current, history, now, up=up) for policy in rules["policies"]]
    return max(sizes) if (chosen == "Max") == up else min(sizes)


def _allowed(policy: Obj, current: int, history: History, now: datetime, *, up: bool) -> int:
    oldest = now - timedelta(seconds=policy["periodSeconds"])
    added, removed = (sum(size for at, size in moments if at > oldest) for moments in (history.ups, history.downs))
    start, value = current - added + removed, int(policy["value"])
    if policy["type"] == "Pods":
        return start + value if up else start - value
    return ceil(start * (100 + value) / 100) if up else start * (100 - value) // 100
