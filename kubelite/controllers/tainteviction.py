"""What taints do beyond the scheduler: NoExecute ends pods that don't tolerate it.

After upstream's `pkg/controller/tainteviction`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.placement import toleration_of
from kubelite.registry.client import Client, Event, Recorder

_CONDITION = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "DeletionByTaintManager",
    "message": "Taint manager: deleting due to NoExecute taint",
}


def patience(pod: Obj, node: Obj) -> float | None:
    """Seconds that the pod may stay on the node; None: for ever."""
    tolerations = [toleration_of(pod, taint) for taint in _expelling(node)]
    if any(toleration is None for toleration in tolerations):
        return 0.0
    limits = [
        found["tolerationSeconds"] for found in tolerations if found and found.get("tolerationSeconds") is not None
    ]
    return max(float(min(limits)), 0.0) if limits else None


def _expelling(node: Obj) -> list[Obj]:
    return [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "NoExecute"]


class TaintEviction(Controller):
    """One pod at a time."""

    name = "taint-eviction-controller"

    def __init__(self, client: Client, recorder: Recorder, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(client, recorder, now)
        self._since: dict[Key, datetime] = {}  # when the pod's patience began

    def watches(self) -> Mapping[str, Mapper]:
        return {"pods": own, "nodes": self._of_node}

    def _of_node(self, event: Event) -> Iterable[Key]:
        if event.old is not None and event.old["spec"].get("taints") == event.object["spec"].get("taints"):
            return []
        node = meta.name(event.object)
        return [key_of(pod) for pod in self.client.list("pods") if pod["spec"].get("nodeName") == node]

    def reconcile(self, key: Key) -> float | None:
        pod = self.client.find("pods", *key)
        node = self.client.find("nodes", None, pod["spec"].get("nodeName") or "") if pod is not None else None
        if pod is None or node is None or meta.is_terminating(pod):
            self._since.pop(key, None)
            return None
        seconds = patience(pod, node)
        if seconds is None or not _expelling(node):
            self._calm_down(key, pod)
            return None
        since = self._since.setdefault(key, self.now()) if seconds else self.now()
        left = (since + timedelta(seconds=seconds) - self.now()).total_seconds()
        if left <= 0:
            self._expel(key, pod)
        return left if left > 0 else None

    def _calm_down(self, key: Key, pod: Obj) -> None:
        if self._since.pop(key, None) is not None:
            self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {_where(pod)}")

    def _expel(self, key: Key, pod: Obj) -> None:
        self._since.pop(key, None)
        self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {_where(pod)}")
        status = meta.copy(pod).get("status") or {}
        status["conditions"] = meta.with_condition(status.get("conditions"), _CONDITION, self.now())
        self.client.update("pods", {**meta.copy(pod), "status": status}, "status")
        self.client.delete("pods", *key, uid=meta.uid(pod))


def _where(pod: Obj) -> str:
    return f"{meta.namespace(pod)}/{meta.name(pod)}"
