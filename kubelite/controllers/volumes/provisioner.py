"""The provisioner behind `managed-nfs-storage`: a directory per claim, and what becomes of it afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.controllers.volumes import directories
from kubelite.controllers.volumes.binder import PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER
from kubelite.controllers.volumes.protection import has_finalizer, without
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Event, Recorder
from kubelite.registry.kinds.persistentvolume import storage_class_of

PROVISIONER = "fuseim.pri/ifs"
# A volume that is deleted before its claim goes only after its directory.
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
MODE = 0o777


class Provisioner(Controller):
    """Makes volumes for claims whose class names this provisioner."""

    name = "provisioner"

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        export: Path,
        server: str,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(client, recorder, now)
        self._export = export
        self._server = server

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumeclaims": own}

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        storage_class = None if claim is None else self._class_to_serve(claim)
        if claim is None or storage_class is None:
            return
        if (node := self._vanished_node(claim)) is not None:
            self._choose_again(claim, node)
        elif claim["spec"].get("volumeMode") == "Block":
            self._refuse(claim, f"{PROVISIONER} does not support block volume provisioning")
        else:
            self._provision(claim, storage_class)

    def _class_to_serve(self, claim: Obj) -> Obj | None:
        """The class of a claim that is to be provisioned here, now."""
        annotations = meta.annotations(claim)
        if meta.is_terminating(claim) or claim["spec"].get("volumeName"):
            return None
        if annotations.get(STORAGE_PROVISIONER) != PROVISIONER:
            return None
        if self.client.find("persistentvolumes", None, directories.volume_name(claim)) is not None:
            return None
        found = self.client.find("storageclasses", None, storage_class_of(claim) or "")
        delayed = found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"
        return None if delayed and not annotations.get(SELECTED_NODE) else found

    def _provision(self, claim: Obj, storage_class: Obj) -> None:
        where = f"{meta.namespace(claim)}/{meta.name(claim)}"
        message = f'External provisioner is provisioning volume for claim "{where}"'
        self.recorder.event(claim, "Normal", "Provisioning", message)
        try:
            path = self._make_directory(claim, storage_class)
        except (OSError, ValueError) as error:
            doing = "unable to create directory to provision new pv: " if isinstance(error, OSError) else ""
            why = f'failed to provision volume with StorageClass "{meta.name(storage_class)}": {doing}{error}'
            self._refuse(claim, why)
            raise
        made = self.client.create("persistentvolumes", self._volume(claim, storage_class, path))
        message = f"Successfully provisioned volume {meta.name(made)}"
        self.recorder.event(claim, "Normal", "ProvisioningSucceeded", message)

    def _refuse(self, claim: Obj, why: str) -> None:
        self.recorder.event(claim, "Warning", "ProvisioningFailed", why)

    def _vanished_node(self, claim: Obj) -> str | None:
        """The node that the scheduler chose, if there is no such node any more."""
        name = meta.annotations(claim).get(SELECTED_NODE)
        return name if name and self.client.find("nodes", None, name) is None else None

    def _choose_again(self, claim: Obj, node: str) -> None:
        self._refuse(claim, f'nodes "{node}" not found')
        new = meta.copy(claim)
        del new["metadata"]["annotations"][SELECTED_NODE]
        self.client.update("persistentvolumeclaims", new)

    def _make_directory(self, claim: Obj, storage_class: Obj) -> Path:
        if claim["spec"].get("selector") is not None:
            raise ValueError("claim Selector is not supported")
        pattern = (storage_class.get("parameters") or {}).get("pathPattern", "")
        path = self._export / directories.directory(claim, pattern)
        # Users may have put links below the directory of an earlier claim.
        if not path.resolve().is_relative_to(self._export.resolve()):
            raise ValueError(f"{path} leads out of the export directory")
        path.mkdir(parents=True, exist_ok=True)
        # mkdir's mode is cut by the umask; any user of any pod has to be able to write here.
        os.chmod(path, MODE)
        return path

    def _volume(self, claim: Obj, storage_class: Obj, path: Path) -> Obj:
        requests = (claim["spec"].get("resources") or {}).get("requests") or {}
        spec: Obj = {
            "capacity": {"storage": requests.get("storage", "0")},
            "accessModes": claim["spec"].get("accessModes", []),
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": meta.name(storage_class),
            "volumeMode": "Filesystem",
            "nfs": {"server": self._server, "path": str(path)},
            "claimRef": meta.reference(claim),
        }
        if options := storage_class.get("mountOptions"):
            spec["mountOptions"] = options
        metadata: Obj = {"name": directories.volume_name(claim), "annotations": {PROVISIONED_BY: PROVISIONER}}
        if spec["persistentVolumeReclaimPolicy"] == "Delete":
            metadata["finalizers"] = [FINALIZER]
        return {"metadata": metadata, "spec": spec}


class Reclaimer(Controller):
    """Deletes released volumes whose policy is Delete: the directory first, as the class says, then the object."""

    name = "reclaimer"

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        export: Path,
        remove: Callable[[Path], None] = shutil.rmtree,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(client, recorder, now)
        self._export = export
        self._remove = remove

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumes": own, "storageclasses": self._of_class}

    def _of_class(self, event: Event) -> Iterable[Key]:
        name = meta.name(event.object)
        return [
            (None, meta.name(volume))
            for volume in self.client.list("persistentvolumes")
            if storage_class_of(volume) == name
        ]

    async def reconcile(self, key: Key) -> None:
        volume = self.client.find("persistentvolumes", *key)
        if volume is not None and volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            self._let_go(volume)
            return
        if volume is None or not _is_due(volume):
            return
        try:
            if (doomed := self._set_aside(volume)) is not None:
                await asyncio.to_thread(self._remove, doomed)
        except (OSError, ValueError, LookupError) as error:
            self.recorder.event(volume, "Warning", "VolumeFailedDelete", str(error))
            raise
        if not meta.is_terminating(volume):
            self.client.delete("persistentvolumes", *key, uid=meta.uid(volume))
        if (left := self.client.find("persistentvolumes", *key)) is not None:
            self._let_go(left)

    def _let_go(self, volume: Obj) -> None:
        if has_finalizer(volume, FINALIZER):
            self.client.update("persistentvolumes", without(volume, FINALIZER))

    def _set_aside(self, volume: Obj) -> Path | None:
        """Archive the directory, or put it where it can be removed, which is the answer.

        It leaves its place before anything else happens: what a new claim of the same path writes there is its own.
        """
        path = Path(volume["spec"]["nfs"]["path"])
        doomed = directories.doomed_path(path, meta.name(volume))
        if not path.resolve().is_relative_to(self._export.resolve()) or path.resolve() == self._export.resolve():
            raise ValueError(f"{path} is not inside the export directory")
        fate = self._fate(volume) if path.exists() and not self._is_shared(path) else "retain"
        if fate == "archive":
            path.rename(directories.archive_path(self._export, path.name))
        elif fate == "delete" and not doomed.exists():
            path.rename(doomed)
        return doomed if doomed.exists() else None

    def _is_shared(self, path: Path) -> bool:
        """By a pattern of the class several claims may have one directory: the last of them takes it along."""
        others = [volume for volume in self.client.list("persistentvolumes") if not _is_due(volume)]
        used = [volume["spec"]["nfs"]["path"] for volume in others if volume["spec"].get("nfs")]
        return any(Path(one).is_relative_to(path) for one in used)

    def _fate(self, volume: Obj) -> directories.Fate:
        name = storage_class_of(volume) or ""
        found = self.client.find("storageclasses", None, name)
        if found is None:
            raise LookupError(f'storageclass.storage.k8s.io "{name}" not found')
        return directories.fate(found.get("parameters") or {})


def _is_due(volume: Obj) -> bool:
    return (
        (volume.get("status") or {}).get("phase") in ("Released", "Failed")
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and meta.annotations(volume).get(PROVISIONED_BY) == PROVISIONER
        and bool(volume["spec"].get("nfs"))
    )
