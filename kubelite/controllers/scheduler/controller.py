"""The scheduler: binds each pending pod to a node that fits it, makes room for the important, or says why it can't."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.controllers.scheduler import affinity, fit, preemption, spread, volumes
from kubelite.controllers.scheduler.fit import explain
from kubelite.controllers.scheduler.preemption import Candidate
from kubelite.controllers.scheduler.snapshot import Misfit, Snapshot, priority
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.binder import SELECTED_NODE
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event

# Claims of a new pod are being bound this very moment; the binding wakes the scheduler, so complaining can wait.
BINDING_SECONDS = 2.0
NO_NODES = "no nodes available to schedule pods"


class Scheduler(Controller):
    name = "default-scheduler"

    def watches(self) -> Mapping[str, Mapper]:
        return {
            "pods": self._of_pod,
            "nodes": lambda event: self._pending(),
            "persistentvolumeclaims": lambda event: self._pending(meta.namespace(event.object)),
            "persistentvolumes": self._of_volume,
        }

    def _of_pod(self, event: Event) -> Iterable[Key]:
        pod = event.object
        if _waits(pod) and event.type != "DELETED":
            return [key_of(pod)]
        if event.type == "DELETED" or _is_over(pod):
            return self._pending()
        if event.old is None or _place(event.old) != _place(pod):
            return self._pending(only=_looks_at_pods)
        return []

    def _of_volume(self, event: Event) -> Iterable[Key]:
        """One that anybody may have now."""
        return self._pending() if (event.object.get("status") or {}).get("phase") == "Available" else []

    def _pending(self, namespace: str | None = None, only: Callable[[Obj], bool] = lambda pod: True) -> list[Key]:
        """The most important first, of equally important ones the oldest."""
        waiting = [pod for pod in self.client.list("pods", namespace) if _waits(pod) and only(pod)]
        waiting.sort(key=lambda pod: (-priority(pod), pod["metadata"]["creationTimestamp"]))
        return [key_of(pod) for pod in waiting]

    def reconcile(self, key: Key) -> float | None:
        pod = self.client.find("pods", *key)
        if pod is None or not _waits(pod):
            return None
        problem = volumes.problem(pod, self.client)
        if (problem == volumes.UNBOUND or problem.startswith(volumes.UNMADE)) and self._age(pod) < BINDING_SECONDS:
            return BINDING_SECONDS
        if problem:
            total = len(self.client.list("nodes"))
            helpless = explain(total, [preemption.NOT_HELPFUL] * total)
            self._refuse(
                pod, f"0/{total} nodes are available: {problem}. preemption: {helpless}" if total else NO_NODES
            )
            return None
        snapshot = self._snapshot(pod)
        problems: dict[str, Misfit] = {}
        for node in snapshot.nodes:
            found = self._misfit(pod, node, snapshot)
            if found is None:
                self._assign(pod, node)
                return None
            problems[meta.name(node)] = found
        self._make_room(pod, snapshot, problems)
        return None

    def _age(self, pod: Obj) -> float:
        return (self.now() - meta.parse_time(pod["metadata"]["creationTimestamp"])).total_seconds()

    # what is there

    def _snapshot(self, pod: Obj) -> Snapshot:
        """Pods that have a node, and those at least as important as this one that have been promised one."""
        placed = []
        for other in self.client.list("pods"):
            if other["spec"].get("nodeName"):
                if not _is_over(other):
                    placed.append(other)
            elif node := self._promised_to_another(other, pod):
                placed.append({**other, "spec": {**other["spec"], "nodeName": node}})
        namespaces = {meta.name(found): meta.labels(found) for found in self.client.list("namespaces")}
        return Snapshot(self.client.list("nodes"), placed, namespaces)

    @staticmethod
    def _promised_to_another(other: Obj, pod: Obj) -> str:
        matters = meta.uid(other) != meta.uid(pod) and priority(other) >= priority(pod)
        return _promised(other) if matters else ""

    def _misfit(self, pod: Obj, node: Obj, snapshot: Snapshot) -> Misfit | None:
        """In the order of upstream's filters; the first that objects is heard."""
        return (
            fit.misfit(pod, node, snapshot.on(node))
            or volumes.misfit(pod, node, snapshot.pods, self.client)
            or spread.misfit(pod, node, snapshot)
            or affinity.misfit(pod, node, snapshot)
        )

    # what becomes of the pod

    def _assign(self, pod: Obj, node: Obj) -> None:
        """Claims that waited for a consumer get their volumes or are to be provisioned; then the pod is bound."""
        wanted = volumes.bindings(pod, node, self.client) or volumes.Bindings()
        for volume, claim in wanted.reserved:
            self.client.update("persistentvolumes", matching.reserved(volume, claim))
        for claim in wanted.provisioned:
            new = meta.copy(claim)
            new["metadata"].setdefault("annotations", {})[SELECTED_NODE] = meta.name(node)
            self.client.update("persistentvolumeclaims", new)
        if wanted.reserved or wanted.provisioned:
            return
        self.client.bind(pod, meta.name(node))
        where = f"{meta.namespace(pod)}/{meta.name(pod)}"
        self.recorder.event(pod, "Normal", "Scheduled", f"Successfully assigned {where} to {meta.name(node)}")

    def _make_room(self, pod: Obj, snapshot: Snapshot, problems: Mapping[str, Misfit]) -> None:
        if not problems:
            self._refuse(pod, NO_NODES)
            return
        told = explain(len(problems), [reason for problem in problems.values() for reason in problem.reasons])
        if why := preemption.objection(pod, snapshot, problems):
            self._refuse(pod, f"{told} preemption: {why}", _promised(pod))
            return
        found = self._candidates(pod, snapshot, problems)
        candidates = [entry for entry in found if isinstance(entry, Candidate)]
        if candidates:
            chosen = preemption.best(candidates)
            self._preempt(pod, chosen)
            self._refuse(pod, told, chosen.node)
        else:
            reasons = [reason for entry in found if isinstance(entry, Misfit) for reason in entry.reasons]
            self._refuse(pod, f"{told} preemption: {explain(len(problems), reasons)}")

    def _candidates(self, pod: Obj, snapshot: Snapshot, problems: Mapping[str, Misfit]) -> Sequence[Candidate | Misfit]:
        budgets = self.client.list("poddisruptionbudgets")
        helpless = Misfit((preemption.NOT_HELPFUL,), resolvable=False)
        return [
            preemption.candidate(pod, node, snapshot, budgets, lambda node, left: self._misfit(pod, node, left))
            if problems[meta.name(node)].resolvable
            else helpless
            for node in snapshot.nodes
        ]

    def _preempt(self, pod: Obj, chosen: Candidate) -> None:
        for victim in chosen.victims:
            message = f"{self.name}: preempting to accommodate a higher priority pod"
            condition = {"type": "DisruptionTarget", "status": "True", "reason": preemption.REASON, "message": message}
            self._set_condition(victim, condition)
            self.client.delete("pods", *key_of(victim), uid=meta.uid(victim))
            self.recorder.event(
                victim, "Normal", "Preempted", f"Preempted by pod {meta.uid(pod)} on node {chosen.node}"
            )
        for other in self.client.list("pods"):
            if _waits(other) and _promised(other) == chosen.node and priority(other) < priority(pod):
                self._promise(other, "")

    def _promise(self, pod: Obj, node: str) -> None:
        status = meta.copy(pod).get("status") or {}
        status.pop("nominatedNodeName", None)
        self.client.update("pods", {**meta.copy(pod), "status": status | _nomination(node)}, "status")

    def _set_condition(self, pod: Obj, condition: Obj) -> None:
        status = meta.copy(pod).get("status") or {}
        status["conditions"] = meta.with_condition(status.get("conditions"), condition, self.now())
        self.client.update("pods", {**meta.copy(pod), "status": status}, "status")

    def _refuse(self, pod: Obj, message: str, node: str = "") -> None:
        """Say why the pod has to wait, and for which node if it has been promised one."""
        old = meta.condition((pod.get("status") or {}).get("conditions"), "PodScheduled")
        told = old is not None and old.get("reason") == "Unschedulable" and old.get("message") == message
        if told and _promised(pod) == node:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
        }
        status = meta.copy(pod).get("status") or {}
        status.pop("nominatedNodeName", None)
        status["conditions"] = meta.with_condition(status.get("conditions"), condition, self.now())
        self.client.update("pods", {**meta.copy(pod), "status": status | _nomination(node)}, "status")
        self.recorder.event(pod, "Warning", "FailedScheduling", message)


def _nomination(node: str) -> Obj:
    return {"nominatedNodeName": node} if node else {}


def _promised(pod: Obj) -> str:
    """The node where room is being made for a pod that waits."""
    node = (pod.get("status") or {}).get("nominatedNodeName")
    return str(node) if node and _waits(pod) else ""


def _place(pod: Obj) -> tuple[str, Mapping[str, str], bool]:
    """What other pods' terms may be about."""
    return pod["spec"].get("nodeName", ""), meta.labels(pod), meta.is_terminating(pod)


def _looks_at_pods(pod: Obj) -> bool:
    affinities = pod["spec"].get("affinity") or {}
    looks = affinities.get("podAffinity") or affinities.get("podAntiAffinity")
    return bool(looks or pod["spec"].get("topologySpreadConstraints"))


def _waits(pod: Obj) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not meta.is_terminating(pod)
        and not spec.get("schedulingGates")
        and spec.get("schedulerName", Scheduler.name) == Scheduler.name
        and not _is_over(pod)
    )


def _is_over(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
