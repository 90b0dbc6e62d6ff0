"""Pure questions about pods, and the pod a template asks for.

Used by the workload controllers; the meanings follow upstream's `pkg/api/v1/pod` and `pkg/controller`. A pod object
without a uid is one that a plan means to create.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from kubelite.objects import meta
from kubelite.objects.meta import Obj

REVISION_LABEL = "controller-revision-hash"


def is_created(pod: Obj) -> bool:
    return bool(meta.uid(pod))


def phase(pod: Obj) -> str:
    """The phase; a stored pod that nobody reported on yet is Pending, one that is only planned has none."""
    return str((pod.get("status") or {}).get("phase") or ("Pending" if is_created(pod) else ""))


def is_finished(pod: Obj) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Obj) -> bool:
    """Counts as a replica of a ReplicaSet: neither finished nor on its way out."""
    return not is_finished(pod) and not meta.is_terminating(pod)


def ready_condition(pod: Obj) -> Obj | None:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready":
            found: Obj = condition
            return found
    return None


def is_ready(pod: Obj) -> bool:
    found = ready_condition(pod)
    return found is not None and found.get("status") == "True"


def is_running_and_ready(pod: Obj) -> bool:
    return phase(pod) == "Running" and is_ready(pod)


def ready_since(pod: Obj) -> datetime | None:
    """When the pod turned Ready; None while it isn't."""
    found = ready_condition(pod)
    if found is None or found.get("status") != "True" or not found.get("lastTransitionTime"):
        return None
    return meta.parse_time(found["lastTransitionTime"])


def is_available(pod: Obj, min_ready_seconds: int, now: datetime) -> bool:
    """Ready for at least `min_ready_seconds`."""
    if not min_ready_seconds:
        return is_ready(pod)
    since = ready_since(pod)
    return since is not None and since + timedelta(seconds=min_ready_seconds) <= now


def seconds_until_next_available(pods: Iterable[Obj], min_ready_seconds: int, now: datetime) -> float | None:
    """How long until the next Ready pod has been so for `min_ready_seconds`; None when none is on that way."""
    if not min_ready_seconds:
        return None
    due = (
        (since + timedelta(seconds=min_ready_seconds) - now).total_seconds()
        for since in map(ready_since, pods)
        if since
    )
    return min((seconds for seconds in due if seconds > 0), default=None)


def restarts(pod: Obj) -> tuple[int, int]:
    """The restarts of the container that was restarted most, and those of such a sidecar."""
    status, initial = pod.get("status") or {}, pod["spec"].get("initContainers") or ()
    sidecars = {container["name"] for container in initial if container.get("restartPolicy") == "Always"}
    mains = [it.get("restartCount", 0) for it in status.get("containerStatuses") or ()]
    initials = [it for it in status.get("initContainerStatuses") or () if it.get("name") in sidecars]
    return max(mains, default=0), max((it.get("restartCount", 0) for it in initials), default=0)


def revision(pod: Obj) -> str:
    return meta.labels(pod).get(REVISION_LABEL, "")


def from_template(template: Obj, owner: Obj) -> Obj:
    """A nameless pod as the template describes it, controlled by `owner`."""
    wanted = meta.copy(template)
    described = wanted.get("metadata") or {}
    metadata: Obj = {"namespace": meta.namespace(owner)}
    for field in ("labels", "annotations", "finalizers"):
        if described.get(field):
            metadata[field] = described[field]
    metadata["ownerReferences"] = [meta.owner_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wanted.get("spec") or {}}
