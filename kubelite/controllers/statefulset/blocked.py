"""Explains the rollout that can't go on by itself.

OrderedReady never replaces a pod before all are Ready. A pod of a former revision that can't become Ready (its image
doesn't exist, its probe fails) therefore blocks the rollout of the very template that would mend it, until somebody
deletes it. Upstream documents this as "forced rollback" and stays silent; the behaviour here is the same, with an
event that says what to do. Pure; called by `plan`.
"""

from __future__ import annotations

from datetime import datetime

from kubelite.controllers import pods as podq
from kubelite.controllers.statefulset import identity, rollout
from kubelite.controllers.statefulset.types import Step, Warn
from kubelite.controllers.statefulset.view import View
from kubelite.objects import meta
from kubelite.objects.meta import Obj

REASON = "RolloutBlocked"
PATIENCE_SECONDS = 60.0
_ON_THE_WAY = ("ContainerCreating", "PodInitializing", "")


def explain(view: View, pod: Obj) -> Step:
    """A warning when `pod`, at which the ordered work stops, is outdated and stuck."""
    if not _is_outdated(view, pod) or _patience_left(pod, view.now) > 0:
        return ()
    message = (
        f"Pod {meta.name(pod)} isn't Ready and is still at revision {podq.revision(pod)}; the ordered rollout of "
        f"{meta.name(view.revisions.update)} waits for it. If it can't become Ready, delete it: "
        f"kubectl delete pod {meta.name(pod)}"
    )
    return (Warn(REASON, message),)


def seconds_until_noticed(view: View, now: datetime) -> float | None:
    """When to look again at an outdated pod that isn't Ready but may still become so."""
    waits = [
        _patience_left(pod, now)
        for pod in view.replicas
        if podq.is_created(pod) and not podq.is_running_and_ready(pod) and _is_outdated(view, pod)
    ]
    return min((wait for wait in waits if wait > 0), default=None)


def _is_outdated(view: View, pod: Obj) -> bool:
    if not rollout.is_rolling(view.set) or meta.is_terminating(pod) or podq.is_running_and_ready(pod):
        return False
    index = identity.ordinal(pod) - identity.start(view.set)
    return index >= rollout.partition(view.set) and podq.revision(pod) != meta.name(view.revisions.update)


def _patience_left(pod: Obj, now: datetime) -> float:
    """Seconds until an unready pod counts as stuck; none are left when a container says that it can't start."""
    status = pod.get("status") or {}
    states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    reasons = [((state.get("state") or {}).get("waiting") or {}).get("reason", "") for state in states]
    if any(reason not in _ON_THE_WAY for reason in reasons):
        return 0.0
    since = (podq.ready_condition(pod) or {}).get("lastTransitionTime") or pod["metadata"].get("creationTimestamp")
    if since is None:
        return PATIENCE_SECONDS
    return PATIENCE_SECONDS - (now - meta.parse_time(since)).total_seconds()
