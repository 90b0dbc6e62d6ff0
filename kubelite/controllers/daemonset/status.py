"""The status of a DaemonSet. Pure; called by the controller."""

from __future__ import annotations

from kubelite.controllers import pods as podq
from kubelite.controllers.daemonset.view import View
from kubelite.objects.meta import Obj


def status(view: View, collision_count: int | None) -> Obj:
    """Counts over the nodes, where a node's first pod speaks for it; conditions are other people's and stay."""
    current = misplaced = ready = available = updated = 0
    for node in view.nodes:
        present = view.pods.get(node)
        if not present:
            continue
        if not view.should_run(node):
            misplaced += 1
            continue
        current += 1
        ready += podq.is_ready(present[0])
        available += view.is_available(present[0])
        updated += view.is_updated(present[0])
    result: Obj = {
        "currentNumberScheduled": current,
        "numberMisscheduled": misplaced,
        "desiredNumberScheduled": view.desired,
        "numberReady": ready,
    }
    optional = {
        "observedGeneration": view.ds["metadata"].get("generation", 0),
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": view.desired - available,
    }
    result |= {name: number for name, number in optional.items() if number}
    if conditions := (view.ds.get("status") or {}).get("conditions"):
        result["conditions"] = conditions
    return result if collision_count is None else result | {"collisionCount": collision_count}
