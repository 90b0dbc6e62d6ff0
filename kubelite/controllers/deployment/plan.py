"""Decides what a Deployment needs next. Pure: the controller reads, calls `plan`, and performs it.

One step at a time as upstream's `syncDeployment`: note pausing; when paused or scaled, share out the size; otherwise
go on with the rollout of the present template.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kubelite.controllers import pods as podq
from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.deployment import scaling
from kubelite.controllers.deployment import status as progress
from kubelite.controllers.deployment.draft import Draft
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write, in this order: the new set, changed sets, events, revision annotation, status, deletions."""

    status: Obj
    create: Obj | None = None
    update: tuple[Obj, ...] = ()
    delete: tuple[Obj, ...] = ()
    scalings: tuple[str, ...] = ()
    revision: str | None = None
    requeue_after: float | None = None


def plan(deployment: Obj, replica_sets: Sequence[Obj], pods: Iterable[Obj], now: datetime) -> Plan:
    """`replica_sets` are the Deployment's own, `pods` those of its sets (only Recreate looks at them)."""
    new = sets.find_new(deployment, replica_sets)
    old = [rs for rs in replica_sets if rs is not new]
    conditions = list((deployment.get("status") or {}).get("conditions") or ())
    draft = Draft(deployment, new, old, now, conditions=conditions)
    if meta.is_terminating(deployment):
        return Plan(progress.assemble(draft, progress.counts(draft)))
    progress.paused(draft)
    if new is not None:
        _adopt_as_new(draft, new)
    if deployment["spec"].get("paused") or scaling.was_scaled(draft):
        return _resize(draft)
    if sets.is_rolling(deployment):
        _ensure_new(draft)
        scaling.roll(draft)
    else:
        _recreate(draft, pods)
    return _rollout_plan(draft)


def _adopt_as_new(draft: Draft, new: Obj) -> None:
    """The set of the present template takes over the Deployment's annotations, revision and minReadySeconds."""
    wanted = sets.revised_annotations(draft.deployment, new, sets.next_revision(draft.old))
    minimum = draft.deployment["spec"].get("minReadySeconds", 0)
    if wanted != meta.annotations(new) or new["spec"].get("minReadySeconds", 0) != minimum:
        changed = meta.copy(new)
        changed["metadata"]["annotations"] = wanted
        changed["spec"]["minReadySeconds"] = minimum
        draft.replace(changed)
    if progress.deadline(draft.deployment) is not None and not meta.condition(draft.conditions, "Progressing"):
        _progressing(draft, "FoundNewReplicaSet", f'Found new replica set "{meta.name(new)}"')


def _progressing(draft: Draft, reason: str, message: str) -> None:
    new = progress.condition("Progressing", "True", reason, message)
    draft.conditions = progress.with_condition(draft.conditions, new, draft.now)


def _ensure_new(draft: Draft) -> None:
    if draft.new is not None:
        return
    size = scaling.initial_size(draft.deployment, draft.old)
    draft.new = sets.new_replica_set(draft.deployment, sets.next_revision(draft.old), size)
    draft.created = True
    if size:
        draft.note_scaling(draft.new, 0, size)
    if progress.deadline(draft.deployment) is not None:
        _progressing(draft, "NewReplicaSetCreated", f'Created new replica set "{meta.name(draft.new)}"')


def _recreate(draft: Draft, pods: Iterable[Obj]) -> None:
    """Old sets to 0, then wait until their last pod is gone, then the new set in full size."""
    if scaling.empty_old(draft) or _old_pods_remain(draft, pods):
        return
    _ensure_new(draft)
    if draft.new is not None and not draft.created:
        draft.scale(draft.new, sets.replicas(draft.deployment))


def _old_pods_remain(draft: Draft, pods: Iterable[Obj]) -> bool:
    if any(sets.reported(rs, "replicas") for rs in draft.old):
        return True
    old = {meta.uid(rs) for rs in draft.old}
    return any((meta.controller_of(pod) or {}).get("uid") in old and not podq.is_finished(pod) for pod in pods)


def _resize(draft: Draft) -> Plan:
    scaling.share_out(draft)
    numbers = progress.counts(draft)
    delete = sets.superfluous(draft.deployment, draft.old) if draft.deployment["spec"].get("paused") else []
    return _finish(draft, progress.assemble(draft, numbers), delete, None)


def _rollout_plan(draft: Draft) -> Plan:
    numbers = progress.counts(draft)
    delete = sets.superfluous(draft.deployment, draft.old) if progress.is_complete(draft.deployment, numbers) else []
    status = progress.rollout(draft, numbers)
    return _finish(draft, status, delete, progress.seconds_until_deadline(draft, status, numbers))


def _finish(draft: Draft, status: Obj, delete: Sequence[Obj], wait: float | None) -> Plan:
    revision = meta.annotations(draft.new).get(sets.REVISION) if draft.new is not None else None
    return Plan(
        status,
        create=draft.new if draft.created else None,
        update=tuple(draft.changed.values()),
        delete=tuple(delete),
        scalings=tuple(draft.scalings),
        revision=revision if revision != meta.annotations(draft.deployment).get(sets.REVISION) else None,
        requeue_after=wait,
    )
