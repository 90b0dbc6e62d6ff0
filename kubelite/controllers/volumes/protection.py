"""What is in use isn't deleted: the protection finalizers of claims and volumes.

After upstream's `pvcprotection` and `pvprotection`: whoever takes a finalizer off what isn't being deleted gets it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.registry.kinds.persistentvolume import PROTECTION as OF_VOLUMES
from kubelite.registry.kinds.persistentvolume import with_finalizer
from kubelite.registry.kinds.persistentvolumeclaim import PROTECTION as OF_CLAIMS


def claims_of(pod: Obj) -> list[str]:
    """Names of the claims a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
    return named + [f"{meta.name(pod)}-{volume['name']}" for volume in volumes if volume.get("ephemeral")]


def protected(obj: Obj, finalizer: str) -> Obj:
    new = meta.copy(obj)
    with_finalizer(new, finalizer)
    return new


def has_finalizer(obj: Obj, finalizer: str) -> bool:
    return finalizer in (obj["metadata"].get("finalizers") or ())


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
        if claim is None:
            return
        held = has_finalizer(claim, OF_CLAIMS)
        if not held and not meta.is_terminating(claim):
            self.client.update("persistentvolumeclaims", protected(claim, OF_CLAIMS))
        elif held and meta.is_terminating(claim) and not self._is_used(claim):
            self.client.update("persistentvolumeclaims", without(claim, OF_CLAIMS))

    def _is_used(self, claim: Obj) -> bool:
        return any(_uses(pod, claim) for pod in self.client.list("pods", meta.namespace(claim)))


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
        if volume is None:
            return
        held, bound = has_finalizer(volume, OF_VOLUMES), (volume.get("status") or {}).get("phase") == "Bound"
        if not held and not meta.is_terminating(volume):
            self.client.update("persistentvolumes", protected(volume, OF_VOLUMES))
        elif held and meta.is_terminating(volume) and not bound:
            self.client.update("persistentvolumes", without(volume, OF_VOLUMES))
