"""What becomes of released volumes that no provisioner has made. After upstream's reclaiming in `pv_controller.go`.

Upstream's hostPath plug-in deletes directories of /tmp, where the controller manager runs: in its own container, so
that the node's directory stays while the volume goes. So it is here. Its recycler runs on the node and empties the
directory, whatever it is; NFS volumes have one as well, which isn't here.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.binder import PROVISIONED_BY, in_phase
from kubelite.controllers.volumes.protection import claims_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder

_TEMPORARY = Path("/tmp")
_AGAIN = 15.0  # seconds until a volume in use is looked at again: upstream's period


class HandMadeReclaimer(Controller):
    name = "reclaimer-of-hand-made-volumes"

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        remove: Callable[[Path], None] = shutil.rmtree,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(client, recorder, now)
        self._remove = remove

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumes": own}

    async def reconcile(self, key: Key) -> float | None:
        volume = self.client.find("persistentvolumes", *key)
        if volume is None or (volume.get("status") or {}).get("phase") != "Released":
            return None
        if meta.is_terminating(volume) or meta.annotations(volume).get(PROVISIONED_BY):
            return None
        match volume["spec"].get("persistentVolumeReclaimPolicy"):
            case "Recycle":
                return await self._recycle(volume)
            case "Delete" if not volume["spec"].get("csi"):  # these are their driver's to delete
                self._delete(volume)
        return None

    async def _recycle(self, volume: Obj) -> float | None:
        source = volume["spec"].get("hostPath")
        if not source:
            self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
            return None
        if users := self._users(volume["spec"]["claimRef"]):
            text = f"Volume is used by pods: {','.join(users)}"
            self.recorder.event(volume, "Normal", "VolumeFailedRecycle", text)
            return _AGAIN
        try:
            await asyncio.to_thread(self._empty, Path(source["path"]))
        except OSError as error:
            self._fail(volume, "VolumeFailedRecycle", f"Recycle failed: {error}")
            return None
        self.recorder.event(volume, "Normal", "VolumeRecycled", "Volume recycled")
        free = self.client.update("persistentvolumes", matching.unbound(volume))
        self.client.update("persistentvolumes", in_phase(free, "Available"), "status")
        return None

    def _users(self, ref: Obj) -> list[str]:
        """Pods that still have the claim, though somebody has made it go; a new one of its name has another volume."""
        if self.client.find("persistentvolumeclaims", ref["namespace"], ref["name"]) is not None:
            return []
        found = [pod for pod in self.client.list("pods", ref["namespace"]) if ref["name"] in claims_of(pod)]
        active = [pod for pod in found if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
        return sorted(f"{meta.namespace(pod)}/{meta.name(pod)}" for pod in active)

    def _empty(self, directory: Path) -> None:
        for path in directory.iterdir() if directory.exists() else ():
            if path.is_dir() and not path.is_symlink():
                self._remove(path)
            else:
                path.unlink()

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
