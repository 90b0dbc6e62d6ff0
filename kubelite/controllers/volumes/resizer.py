"""Expansion: a bound claim that asks for more gets it. After kubernetes-csi/external-resizer.

The provisioner's directories have no size, so there is nothing to do but to say so: the volume's capacity first, then
the claim's. Whether the class allows it was decided at admission.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.binder import PROVISIONED_BY
from kubelite.controllers.volumes.provisioner import PROVISIONER
from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj

EXPANSION = ("Resizing", "FileSystemResizePending")


class Resizer(Controller):
    name = "resizer"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumeclaims": own}

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if claim is None or meta.is_terminating(claim) or not _lacks(claim):
            return
        volume = self.client.find("persistentvolumes", None, claim["spec"].get("volumeName") or "")
        if volume is None or meta.annotations(volume).get(PROVISIONED_BY) != PROVISIONER:
            return
        wanted = claim["spec"]["resources"]["requests"]["storage"]
        message = f"External resizer is resizing volume {meta.name(volume)}"
        self.recorder.event(claim, "Normal", "Resizing", message)
        if matching.capacity(volume) < matching.requested(claim):
            new = meta.copy(volume)
            new["spec"]["capacity"]["storage"] = wanted
            self.client.update("persistentvolumes", new)
        self._grow(claim, wanted)
        self.recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")

    def _grow(self, claim: Obj, wanted: str) -> None:
        new = meta.copy(claim)
        status = new["status"]
        status["capacity"] = {**status.get("capacity", {}), "storage": wanted}
        conditions = [entry for entry in status.pop("conditions", None) or () if entry["type"] not in EXPANSION]
        if conditions:
            status["conditions"] = conditions
        self.client.update("persistentvolumeclaims", new, "status")


def _lacks(claim: Obj) -> bool:
    status = claim.get("status") or {}
    if status.get("phase") != "Bound":
        return False
    return matching.requested(claim) > quantity.to_bytes((status.get("capacity") or {}).get("storage", 0))
