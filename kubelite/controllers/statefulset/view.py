"""One StatefulSet as it stands, sorted into what stays and what goes. Pure; the ground that `plan` decides on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kubelite.controllers import pods as podq
from kubelite.controllers import revisions as history
from kubelite.controllers.statefulset import identity
from kubelite.controllers.statefulset.types import Revisions
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class View:
    """`replicas` stand in order, with planned pods in the empty places; `condemned` descending."""

    set: Obj
    replicas: list[Obj]
    condemned: list[Obj]
    claims: Mapping[str, Obj]
    revisions: Revisions
    now: datetime
    ordered: bool
    min_ready_seconds: int

    def is_available(self, pod: Obj) -> bool:
        return podq.is_available(pod, self.min_ready_seconds, self.now)

    def is_unavailable(self, pod: Obj) -> bool:
        return not (podq.is_running_and_ready(pod) and self.is_available(pod)) or meta.is_terminating(pod)

    def first_unavailable(self) -> Obj | None:
        """Of the replicas, else of the condemned pods with the lowest ordinal first."""
        candidates = [*self.replicas, *reversed(self.condemned)]
        return next((pod for pod in candidates if self.is_unavailable(pod)), None)


def view_of(set: Obj, pods: Iterable[Obj], claims: Mapping[str, Obj], revisions: Revisions, now: datetime) -> View:
    places: dict[int, Obj] = {}
    condemned = []
    for pod in pods:
        number = identity.ordinal(pod)
        if identity.in_range(set, number):
            places[number] = pod
        elif number >= 0:
            condemned.append(pod)
    condemned.sort(key=identity.ordinal, reverse=True)
    first = identity.start(set)
    replicas = [
        places[number] if number in places else _planned(set, number, revisions)
        for number in range(first, first + identity.replicas(set))
    ]
    ordered, minimum = not identity.is_parallel(set), identity.min_ready_seconds(set)
    return View(set, replicas, condemned, claims, revisions, now, ordered, minimum)


def _planned(set: Obj, number: int, revisions: Revisions) -> Obj:
    """The pod for an empty place, at the revision that the partition gives it."""
    revision = revisions.current if _keeps_current(set, number) else revisions.update
    return identity.new_pod(set, history.template_of(revision), number, meta.name(revision))


def _keeps_current(set: Obj, number: int) -> bool:
    strategy = set["spec"].get("updateStrategy") or {}
    index = number - identity.start(set)
    rolling = strategy.get("rollingUpdate")
    if rolling is not None:
        return index < int(rolling.get("partition", 0))
    current = (set.get("status") or {}).get("currentReplicas", 0)
    return strategy.get("type") == "RollingUpdate" and index < int(current)
