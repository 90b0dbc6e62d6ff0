"""What becomes of released volumes that no provisioner has made. After upstream's reclaiming in `pv_controller.go`.

Only directories of this machine's /tmp can be deleted, as by upstream's hostPath plug-in; nothing is ever recycled.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.controllers.volumes.binder import PROVISIONED_BY
from kubelite.objects import meta
from kubelite.objects.meta import Obj


class HandMadeReclaimer(Controller):
    name = "reclaimer-of-hand-made-volumes"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumes": own}

    async def reconcile(self, key: Key) -> None:
        volume = self.client.find("persistentvolumes", *key)
        if volume is None or (volume.get("status") or {}).get("phase") != "Released":
            return
        if meta.is_terminating(volume) or meta.annotations(volume).get(PROVISIONED_BY):
            return
        match volume["spec"].get("persistentVolumeReclaimPolicy"):
            case "Recycle":
                self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
            case "Delete":
                await self._delete(volume)

    async def _delete(self, volume: Obj) -> None:
        name, source = meta.name(volume), volume["spec"].get("hostPath")
        if not source:
            text = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
            self._fail(volume, "VolumeFailedDelete", text)
            return
        path = Path(source["path"])
        if not _may_go(path):
            text = f"host_path deleter only supports /tmp/.+ but received provided {path}"
            self._fail(volume, "VolumeFailedDelete", text)
            return
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        self.client.delete("persistentvolumes", None, name, uid=meta.uid(volume))

    def _fail(self, volume: Obj, reason: str, message: str) -> None:
        status = {"phase": "Failed", "message": message, "lastPhaseTransitionTime": meta.format_time(self.now())}
        self.client.update("persistentvolumes", {**meta.copy(volume), "status": status}, "status")
        self.recorder.event(volume, "Warning", reason, message)


def _may_go(path: Path) -> bool:
    real = path.resolve()
    return real != Path("/tmp") and real.is_relative_to("/tmp")
