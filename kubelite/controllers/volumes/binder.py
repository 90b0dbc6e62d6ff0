"""The persistent volume controller: binds claims to volumes, notices what was lost, releases and reclaims.

After upstream's `pkg/controller/volume/persistentvolume/pv_controller.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of, own
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.protection import claims_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.registry.kinds.persistentvolume import storage_class_of
from kubelite.registry.kinds.storageclass import default_class

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
IN_TREE = "kubernetes.io/"  # provisioners that would be part of the control plane; there are none


class ClaimBinder(Controller):
    """One claim at a time."""

    name = "persistentvolume-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {
            "persistentvolumeclaims": own,
            "persistentvolumes": self._of_volume,
            "storageclasses": lambda event: self._unbound(),
            "pods": self._of_pod,
        }

    @staticmethod
    def _of_pod(event: Event) -> Iterable[Key]:
        """One that finds no node may be the consumer that a claim waits for."""
        pod = event.object
        return [(meta.namespace(pod), name) for name in claims_of(pod)] if _finds_no_node(pod) else []

    def _of_volume(self, event: Event) -> Iterable[Key]:
        ref = event.object["spec"].get("claimRef")
        if ref:
            return [(ref.get("namespace"), ref["name"])]
        return self._unbound()

    def _unbound(self) -> list[Key]:
        return [
            key_of(claim)
            for claim in self.client.list("persistentvolumeclaims")
            if claim.get("status", {}).get("phase") != "Bound"
        ]

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if claim is None:
            return
        if meta.annotations(claim).get(BIND_COMPLETED):
            self._check_bound(claim)
        elif not meta.is_terminating(claim):
            self._bind_or_wait(claim)

    def _check_bound(self, claim: Obj) -> None:
        name = claim["spec"].get("volumeName", "")
        volume = self.client.find("persistentvolumes", None, name) if name else None
        if volume is None:
            self._lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
        elif not volume["spec"].get("claimRef") or matching.refers_to(volume, claim):
            self._bind(claim, volume)
        else:
            message = "Two claims are bound to the same volume, this one is bound incorrectly"
            self._lose(claim, "ClaimMisbound", message)

    def _lose(self, claim: Obj, reason: str, message: str) -> None:
        if claim.get("status", {}).get("phase") != "Lost":
            self._set_status(claim, {"phase": "Lost"})
            self.recorder.event(claim, "Warning", reason, message)

    def _bind_or_wait(self, claim: Obj) -> None:
        if wanted := claim["spec"].get("volumeName"):
            self._bind_to_named(claim, wanted)
            return
        volume = matching.best(claim, self._in_reach(claim))
        if volume is not None and not (self._delayed(claim) and not volume["spec"].get("claimRef")):
            self._bind(claim, volume)
        elif storage_class_of(claim) is None and (found := default_class(self.client.list("storageclasses"))):
            new = meta.copy(claim)
            new["spec"]["storageClassName"] = meta.name(found)
            self.client.update("persistentvolumeclaims", new)
        elif self._delayed(claim):
            self._tell_of_consumers(claim)
        elif volume is not None:
            self._bind(claim, volume)
        elif storage_class_of(claim):
            self._ask_provisioner(claim)
        else:
            message = "no persistent volumes available for this claim and no storage class is set"
            self.recorder.event(claim, "Normal", "FailedBinding", message)

    def _tell_of_consumers(self, claim: Obj) -> None:
        pods = self.client.list("pods", meta.namespace(claim))
        waiting = [pod for pod in pods if _finds_no_node(pod) and meta.name(claim) in claims_of(pod)]
        if not waiting:
            message = "waiting for first consumer to be created before binding"
            self.recorder.event(claim, "Normal", "WaitForFirstConsumer", message)
            return
        names = ",".join(meta.name(pod) for pod in waiting)
        message = f"waiting for pod{'s' if len(waiting) > 1 else ''} {names} to be scheduled"
        self.recorder.event(claim, "Normal", "WaitForPodScheduled", message)

    def _in_reach(self, claim: Obj) -> list[Obj]:
        """Volumes for the node that the scheduler has chosen, if it has."""
        volumes = self.client.list("persistentvolumes")
        node = self.client.find("nodes", None, meta.annotations(claim).get(SELECTED_NODE, ""))
        return volumes if node is None else [volume for volume in volumes if matching.reaches(volume, node)]

    def _delayed(self, claim: Obj) -> bool:
        found = self.client.find("storageclasses", None, storage_class_of(claim) or "")
        waits = found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"
        return waits and not meta.annotations(claim).get(SELECTED_NODE)

    def _bind_to_named(self, claim: Obj, name: str) -> None:
        volume = self.client.find("persistentvolumes", None, name)
        if volume is None:
            return
        if matching.refers_to(volume, claim):
            self._bind(claim, volume)
        elif volume["spec"].get("claimRef"):
            message = f'volume "{name}" already bound to a different claim.'
            self.recorder.event(claim, "Warning", "FailedBinding", message)
        elif why := matching.mismatch(volume, claim):
            message = f'Cannot bind to requested volume "{name}": {why}'
            self.recorder.event(claim, "Warning", "VolumeMismatch", message)
        else:
            self._bind(claim, volume)

    def _ask_provisioner(self, claim: Obj) -> None:
        name = storage_class_of(claim) or ""
        found = self.client.find("storageclasses", None, name)
        if found is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        provisioner = found["provisioner"]
        if provisioner.startswith(IN_TREE):
            message = f"no volume plugin matched name: {provisioner}"
            self.recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        if meta.annotations(claim).get(STORAGE_PROVISIONER) == provisioner:
            return
        new = meta.copy(claim)
        marks = {STORAGE_PROVISIONER: provisioner, BETA_STORAGE_PROVISIONER: provisioner}
        new["metadata"].setdefault("annotations", {}).update(marks)
        self.client.update("persistentvolumeclaims", new)
        message = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
            "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
            "correctly registered."
        )
        self.recorder.event(claim, "Normal", "ExternalProvisioning", message)

    # binding, in upstream's order: the volume first, so that a crash in between can be told from a free volume

    def _bind(self, claim: Obj, volume: Obj) -> None:
        volume = self._point_to_claim(volume, claim)
        claim = self._point_to_volume(claim, volume)
        status = {"phase": "Bound", "accessModes": volume["spec"].get("accessModes", [])}
        if (claim.get("status") or {}).get("phase") != "Bound":  # what a bound one has is the resizer's to say
            status["capacity"] = volume["spec"]["capacity"]
        self._set_status(claim, status)

    def _point_to_claim(self, volume: Obj, claim: Obj) -> Obj:
        ref = volume["spec"].get("claimRef")
        if ref is None or ref.get("uid") != meta.uid(claim):
            new = meta.copy(volume)
            if ref is None:
                new["metadata"].setdefault("annotations", {})[BOUND_BY_CONTROLLER] = "yes"
            new["spec"]["claimRef"] = meta.reference(claim)
            volume = self.client.update("persistentvolumes", new)
        if volume.get("status", {}).get("phase") != "Bound":
            status = {"phase": "Bound", "lastPhaseTransitionTime": meta.format_time(self.now())}
            volume = self.client.update("persistentvolumes", {**meta.copy(volume), "status": status}, "status")
        return volume

    def _point_to_volume(self, claim: Obj, volume: Obj) -> Obj:
        if claim["spec"].get("volumeName") == meta.name(volume) and meta.annotations(claim).get(BIND_COMPLETED):
            return claim
        new = meta.copy(claim)
        annotations = new["metadata"].setdefault("annotations", {})
        annotations[BIND_COMPLETED] = "yes"
        if not claim["spec"].get("volumeName"):
            annotations[BOUND_BY_CONTROLLER] = "yes"
        new["spec"]["volumeName"] = meta.name(volume)
        return self.client.update("persistentvolumeclaims", new)

    def _set_status(self, claim: Obj, status: Obj) -> None:
        new = meta.copy(claim)
        new["status"] = {**(new.get("status") or {}), **status}
        self.client.update("persistentvolumeclaims", new, "status")


class VolumeController(Controller):
    """One volume at a time: its phase, and its release when its claim is gone."""

    name = "persistentvolume-phase-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumes": own, "persistentvolumeclaims": self._of_claim}

    def _of_claim(self, event: Event) -> Iterable[Key]:
        name = event.object["spec"].get("volumeName")
        reserved = [
            key_of(volume)
            for volume in (self.client.list("persistentvolumes") if event.type == "DELETED" else ())
            if matching.refers_to(volume, event.object)
        ]
        return [*reserved, *([(None, name)] if name else [])]

    def reconcile(self, key: Key) -> None:
        volume = self.client.find("persistentvolumes", *key)
        if volume is None:
            return
        ref = volume["spec"].get("claimRef")
        if not ref or not ref.get("uid"):
            self._set_phase(volume, "Available")
            return
        claim = self.client.find("persistentvolumeclaims", ref["namespace"], ref["name"])
        if claim is None or meta.uid(claim) != ref["uid"]:
            self._set_phase(volume, "Released")
        elif claim["spec"].get("volumeName") not in (None, "", meta.name(volume)):
            self._release_misbound(volume)
        elif not claim["spec"].get("volumeName") and _mode(claim) != _mode(volume):
            self._complain_of_mode(volume, claim)
        elif claim.get("status", {}).get("phase") == "Bound":
            self._set_phase(volume, "Bound")

    def _complain_of_mode(self, volume: Obj, claim: Obj) -> None:
        text = (
            f'Cannot bind PersistentVolume "{meta.name(volume)}" to requested PersistentVolumeClaim '
            f'"{meta.name(claim)}" due to incompatible volumeMode.'
        )
        for about in (volume, claim):
            self.recorder.event(about, "Warning", "VolumeMismatch", text)

    def _release_misbound(self, volume: Obj) -> None:
        """The claim went to another volume: one we had reserved or made ourselves becomes free again."""
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if meta.annotations(volume).get(PROVISIONED_BY) and policy == "Delete":
            self._set_phase(volume, "Released")
            return
        if meta.annotations(volume).get(BOUND_BY_CONTROLLER):
            new = meta.copy(volume)
            del new["metadata"]["annotations"][BOUND_BY_CONTROLLER]
            del new["spec"]["claimRef"]
            self._set_phase(self.client.update("persistentvolumes", new), "Available")

    def _set_phase(self, volume: Obj, phase: str) -> None:
        status = volume.get("status") or {}
        if status.get("phase") != phase and not (phase == "Released" and status.get("phase") == "Failed"):
            changed = {"phase": phase, "lastPhaseTransitionTime": meta.format_time(self.now())}
            self.client.update("persistentvolumes", {**meta.copy(volume), "status": changed}, "status")


def _mode(obj: Obj) -> str:
    return str(obj["spec"].get("volumeMode") or "Filesystem")


def _finds_no_node(pod: Obj) -> bool:
    scheduled = meta.condition((pod.get("status") or {}).get("conditions"), "PodScheduled") or {}
    return not pod["spec"].get("nodeName") and scheduled.get("reason") == "Unschedulable"
