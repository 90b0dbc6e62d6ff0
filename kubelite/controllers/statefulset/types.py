"""What `plan` takes and gives: revisions, actions and the plan itself."""

from __future__ import annotations

from dataclasses import dataclass

from kubelite.controllers.statefulset.claims import ClaimWork
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Revisions:
    """The stored ControllerRevisions that the pods should be at, and how often a name collided."""

    current: Obj
    update: Obj
    collision_count: int = 0


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Claims first, then the pod."""

    pod: Obj
    claims: ClaimWork


@dataclass(frozen=True, slots=True)
class DeletePod:
    pod: Obj


@dataclass(frozen=True, slots=True)
class UpdatePod:
    """Put claims right, and the pod itself where `changed`."""

    pod: Obj
    claims: ClaimWork
    changed: bool


@dataclass(frozen=True, slots=True)
class MendClaims:
    """Create a pending pod's missing claims, or give claims of pods the owners that the policy asks for."""

    pod: Obj
    claims: ClaimWork


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell by an event what blocks a rollout."""

    reason: str
    message: str


Action = CreatePod | DeletePod | UpdatePod | MendClaims | Warn
Step = tuple[Action, ...]  # what happens to one pod
Stage = tuple[Step, ...]  # a failure ends the work after its stage at the latest


@dataclass(frozen=True, slots=True)
class Plan:
    """`status` is that after everything is done, `status_before` that in case of a failure."""

    stages: tuple[Stage, ...]
    status: Obj
    status_before: Obj
    requeue_after: float | None = None

    @property
    def actions(self) -> list[Action]:
        return [action for stage in self.stages for step in stage for action in step]
