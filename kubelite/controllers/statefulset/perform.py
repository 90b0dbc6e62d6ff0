"""Performs the actions of a StatefulSet's plan and tells about them in events; called by the controller."""

from __future__ import annotations

from kubelite.controllers.statefulset import identity
from kubelite.controllers.statefulset.claims import ClaimWork
from kubelite.controllers.statefulset.types import (
    Action,
    CreatePod,
    DeletePod,
    MendClaims,
    Plan,
    Stage,
    Step,
    UpdatePod,
    Warn,
)
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder

# "manging" is how upstream spells it.
_CONFLICT = (
    "PersistentVolumeClaim {} has a conflicting OwnerReference that acts as a manging controller, "
    "the retention policy is ignored for this claim"
)


class Performer:
    """The writes for one set. A failure ends an ordered plan at once, a parallel one after the present batch."""

    def __init__(self, client: Client, recorder: Recorder, set: Obj) -> None:
        self._client = client
        self._recorder = recorder
        self._set = set

    def run(self, plan: Plan) -> StatusError | None:
        """Perform the plan; the first failure comes back."""
        for stage in plan.stages:
            failure = self._burst(stage) if identity.is_parallel(self._set) else self._sequence(stage)
            if failure is not None:
                return failure
        return None

    def _sequence(self, steps: Stage) -> StatusError | None:
        return next((failure for step in steps if (failure := self._step(step)) is not None), None)

    def _burst(self, stage: Stage) -> StatusError | None:
        """Batches of 1, 2, 4, ... pods, so that what always fails doesn't fail for every pod."""
        at, size = 0, 1
        while at < len(stage):
            failures = [failure for step in stage[at : at + size] if (failure := self._step(step)) is not None]
            if failures:
                return failures[0]
            at, size = at + size, size * 2
        return None

    def _step(self, step: Step) -> StatusError | None:
        try:
            for action in step:
                self._perform(action)
        except StatusError as error:
            return error
        return None

    def _perform(self, action: Action) -> None:
        if isinstance(action, CreatePod):
            self._create(action)
        elif isinstance(action, DeletePod):
            self._delete(action.pod)
        elif isinstance(action, UpdatePod):
            self._update(action)
        elif isinstance(action, MendClaims):
            self._create_claims(action.pod, action.claims)
            self._change_claims(action.claims)
        elif isinstance(action, Warn):
            self._recorder.event(self._set, "Warning", action.reason, action.message)

    def _create(self, action: CreatePod) -> None:
        try:
            self._create_claims(action.pod, action.claims)
            self._change_claims(action.claims)
            self._client.create("pods", action.pod)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                self._pod_event("create", action.pod, error)
            raise
        self._pod_event("create", action.pod)

    def _delete(self, pod: Obj) -> None:
        try:
            self._client.delete("pods", meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
        except StatusError as error:
            if error.reason == "NotFound":
                return
            self._pod_event("delete", pod, error)
            raise
        self._pod_event("delete", pod)

    def _update(self, action: UpdatePod) -> None:
        try:
            self._create_claims(action.pod, action.claims)
            self._change_claims(action.claims)
            if action.changed:
                self._client.update("pods", action.pod)
        except StatusError as error:
            self._pod_event("update", action.pod, error)
            raise
        self._pod_event("update", action.pod)

    def _create_claims(self, pod: Obj, work: ClaimWork) -> None:
        problems = [f"pvc {name} is being deleted" for name in work.deleting]
        for claim in work.create:
            try:
                self._client.create("persistentvolumeclaims", claim)
            except StatusError as error:
                problems.append(f"failed to create PVC {meta.name(claim)}: {error}")
                self._claim_event(claim, pod, error)
            else:
                self._claim_event(claim, pod)
        if problems:
            text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise StatusError(409, "Conflict", text)

    def _change_claims(self, work: ClaimWork) -> None:
        for name in work.disputed:
            self._recorder.event(self._set, "Warning", "ConflictingController", _CONFLICT.format(name))
        for claim in work.change:
            self._client.update("persistentvolumeclaims", claim)

    def _pod_event(self, verb: str, pod: Obj, error: StatusError | None = None) -> None:
        what = f"{verb} Pod {meta.name(pod)} in StatefulSet {meta.name(self._set)}"
        if error is None:
            self._recorder.event(self._set, "Normal", f"Successful{verb.title()}", f"{what} successful")
        else:
            self._recorder.event(self._set, "Warning", f"Failed{verb.title()}", f"{what} failed error: {error}")

    def _claim_event(self, claim: Obj, pod: Obj, error: StatusError | None = None) -> None:
        names = meta.name(claim), meta.name(pod), meta.name(self._set)
        if error is None:
            message = "create Claim {} Pod {} in StatefulSet {} success".format(*names)
            self._recorder.event(self._set, "Normal", "SuccessfulCreate", message)
        elif error.reason != "AlreadyExists":
            message = "create Claim {} for Pod {} in StatefulSet {} failed error: ".format(*names) + str(error)
            self._recorder.event(self._set, "Warning", "FailedCreate", message)
