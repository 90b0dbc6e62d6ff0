"""Expansion: a bound claim that asks for more gets it.

After upstream's `pkg/controller/volume/expand`, which leaves it to others, and kubernetes-csi/external-resizer. The
provisioner's directories have no size, so there is nothing to do but to say so: the volume's capacity first, then
the claim's, which is `Resizing` meanwhile. No node has anything to do, so that `FileSystemResizePending` is no claim's
condition. Whether the class allows it was decided at admission.
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


class Expander(Controller):
    """One claim at a time; says that it can't, as no plug-in of the control plane's own can."""

    name = "volume_expand"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumeclaims": own}

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if claim is not None and _lacks(claim):
            told = "waiting for an external controller to expand this PVC"
            self.recorder.event(claim, "Normal", "ExternalExpanding", told)


class Resizer(Controller):
    """One claim at a time; resizes volumes of the provisioner here."""

    name = "resizer"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumeclaims": own}

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if claim is None or not _lacks(claim):
            return
        volume = self.client.find("persistentvolumes", None, claim["spec"].get("volumeName") or "")
        if volume is not None and meta.annotations(volume).get(PROVISIONED_BY) == PROVISIONER:
            self._resize(claim, volume)

    def _resize(self, claim: Obj, volume: Obj) -> None:
        wanted = claim["spec"]["resources"]["requests"]["storage"]
        condition = {"type": "Resizing", "status": "True", "lastProbeTime": None}
        claim = self._told(claim, meta.with_condition(claim["status"].get("conditions"), condition, self.now()))
        message = f"External resizer is resizing volume {meta.name(volume)}"
        self.recorder.event(claim, "Normal", "Resizing", message)
        if matching.capacity(volume) < matching.requested(claim):
            new = meta.copy(volume)
            new["spec"]["capacity"]["storage"] = wanted
            self.client.update("persistentvolumes", new)
        left = [entry for entry in claim["status"]["conditions"] if entry["type"] not in EXPANSION]
        self._told(claim, left, {"capacity": {**claim["status"].get("capacity", {}), "storage": wanted}})
        self.recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")

    def _told(self, claim: Obj, conditions: list[Obj], more: Obj | None = None) -> Obj:
        new = meta.copy(claim)
        new["status"] = {**claim["status"], "conditions": conditions, **(more or {})}
        if not conditions:
            del new["status"]["conditions"]
        return self.client.update("persistentvolumeclaims", new, "status")


def _lacks(claim: Obj) -> bool:
    status = claim.get("status") or {}
    if status.get("phase") != "Bound" or meta.is_terminating(claim):
        return False
    return matching.requested(claim) > quantity.to_bytes((status.get("capacity") or {}).get("storage", 0))
