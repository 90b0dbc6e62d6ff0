"""What a node's state says to the scheduler and to its pods: a taint for a cordon and for every condition that is wrong.

After the tainting passes of upstream's `pkg/controller/nodelifecycle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_WRONG = {
    ("Ready", "False"): ("node.kubernetes.io/not-ready", ("NoSchedule", "NoExecute")),
    ("Ready", "Unknown"): ("node.kubernetes.io/unreachable", ("NoSchedule", "NoExecute")),
    ("MemoryPressure", "True"): ("node.kubernetes.io/memory-pressure", ("NoSchedule",)),
    ("DiskPressure", "True"): ("node.kubernetes.io/disk-pressure", ("NoSchedule",)),
    ("PIDPressure", "True"): ("node.kubernetes.io/pid-pressure", ("NoSchedule",)),
    ("NetworkUnavailable", "True"): ("node.kubernetes.io/network-unavailable", ("NoSchedule",)),
}
_OURS = {UNSCHEDULABLE, *(key for key, _ in _WRONG.values())}


def deserved(node: Obj, *, anywhere_else: bool) -> Iterator[tuple[str, str]]:
    """(key, effect) of the taints that the node's state asks for.

    Pods are sent away only when there is a node that could take them: where none is ready, upstream evicts nobody.
    """
    if node["spec"].get("unschedulable"):
        yield UNSCHEDULABLE, "NoSchedule"
    for condition in (node.get("status") or {}).get("conditions") or ():
        key, effects = _WRONG.get((condition.get("type"), condition.get("status")), ("", ()))
        yield from ((key, effect) for effect in effects if anywhere_else or effect != "NoExecute")


class NodeLifecycle(Controller):
    """Puts those taints on and takes them off; those of others stay."""

    name = "node-lifecycle-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"nodes": lambda event: [key_of(node) for node in self.client.list("nodes")]}

    def reconcile(self, key: Key) -> None:
        node = self.client.find("nodes", *key)
        if node is None:
            return
        taints, wanted = node["spec"].get("taints") or [], list(deserved(node, anywhere_else=self._any_is_ready()))
        kept = [taint for taint in taints if taint["key"] not in _OURS or (taint["key"], taint["effect"]) in wanted]
        present = [(taint["key"], taint["effect"]) for taint in kept]
        added = [
            {"key": key, "effect": effect, "timeAdded": meta.format_time(self.now())}
            for key, effect in wanted
            if (key, effect) not in present
        ]
        if not added and len(kept) == len(taints):
            return
        new = meta.copy(node)
        new["spec"].pop("taints", None)
        new["spec"] |= {"taints": [*kept, *added]} if kept or added else {}
        self.client.update("nodes", new)

    def _any_is_ready(self) -> bool:
        statuses = [node.get("status") or {} for node in self.client.list("nodes")]
        return any(meta.condition_is_true(status.get("conditions"), "Ready") for status in statuses)
