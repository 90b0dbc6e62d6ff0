"""The status of a StatefulSet from its pods. Pure; called by `plan`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from kubelite.controllers import pods
from kubelite.controllers.statefulset import identity
from kubelite.controllers.statefulset.types import Revisions
from kubelite.objects import meta
from kubelite.objects.meta import Obj


def status_of(set: Obj, members: Iterable[Obj], revisions: Revisions, now: datetime) -> Obj:
    """Counts over the pods that exist; a Go status leaves most zeros out."""
    ready = available = current = updated = created = 0
    minimum = identity.min_ready_seconds(set)
    current_name, update_name = meta.name(revisions.current), meta.name(revisions.update)
    for pod in members:
        if not pods.is_created(pod):
            continue
        created += 1
        if pods.is_running_and_ready(pod):
            ready += 1
            available += pods.is_available(pod, minimum, now)
        if not meta.is_terminating(pod):
            revision = pods.revision(pod)
            current += revision == current_name
            updated += revision == update_name
    status = {
        "observedGeneration": set["metadata"].get("generation", 0),
        "replicas": created,
        "readyReplicas": ready,
        "currentReplicas": current,
        "updatedReplicas": updated,
        "currentRevision": current_name,
        "updateRevision": update_name,
        "collisionCount": revisions.collision_count,
        "availableReplicas": available,
    }
    return finished(set, status)


def finished(set: Obj, status: Obj) -> Obj:
    """A rolling update that reached every pod makes the update revision the current one."""
    wanted = identity.replicas(set)
    counts = (status["updatedReplicas"], status["readyReplicas"], status["replicas"])
    if (set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete" and counts == (wanted,) * 3:
        status = status | {"currentReplicas": wanted, "currentRevision": status["updateRevision"]}
    return status


_OMITTED_WHEN_ZERO = ("observedGeneration", "readyReplicas", "currentReplicas", "updatedReplicas")


def serialized(status: Obj) -> Obj:
    return {key: value for key, value in status.items() if value or key not in _OMITTED_WHEN_ZERO}


def is_inconsistent(set: Obj, status: Obj) -> bool:
    """Whether `status` has to be written; others' conditions stay while the counts are right."""
    present = {name: value for name, value in (set.get("status") or {}).items() if name != "conditions"}
    return present != status
