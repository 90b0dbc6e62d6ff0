"""What a test waits for, as a function of the object; pure. Called by `Namespace.wait`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelite.cli import waiting

Obj = dict[str, Any]
Condition = str | Callable[[Obj], bool]


def predicate(condition: Condition) -> Callable[[Obj | None], bool]:
    """A function of the object, or of None while it is not there."""
    if callable(condition):
        asked = condition
        return lambda obj: obj is not None and asked(obj)
    if condition == "deleted":
        return waiting.absent
    return ready if condition == "ready" else waiting.has_condition(condition)


def ready(obj: Obj | None) -> bool:
    """A workload has rolled out, a claim or a volume is bound, a job is complete; anything else: condition Ready."""
    if obj is None:
        return False
    match obj.get("kind"):
        case "Deployment" | "StatefulSet":
            return waiting.rolled_out(obj)
        case "ReplicaSet" | "ReplicationController":
            return _observed(obj) and _status(obj).get("readyReplicas", 0) == obj["spec"].get("replicas", 1)
        case "DaemonSet":
            status = _status(obj)
            wanted = status.get("desiredNumberScheduled", 0)
            return _observed(obj) and status.get("numberReady", 0) == wanted == status.get("updatedNumberScheduled", 0)
        case "PersistentVolumeClaim" | "PersistentVolume":
            return bool(_status(obj).get("phase") == "Bound")
        case "Namespace":
            return bool(_status(obj).get("phase") == "Active")
        case "Job":
            return waiting.has_condition("Complete")(obj)
    return waiting.has_condition("Ready")(obj)


def _status(obj: Obj) -> Obj:
    return obj.get("status") or {}


def _observed(obj: Obj) -> bool:
    return bool(_status(obj).get("observedGeneration", 0) >= obj["metadata"].get("generation", 0))
