"""Pods that nobody else removes: those of nodes that are no more, those that go but never had a node, and the oldest of
too many that have finished. After upstream's `pkg/controller/podgc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event

PERIOD = 20.0
QUARANTINE = timedelta(seconds=40)  # a node may come back
FINISHED_PODS = 12500  # may stay
_FINAL = ("Succeeded", "Failed")
_ORPHANED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "DeletionByPodGC",
    "message": "PodGC: node no longer exists",
}
_ROUND: Key = (None, "round")


class PodGarbageCollector(Controller):
    """Goes its round now and then."""

    name = "pod-garbage-collector-controller"
    threshold = FINISHED_PODS
    _missing: Mapping[str, datetime] = {}  # since when nodes that pods are bound to aren't there

    def watches(self) -> Mapping[str, Mapper]:
        return {"nodes": _deleted}

    def initial(self) -> Iterable[Key]:
        return [_ROUND]

    def reconcile(self, key: Key) -> float:
        pods = self.client.list("pods")
        for pod in superfluous(pods, self.threshold):
            self._delete(pod)
        for pod in pods:
            if meta.is_terminating(pod) and not pod["spec"].get("nodeName"):
                self._end(pod)
        self._collect_orphans(pods)
        return PERIOD

    def _collect_orphans(self, pods: Iterable[Obj]) -> None:
        known = {meta.name(node) for node in self.client.list("nodes")}
        bound = {pod["spec"].get("nodeName") or "" for pod in pods} - {""}
        now = self.now()
        self._missing = {name: self._missing.get(name, now) for name in bound - known}
        gone = {name for name, since in self._missing.items() if now - since >= QUARANTINE}
        for pod in pods:
            if pod["spec"].get("nodeName") in gone:
                self._end(pod, _ORPHANED)

    def _end(self, pod: Obj, condition: Obj | None = None) -> None:
        """It has failed first: who keeps it by a finalizer may wait for that, as a Job does."""
        status = pod.get("status") or {}
        if status.get("phase") not in _FINAL:
            failed = {**status, "phase": "Failed"}
            if condition is not None:
                failed["conditions"] = meta.with_condition(status.get("conditions"), condition, self.now())
            self.client.update("pods", {**pod, "status": failed}, "status")
        self._delete(pod)

    def _delete(self, pod: Obj) -> None:
        try:
            self.client.delete("pods", meta.namespace(pod), meta.name(pod), grace=0, uid=meta.uid(pod))
        except StatusError as error:
            if error.code not in (404, 409):
                raise


def superfluous(pods: Iterable[Obj], allowed: int) -> list[Obj]:
    """Of the finished pods those above `allowed`: first who was evicted, then the oldest."""
    finished = [pod for pod in pods if (pod.get("status") or {}).get("phase") in _FINAL]
    too_many = len(finished) - allowed
    return sorted(finished, key=_order)[:too_many] if too_many > 0 else []


def _order(pod: Obj) -> tuple[bool, str]:
    return (pod["status"].get("reason") != "Evicted", str(pod["metadata"]["creationTimestamp"]))


def _deleted(event: Event) -> Iterable[Key]:
    return [_ROUND] if event.type == "DELETED" else []
