"""Generic ephemeral volumes: a claim per volume, owned by its pod. After upstream's `pkg/controller/volume/ephemeral`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event


def claim_name(pod: Obj, volume: Obj) -> str:
    return f"{meta.name(pod)}-{volume['name']}"


def foreign(pod: Obj, claim: Obj) -> str:
    """Why the claim that has the name isn't the pod's; empty when it is."""
    if meta.is_controlled_by(claim, pod):
        return ""
    of_claim, of_pod = (f"{meta.namespace(obj)}/{meta.name(obj)}" for obj in (claim, pod))
    return f"PVC {of_claim} was not created for pod {of_pod} (pod is not owner)"


def claim_of(pod: Obj, volume: Obj) -> Obj:
    template = volume["ephemeral"]["volumeClaimTemplate"]
    given = template.get("metadata") or {}
    metadata = {key: given[key] for key in ("labels", "annotations") if given.get(key)}
    metadata |= {
        "name": claim_name(pod, volume),
        "namespace": meta.namespace(pod),
        "ownerReferences": [meta.owner_reference(pod)],
    }
    return {"metadata": metadata, "spec": template["spec"]}


class EphemeralVolumes(Controller):
    name = "ephemeral-volume-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"pods": own, "persistentvolumeclaims": self._of_claim}

    def _of_claim(self, event: Event) -> Iterable[Key]:
        """A claim that is gone may have been in a pod's way, or has to be made anew."""
        if event.type != "DELETED":
            return []
        pods = self.client.list("pods", meta.namespace(event.object))
        name = meta.name(event.object)
        return [
            (meta.namespace(pod), meta.name(pod))
            for pod in pods
            if any(claim_name(pod, v) == name for v in _wanted(pod))
        ]

    def reconcile(self, key: Key) -> None:
        pod = self.client.find("pods", *key)
        if pod is None or meta.is_terminating(pod):
            return
        for volume in _wanted(pod):
            claim = self.client.find("persistentvolumeclaims", key[0], claim_name(pod, volume))
            if claim is None:
                self._create(pod, volume)
            elif problem := foreign(pod, claim):
                self._complain(pod, volume, problem)

    def _create(self, pod: Obj, volume: Obj) -> None:
        try:
            self.client.create("persistentvolumeclaims", claim_of(pod, volume))
        except StatusError as error:
            self._complain(pod, volume, f"create PVC {claim_name(pod, volume)}: {error}")
            raise

    def _complain(self, pod: Obj, volume: Obj, problem: str) -> None:
        self.recorder.event(pod, "Warning", "FailedBinding", f"ephemeral volume {volume['name']}: {problem}")


def _wanted(pod: Obj) -> list[Obj]:
    return [volume for volume in pod["spec"].get("volumes") or () if volume.get("ephemeral")]
