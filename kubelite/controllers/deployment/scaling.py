"""How a Deployment's pods are shared out among its ReplicaSets. Pure: changes a `Draft`.

`share_out` is upstream's proportional scaling (`sync.go`), `roll` its rolling update, `empty_old` begins a Recreate.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.deployment.draft import Draft
from kubelite.objects.meta import Obj


def was_scaled(draft: Draft) -> bool:
    """The Deployment's size isn't the one its active sets were last told."""
    wanted = sets.replicas(draft.deployment)
    told = [sets.annotated_size(rs, sets.DESIRED) for rs in draft.all if sets.replicas(rs)]
    return any(size is not None and size != wanted for size in told)


def share_out(draft: Draft) -> None:
    """Bring the sets to the Deployment's size without going on with a rollout."""
    wanted = sets.replicas(draft.deployment)
    only = _active_or_latest(draft)
    if only is not None:
        draft.scale(only, wanted)
    elif _is_saturated(draft):
        for rs in draft.active_old:
            draft.scale(rs, 0)
    elif sets.is_rolling(draft.deployment):
        _proportionally(draft)


def _active_or_latest(draft: Draft) -> Obj | None:
    """The one set that has pods; with none active the new one or the youngest; None when several are active."""
    active = [rs for rs in draft.all if sets.replicas(rs)]
    if len(active) > 1:
        return None
    if active:
        return active[0]
    return draft.new or (sets.by_age(draft.old)[-1] if draft.old else None)


def _is_saturated(draft: Draft) -> bool:
    if draft.new is None:
        return False
    counts = (
        sets.replicas(draft.new),
        sets.annotated_size(draft.new, sets.DESIRED),
        sets.reported(draft.new, "availableReplicas"),
    )
    return counts == (sets.replicas(draft.deployment),) * 3


def _proportionally(draft: Draft) -> None:
    wanted = sets.replicas(draft.deployment)
    active = [rs for rs in draft.all if sets.replicas(rs)]
    allowed = wanted + sets.max_surge(draft.deployment) if wanted > 0 else 0
    to_add = allowed - sum(map(sets.replicas, active))
    ranked = _largest_first(active, newest_first=to_add > 0)
    added = 0
    sizes = []
    for rs in ranked:
        share = _share(rs, draft.deployment, to_add, added)
        sizes.append(sets.replicas(rs) + share)
        added += share
    if sizes and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)
    for rs, size in zip(ranked, sizes, strict=True):
        draft.scale(rs, size)


def _largest_first(active: Sequence[Obj], *, newest_first: bool) -> list[Obj]:
    aged = sets.by_age(active)
    if newest_first:
        aged.reverse()
    return sorted(aged, key=sets.replicas, reverse=True)


def _share(rs: Obj, deployment: Obj, to_add: int, added: int) -> int:
    """What of `to_add` falls to `rs` by its size; never more than is left."""
    size, wanted = sets.replicas(rs), sets.replicas(deployment)
    if not size or to_add in (0, added):
        return 0
    if wanted == 0:
        fraction = -size
    else:
        former = sets.annotated_size(rs, sets.MAXIMUM) or (deployment.get("status") or {}).get("replicas") or size
        fraction = _round(size * (wanted + sets.max_surge(deployment)) / former) - size
    return min(fraction, to_add - added) if to_add > 0 else max(fraction, to_add - added)


def _round(value: float) -> int:
    """Half away from zero, for values that aren't negative."""
    return floor(value + 0.5)


def initial_size(deployment: Obj, others: Sequence[Obj]) -> int:
    """How many pods a new set may begin with beside `others`."""
    return room(deployment, sum(map(sets.replicas, others)), 0)


def room(deployment: Obj, total: int, size: int) -> int:
    """The size that a set of `size` may grow to when all sets together have `total`."""
    wanted = sets.replicas(deployment)
    if not sets.is_rolling(deployment):
        return wanted
    free = wanted + sets.max_surge(deployment) - total
    return size + min(free, wanted - size) if free > 0 else size


def roll(draft: Draft) -> None:
    """One step of a rolling update: grow the new set, or else shrink the old ones."""
    new = draft.new
    if new is None:
        return
    wanted, size = sets.replicas(draft.deployment), sets.replicas(new)
    if size > wanted:
        scaled = draft.scale(new, wanted)
    else:
        scaled = size != wanted and draft.scale(new, room(draft.deployment, draft.size(), size))
    if not scaled:
        _shrink_old(draft)


def _shrink_old(draft: Draft) -> None:
    """Unhealthy old pods first, then as many as stay above the minimum that must be available."""
    new, old = draft.new, sets.by_age(draft.active_old)
    if new is None or not old:
        return
    minimum = sets.replicas(draft.deployment) - sets.max_unavailable(draft.deployment)
    spare = draft.size() - minimum - (sets.replicas(new) - sets.reported(new, "availableReplicas"))
    if spare <= 0:
        return
    surplus = sum(sets.reported(rs, "availableReplicas") for rs in [*old, new]) - minimum
    for rs in old:
        sick = sets.replicas(rs) - sets.reported(rs, "availableReplicas")
        gone = max(0, min(spare, sick))
        spare -= gone
        draft.scale(rs, sets.replicas(rs) - gone)
    for rs in sets.by_age(draft.active_old):
        gone = max(0, min(surplus, sets.replicas(rs)))
        surplus -= gone
        draft.scale(rs, sets.replicas(rs) - gone)


def empty_old(draft: Draft) -> bool:
    """Recreate's first step: every old set to 0; says whether one had to be told."""
    told = [draft.scale(rs, 0) for rs in draft.active_old]
    return any(told)
