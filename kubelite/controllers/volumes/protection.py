"""What is in use isn't deleted: the protection finalizers of claims and volumes (upstream's `pvcprotection`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event

PVC_FINALIZER = "kubernetes.io/pvc-protection"
PV_FINALIZER = "kubernetes.io/pv-protection"


def claims_of(pod: Obj) -> list[str]:
    """Names of the claims a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
    return named + [f"{meta.name(pod)}-{volume['name']}" for volume in volumes if volume.get("ephemeral")]


def without(obj: Obj, finalizer: str) -> Obj:
    new = meta.copy(obj)
    new["metadata"]["finalizers"] = [one for one in new["metadata"]["finalizers"] if one != finalizer]
    if not new["metadata"]["finalizers"]:
        del new["metadata"]["finalizers"]
    return new


class ClaimProtection(Controller):
    name = "persistentvolumeclaim-protection-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumeclaims": own, "pods": self._of_pod}

    @staticmethod
    def _of_pod(event: Event) -> Iterable[Key]:
        return [(meta.namespace(event.object), name) for name in claims_of(event.object)]

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if (
            claim is None
            or not meta.is_terminating(claim)
            or PVC_FINALIZER not in claim["metadata"].get("finalizers", ())
        ):
            return
        if not any(_uses(pod, claim) for pod in self.client.list("pods", key[0])):
            self.client.update("persistentvolumeclaims", without(claim, PVC_FINALIZER))


def _uses(pod: Obj, claim: Obj) -> bool:
    """A pod that has a node keeps its claims, also when it is finished; its own ephemeral ones until it is shut down."""
    if not pod["spec"].get("nodeName"):
        return False
    if meta.is_controlled_by(claim, pod):
        return not (meta.is_terminating(pod) and pod["metadata"].get("deletionGracePeriodSeconds") == 0)
    volumes = pod["spec"].get("volumes") or ()
    return any((v.get("persistentVolumeClaim") or {}).get("claimName") == meta.name(claim) for v in volumes)


class VolumeProtection(Controller):
    name = "persistentvolume-protection-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumes": own}

    def reconcile(self, key: Key) -> None:
        volume = self.client.find("persistentvolumes", *key)
        if volume is None or not meta.is_terminating(volume):
            return
        if PV_FINALIZER in volume["metadata"].get("finalizers", ()) and volume["status"].get("phase") != "Bound":
            self.client.update("persistentvolumes", without(volume, PV_FINALIZER))
