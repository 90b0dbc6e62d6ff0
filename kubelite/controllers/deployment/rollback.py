"""The annotation that asks for a former revision back, which clients of the first API versions still set.

Pure; after upstream's `rollback.go`. `kubectl rollout undo` needs nothing of it: it puts the template back itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kubelite.controllers.deployment import replica_sets as sets
from kubelite.objects import meta
from kubelite.objects.meta import Obj

ANNOTATION = "deprecated.deployment.rollback.to"


@dataclass(frozen=True, slots=True)
class Rollback:
    """The Deployment without the wish, and what is told about it."""

    deployment: Obj
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def decide(deployment: Obj, replica_sets: Iterable[Obj]) -> Rollback | None:
    """None when no (readable) revision is asked for; 0 means the last one before the present."""
    try:
        wanted = int(meta.annotations(deployment)[ANNOTATION])
    except (KeyError, ValueError):
        return None
    cleared = meta.copy(deployment)
    del cleared["metadata"]["annotations"][ANNOTATION]
    by_revision = {sets.revision(rs): rs for rs in replica_sets}
    if wanted == 0:
        wanted = next(iter(sorted(by_revision, reverse=True)[1:]), 0)
        if wanted == 0:
            return _not_found(cleared, "Unable to find last revision.")
    found = by_revision.get(wanted)
    if found is None:
        return _not_found(cleared, "Unable to find the revision to rollback to.")
    subject = f'deployment "{meta.name(deployment)}"'
    if sets.same_template(deployment["spec"]["template"], found["spec"]["template"]):
        text = f"The rollback revision contains the same template as current {subject}"
        return Rollback(cleared, "Warning", "DeploymentRollbackTemplateUnchanged", text)
    text = f"Rolled back {subject} to revision {wanted}"
    return Rollback(_restored(cleared, found), "Normal", "DeploymentRollback", text)


def _not_found(cleared: Obj, text: str) -> Rollback:
    return Rollback(cleared, "Warning", "DeploymentRollbackRevisionNotFound", text)


def _restored(deployment: Obj, rs: Obj) -> Obj:
    """With the set's template, and its annotations in the place of those that sets take over."""
    template = meta.copy(rs["spec"]["template"])
    template["metadata"]["labels"].pop(sets.HASH_LABEL, None)
    own = set(meta.annotations(deployment)) - set(sets.inherited_annotations(deployment))
    kept = {key: value for key, value in meta.annotations(deployment).items() if key in own}
    deployment["metadata"]["annotations"] = kept | sets.inherited_annotations(rs)
    deployment["spec"]["template"] = template
    return deployment
