"""The changes that one look at a Deployment gathers: ReplicaSets as they will be, events, conditions.

Used by the pure parts of the plan: `Draft` collects, nothing is written before the controller performs the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from kubelite.controllers.deployment import replica_sets as sets
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(slots=True)
class Draft:
    """`new` is the ReplicaSet of the present template, if there is one; `old` are the others, in the order given."""

    deployment: Obj
    new: Obj | None
    old: list[Obj]
    now: datetime
    created: bool = False
    changed: dict[str, Obj] = field(default_factory=dict)
    scalings: list[str] = field(default_factory=list)
    conditions: list[Obj] = field(default_factory=list)

    @property
    def all(self) -> list[Obj]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    @property
    def active_old(self) -> list[Obj]:
        return [rs for rs in self.old if sets.replicas(rs)]

    def size(self) -> int:
        """Pods that all sets together ask for."""
        return sum(map(sets.replicas, self.all))

    def replace(self, rs: Obj) -> None:
        """Put a changed ReplicaSet in the place of its former self."""
        name = meta.name(rs)
        if self.new is not None and meta.name(self.new) == name:
            self.new = rs
        self.old = [rs if meta.name(former) == name else former for former in self.old]
        if not (self.created and rs is self.new):
            self.changed[name] = rs

    def scale(self, rs: Obj, size: int) -> bool:
        """Ask `rs` for `size` pods and note the Deployment's sizes on it; says whether its size changes."""
        notes = sets.size_annotations(self.deployment)
        before = sets.replicas(rs)
        if before == size and notes.items() <= meta.annotations(rs).items():
            return False
        changed = meta.copy(rs)
        changed["spec"]["replicas"] = size
        changed["metadata"]["annotations"] = meta.annotations(rs) | notes
        self.replace(changed)
        if before != size:
            self.note_scaling(rs, before, size)
        return before != size

    def note_scaling(self, rs: Obj, before: int, size: int) -> None:
        direction = "up" if size > before else "down"
        self.scalings.append(f"Scaled {direction} replica set {meta.name(rs)} from {before} to {size}")
