"""Decides what a StatefulSet needs next. Pure and total: the controller reads, calls `plan`, and performs it.

Follows upstream's `stateful_set_control`: replicas in ascending order, then scaling down from the highest ordinal,
then the rolling update from the highest ordinal. OrderedReady stops at the first pod that isn't healthy, Parallel
doesn't wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from kubelite.controllers import pods as podq
from kubelite.controllers.statefulset import blocked, claims, identity, rollout
from kubelite.controllers.statefulset.status import serialized, status_of
from kubelite.controllers.statefulset.types import (
    Action,
    CreatePod,
    DeletePod,
    MendClaims,
    Plan,
    Revisions,
    Stage,
    Step,
    UpdatePod,
)
from kubelite.controllers.statefulset.view import View, view_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj


def plan(set: Obj, pods: Sequence[Obj], claims: Mapping[str, Obj], revisions: Revisions, now: datetime) -> Plan:
    """`pods` are the set's own; `claims` are the existing claims of its pods, by name."""
    if meta.is_terminating(set):
        status = serialized(status_of(set, pods, revisions, now))
        return Plan((), status, status)
    view = view_of(set, pods, claims, revisions, now)
    stages = _stages(view)
    status = status_of(set, [*view.replicas, *view.condemned], revisions, now)
    after = rollout.without_deleted(status, stages, revisions)
    waits = (
        podq.seconds_until_next_available(pods, identity.min_ready_seconds(set), now),
        blocked.seconds_until_noticed(view, now) if view.ordered else None,
    )
    look_again = min((wait for wait in waits if wait is not None), default=None)
    return Plan(stages, serialized(after), serialized(status), look_again)


def _stages(view: View) -> tuple[Stage, ...]:
    replicas, halted = _each(view, view.replicas, _replica)
    if halted:
        return (replicas,)
    owned = tuple(_owners(view, pod) for pod in view.condemned)
    first = view.first_unavailable() if view.condemned else None
    condemned, halted = _each(view, view.condemned, lambda view, pod: _condemned(view, pod, first))
    if halted:
        return replicas, owned, condemned
    gone = {meta.name(action.pod) for step in replicas for action in step if isinstance(action, DeletePod)}
    return replicas, owned, condemned, rollout.update(view, gone)


def _each(view: View, pods: Iterable[Obj], process: Callable[[View, Obj], tuple[Step, bool]]) -> tuple[Stage, bool]:
    """The steps of `pods`; in order, the first that says so ends the work."""
    steps = []
    for pod in pods:
        step, stop = process(view, pod)
        steps.append(step)
        if stop and view.ordered:
            return tuple(steps), True
    return tuple(steps), False


def _replica(view: View, pod: Obj) -> tuple[Step, bool]:
    if podq.is_finished(pod):
        return (() if meta.is_terminating(pod) else (DeletePod(pod),)), True
    if not podq.is_created(pod):
        if claims.is_stale(view.set, pod, view.claims):
            return (), True
        return (CreatePod(pod, claims.missing(view.set, pod, view.claims)),), True
    actions: list[Action] = []
    pending = podq.phase(pod) == "Pending"
    if pending and (work := claims.missing(view.set, pod, view.claims)):
        actions.append(MendClaims(pod, work))
    if view.ordered and view.is_unavailable(pod):
        return (*actions, *blocked.explain(view, pod)), True
    return (*actions, *_repair(view, pod, claims_done=pending)), False


def _repair(view: View, pod: Obj, *, claims_done: bool) -> Step:
    stored = identity.storage_matches(view.set, pod)
    matches = stored and identity.identity_matches(view.set, pod)
    work = claims.NOTHING
    if not claims_done:
        work = (claims.owners if stored else claims.missing)(view.set, pod, view.claims)
    if matches and not work:
        return ()
    return (UpdatePod(pod if matches else identity.repaired(view.set, pod), work, changed=not matches),)


def _owners(view: View, pod: Obj) -> Step:
    work = claims.owners(view.set, pod, view.claims)
    return (MendClaims(pod, work),) if work else ()


def _condemned(view: View, pod: Obj, first_unavailable: Obj | None) -> tuple[Step, bool]:
    if meta.is_terminating(pod):
        return (), True
    healthy = podq.is_running_and_ready(pod) and view.is_available(pod)
    if view.ordered and not healthy and pod is not first_unavailable:
        return (), True
    return (DeletePod(pod),), True
