"""Who makes room for a critical pod that the node has no room for. PURE; called by the kubelet.

After upstream's `kubelet/preemption`: pods of the lower classes of service go first, and no more of them than need be.
"""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.node.admission import Rejection, admit
from kubelite.node.eviction import CRITICAL_PRIORITY
from kubelite.node.view import Ending
from kubelite.objects import meta
from kubelite.objects.meta import Obj

PREEMPTED = Ending(
    "Preempting",
    "Preempted in order to admit critical pod",
    disruption="Pod was preempted by Kubelet to accommodate a critical pod.",
)
_CLASSES = ("BestEffort", "Burstable", "Guaranteed")


def victims(pod: Obj, node: Obj, others: Sequence[Obj], rejection: Rejection) -> list[Obj]:
    """Of `others`, those whose end lets the node take the pod; none where that is of no use, or not the pod's due."""
    if _priority(pod) < CRITICAL_PRIORITY or not rejection.reason.startswith("OutOf"):
        return []
    lower = [other for other in others if _priority(other) < _priority(pod)]
    gone = {meta.uid(other) for other in lower}
    if not _fits(pod, node, others, gone):
        return []
    for other in sorted(lower, key=_worth, reverse=True):
        if _fits(pod, node, others, gone - {meta.uid(other)}):
            gone.discard(meta.uid(other))
    return [other for other in lower if meta.uid(other) in gone]


def _fits(pod: Obj, node: Obj, others: Sequence[Obj], gone: set[str]) -> bool:
    return admit(pod, node, [other for other in others if meta.uid(other) not in gone]) is None


def _priority(pod: Obj) -> int:
    return int(pod["spec"].get("priority") or 0)


def _worth(pod: Obj) -> tuple[int, int]:
    quality = (pod.get("status") or {}).get("qosClass")
    return _CLASSES.index(quality) if quality in _CLASSES else 0, _priority(pod)
