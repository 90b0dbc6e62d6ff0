"""What becomes of released volumes that no provisioner has made. After upstream's reclaiming in `pv_controller.go`.

Upstream's hostPath plug-in deletes directories of /tmp, where the controller manager runs: in its own container, so
that the node's directory stays while the volume goes. So it is here; and nothing is ever recycled.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.controllers.volumes.binder import PROVISIONED_BY, in_phase
from kubelite.objects import meta
from kubelite.objects.meta import Obj

_TEMPORARY = Path("/tmp")


class HandMadeReclaimer(Controller):
    name = "reclaimer-of-hand-made-volumes"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumes": own}

    def reconcile(self, key: Key) -> None:
        volume = self.client.find("persistentvolumes", *key)
        if volume is None or (volume.get("status") or {}).get("phase") != "Released":
            return
        if meta.is_terminating(volume) or meta.annotations(volume).get(PROVISIONED_BY):
            return
        match volume["spec"].get("persistentVolumeReclaimPolicy"):
            case "Recycle":
                self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
            case "Delete" if not volume["spec"].get("csi"):  # these are their driver's to delete
                self._delete(volume)

    def _delete(self, volume: Obj) -> None:
        name, source = meta.name(volume), volume["spec"].get("hostPath")
        if not source:
            text = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
            self._fail(volume, "VolumeFailedDelete", text)
            return
        path = Path(source["path"])
        if path == _TEMPORARY or not path.is_relative_to(_TEMPORARY):
            text = f"host_path deleter only supports /tmp/.+ but received provided {path}"
            self._fail(volume, "VolumeFailedDelete", text)
            return
        self.client.delete("persistentvolumes", None, name, uid=meta.uid(volume))

    def _fail(self, volume: Obj, reason: str, message: str) -> None:
        self.client.update("persistentvolumes", in_phase(volume, "Failed", message), "status")
        self.recorder.event(volume, "Warning", reason, message)
