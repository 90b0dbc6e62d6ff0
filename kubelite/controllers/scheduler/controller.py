"""The scheduler: binds each pending pod to a node that fits it, or says why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.controllers.scheduler.fit import CLAIM_TAKEN, explain, unfit
from kubelite.controllers.scheduler.volumes import matches_volume_affinity, names_ephemeral, uses_claim
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.ephemeral import foreign
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.registry.kinds.persistentvolume import storage_class_of

SELECTED_NODE = "volume.kubernetes.io/selected-node"
UNMADE = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
# Claims of a new pod are being bound this very moment; the binding wakes the scheduler, so complaining can wait.
BINDING_SECONDS = 2.0


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
        if _waits(event.object) and event.type != "DELETED":
            return [key_of(event.object)]
        freed = event.type == "DELETED" or _is_over(event.object)
        return self._pending() if freed else []

    def _of_volume(self, event: Event) -> Iterable[Key]:
        """One that anybody may have now."""
        return self._pending() if (event.object.get("status") or {}).get("phase") == "Available" else []

    def _pending(self, namespace: str | None = None) -> list[Key]:
        return [key_of(pod) for pod in self.client.list("pods", namespace) if _waits(pod)]

    def reconcile(self, key: Key) -> float | None:
        pod = self.client.find("pods", *key)
        if pod is None or not _waits(pod):
            return None
        nodes = self.client.list("nodes")
        problem = self._volume_problem(pod)
        if (problem == UNBOUND or problem.startswith(UNMADE)) and self._age(pod) < BINDING_SECONDS:
            return BINDING_SECONDS
        if problem:
            self._refuse(pod, explain_volumes(len(nodes), problem))
            return None
        reasons = []
        for node in nodes:
            others = self._pods_on(meta.name(node))
            found = unfit(pod, node, others) or self._volumes_unfit(pod, node, others)
            if not found:
                if self._volumes_ready(pod, meta.name(node)):
                    self._bind(pod, meta.name(node))
                return None
            reasons += found
        self._refuse(pod, explain(len(nodes), reasons))
        return None

    def _age(self, pod: Obj) -> float:
        return (self.now() - meta.parse_time(pod["metadata"]["creationTimestamp"])).total_seconds()

    def _pods_on(self, node: str) -> list[Obj]:
        return [pod for pod in self.client.list("pods") if pod["spec"].get("nodeName") == node and not _is_over(pod)]

    def _claims(self, pod: Obj) -> Iterable[tuple[str, Obj | None]]:
        for volume in pod["spec"].get("volumes") or ():
            if claim := volume.get("persistentVolumeClaim"):
                name = claim["claimName"]
            elif volume.get("ephemeral"):
                name = f"{meta.name(pod)}-{volume['name']}"
            else:
                continue
            yield name, self.client.find("persistentvolumeclaims", meta.namespace(pod), name)

    def _volumes_unfit(self, pod: Obj, node: Obj, others: Sequence[Obj]) -> list[str]:
        for _, claim in self._claims(pod):
            if claim is None:
                continue
            if "ReadWriteOncePod" in claim["spec"]["accessModes"] and any(uses_claim(o, claim) for o in others):
                return [CLAIM_TAKEN]
            if _is_bound(claim):
                volume = self.client.find("persistentvolumes", None, claim["spec"].get("volumeName", ""))
                if volume is not None and not matches_volume_affinity(volume, node):
                    return ["node(s) had volume node affinity conflict"]
            elif self._has_no_provisioner(claim):
                volumes = [v for v in self.client.list("persistentvolumes") if matches_volume_affinity(v, node)]
                if matching.best(claim, volumes) is None:
                    return ["node(s) didn't find available persistent volumes to bind"]
        return []

    def _has_no_provisioner(self, claim: Obj) -> bool:
        found = self.client.find("storageclasses", None, storage_class_of(claim) or "")
        return found is None or found["provisioner"] == NO_PROVISIONER

    def _volume_problem(self, pod: Obj) -> str:
        for name, claim in self._claims(pod):
            if claim is None:
                return (
                    f'{UNMADE} "{name}"' if names_ephemeral(pod, name) else f'persistentvolumeclaim "{name}" not found'
                )
            if names_ephemeral(pod, name) and (problem := foreign(pod, claim)):
                return problem
            if meta.is_terminating(claim):
                return f'persistentvolumeclaim "{name}" is being deleted'
            if claim.get("status", {}).get("phase") == "Lost":
                return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim["spec"].get("volumeName", "")}"'
            if not _is_bound(claim) and not self._waits_for_consumer(claim):
                return UNBOUND
        return ""

    def _waits_for_consumer(self, claim: Obj) -> bool:
        found = self.client.find("storageclasses", None, storage_class_of(claim) or "")
        return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"

    def _volumes_ready(self, pod: Obj, node: str) -> bool:
        """Claims that waited for a consumer are told which node it goes to; the pod is bound once they are."""
        waiting = [claim for _, claim in self._claims(pod) if claim is not None and not _is_bound(claim)]
        for claim in waiting:
            if meta.annotations(claim).get(SELECTED_NODE) != node:
                new = meta.copy(claim)
                new["metadata"].setdefault("annotations", {})[SELECTED_NODE] = node
                self.client.update("persistentvolumeclaims", new)
        return not waiting

    def _bind(self, pod: Obj, node: str) -> None:
        self.client.bind(pod, node)
        where = f"{meta.namespace(pod)}/{meta.name(pod)}"
        self.recorder.event(pod, "Normal", "Scheduled", f"Successfully assigned {where} to {node}")

    def _refuse(self, pod: Obj, message: str) -> None:
        status = meta.copy(pod).get("status") or {}
        old = meta.condition(status.get("conditions"), "PodScheduled")
        if old is not None and old["status"] == "False" and old.get("message") == message:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
        }
        status["conditions"] = meta.with_condition(status.get("conditions"), condition, self.now())
        self.client.update("pods", {**meta.copy(pod), "status": status}, "status")
        self.recorder.event(pod, "Warning", "FailedScheduling", message)


def explain_volumes(total: int, problem: str) -> str:
    if not total:
        return "no nodes available to schedule pods"
    preemption = f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    return f"0/{total} nodes are available: {problem}. {preemption}"


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
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _is_bound(claim: Obj) -> bool:
    return bool(claim.get("status", {}).get("phase") == "Bound")
