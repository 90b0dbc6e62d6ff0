"""The rolling update of a StatefulSet: which pods of a former revision go now. Pure; called by `plan`."""

from __future__ import annotations

from collections.abc import Collection

from kubelite.controllers import amounts
from kubelite.controllers import pods as podq
from kubelite.controllers.statefulset import identity
from kubelite.controllers.statefulset.types import DeletePod, Revisions, Stage
from kubelite.controllers.statefulset.view import View
from kubelite.objects import meta
from kubelite.objects.meta import Obj


def partition(set: Obj) -> int:
    """How many of the lowest places keep the current revision."""
    return int(((set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0))


def is_rolling(set: Obj) -> bool:
    return (set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"


def max_unavailable(set: Obj) -> int:
    """At least one; percentages are rounded down."""
    asked = ((set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("maxUnavailable")
    return max(1, amounts.of(asked, identity.replicas(set), round_up=False, default=1))


def update(view: View, gone: Collection[str]) -> Stage:
    """Outdated pods to delete, from the highest ordinal; `gone` names pods that this plan deletes already.

    Each pod that is deleted, or that isn't Available again, takes one of maxUnavailable places: minReadySeconds counts
    under both policies, as documented (upstream's code forgot it under Parallel for a while). With a single place this is
    upstream's plain rule, by which an outdated pod goes however many below it are broken. With more places, pods that
    still serve are only deleted while no more than maxUnavailable of the whole set are unavailable; broken ones cost
    nothing.
    """
    if not is_rolling(view.set):
        return ()
    limit = places = max_unavailable(view.set)
    spare = limit - sum(view.is_unavailable(pod) for pod in view.replicas) if limit > 1 else 1
    update_name = meta.name(view.revisions.update)
    doomed = []
    for pod in reversed(view.replicas[partition(view.set) :]):
        if places <= 0:
            break
        outdated = podq.revision(pod) != update_name and not _is_leaving(pod, gone)
        unavailable = view.is_unavailable(pod)
        if outdated and (unavailable or spare > 0):
            doomed.append(pod)
            places -= 1
            spare -= not unavailable
        elif unavailable:
            places -= 1
    return tuple((DeletePod(pod),) for pod in doomed)


def _is_leaving(pod: Obj, gone: Collection[str]) -> bool:
    """Already on its way to be replaced, or not there yet."""
    return meta.is_terminating(pod) or meta.name(pod) in gone or not podq.is_created(pod)


def without_deleted(status: Obj, stages: tuple[Stage, ...], revisions: Revisions) -> Obj:
    """currentReplicas no longer counts the pods that the update deletes."""
    if len(stages) < 4:
        return status
    deleted = [action.pod for step in stages[3] for action in step if isinstance(action, DeletePod)]
    counted = sum(podq.revision(pod) == meta.name(revisions.current) for pod in deleted)
    return status | {"currentReplicas": status["currentReplicas"] - counted}
