"""The persistent volume controller: binds claims to volumes, notices what was lost, releases and reclaims.

After upstream's `pkg/controller/volume/persistentvolume/pv_controller.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of, own
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.matching import BOUND_BY_CONTROLLER
from kubelite.controllers.volumes.protection import claims_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.registry.kinds.persistentvolume import storage_class_of
from kubelite.registry.kinds.storageclass import default_class

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
RESYNC = 15.0  # seconds, as upstream's
DATA_LOST = "Data on the volume is lost!"
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
        """The claim that it points to or pointed to before, which has it still; a free one is for all that wait."""
        volumes = (event.object,) if event.old is None else (event.old, event.object)
        refs = [ref for volume in volumes if (ref := volume["spec"].get("claimRef"))]
        claims = [(ref.get("namespace"), ref["name"]) for ref in refs]
        return claims if event.object["spec"].get("claimRef") else [*claims, *self._unbound()]

    def _unbound(self) -> list[Key]:
        return [
            key_of(claim)
            for claim in self.client.list("persistentvolumeclaims")
            if claim.get("status", {}).get("phase") != "Bound"
        ]

    def reconcile(self, key: Key) -> float | None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if claim is None:
            return None
        if BIND_COMPLETED in meta.annotations(claim):
            self._check_bound(claim)
            return None
        if not meta.is_terminating(claim):
            self._bind_or_wait(claim)
        return RESYNC  # what it waits for is told again and again, lest the events age out

    def _check_bound(self, claim: Obj) -> None:
        name = claim["spec"].get("volumeName", "")
        volume = self.client.find("persistentvolumes", None, name) if name else None
        ref = None if volume is None else volume["spec"].get("claimRef")
        if not name:
            self._lose(claim, "ClaimLost", "Bound claim has lost reference to PersistentVolume. " + DATA_LOST)
        elif volume is None:
            self._lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. " + DATA_LOST)
        elif not ref or ref.get("uid") == meta.uid(claim):
            self._bind(claim, volume)
        else:
            message = "Two claims are bound to the same volume, this one is bound incorrectly"
            self._lose(claim, "ClaimMisbound", message)

    def _lose(self, claim: Obj, reason: str, message: str) -> None:
        status = claim.get("status") or {}
        if status.get("phase") != "Lost":
            new = meta.copy(claim)
            kept = {key: value for key, value in status.items() if key not in ("accessModes", "capacity")}
            new["status"] = {**kept, "phase": "Lost"}
            self.client.update("persistentvolumeclaims", new, "status")
            self.recorder.event(claim, "Warning", reason, message)

    def _bind_or_wait(self, claim: Obj) -> None:
        if wanted := claim["spec"].get("volumeName"):
            self._bind_to_named(claim, wanted)
            return
        delayed = self._waits_for_consumer(claim)
        volume = matching.best(claim, self.client.list("persistentvolumes"), delayed=delayed)
        if volume is not None:
            self._bind(claim, volume)
        elif storage_class_of(claim) is None and (found := default_class(self.client.list("storageclasses"))):
            new = meta.copy(claim)
            new["spec"]["storageClassName"] = meta.name(found)
            self.client.update("persistentvolumeclaims", new)
        elif delayed and not meta.annotations(claim).get(SELECTED_NODE):
            self._tell_of_consumers(claim)
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

    def _waits_for_consumer(self, claim: Obj) -> bool:
        found = self.client.find("storageclasses", None, storage_class_of(claim) or "")
        return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"

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
        if meta.annotations(claim).get(STORAGE_PROVISIONER) != provisioner:
            new = meta.copy(claim)
            marks = {STORAGE_PROVISIONER: provisioner, BETA_STORAGE_PROVISIONER: provisioner}
            new["metadata"].setdefault("annotations", {}).update(marks)
            self.client.update("persistentvolumeclaims", new)
        elif (self.now() - meta.parse_time(claim["metadata"]["creationTimestamp"])).total_seconds() < RESYNC:
            return
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
        new = matching.reserved(volume, claim)
        if new is not volume:
            volume = self.client.update("persistentvolumes", new)
        if (volume.get("status") or {}).get("phase") != "Bound":
            volume = self.client.update("persistentvolumes", in_phase(volume, "Bound"), "status")
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
        elif not claim["spec"].get("volumeName"):
            if matching.modes_differ(volume, claim):
                self._complain_of_mode(volume, claim)
        elif claim["spec"]["volumeName"] == meta.name(volume):
            self._set_phase(volume, "Bound")
        else:
            self._release_misbound(volume)

    def _complain_of_mode(self, volume: Obj, claim: Obj) -> None:
        for about, what, whose in (
            (volume, "PersistentVolume", f'PersistentVolumeClaim "{meta.name(claim)}"'),
            (claim, f'PersistentVolume "{meta.name(volume)}"', "PersistentVolumeClaim"),
        ):
            text = f"Cannot bind {what} to requested {whose} due to incompatible volumeMode."
            self.recorder.event(about, "Warning", "VolumeMismatch", text)

    def _release_misbound(self, volume: Obj) -> None:
        """The claim went to another volume: this one is free again, or waits for the claim that its maker named."""
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if meta.annotations(volume).get(PROVISIONED_BY) and policy == "Delete":
            self._set_phase(volume, "Released")
            return
        self._set_phase(self.client.update("persistentvolumes", matching.unbound(volume)), "Available")

    def _set_phase(self, volume: Obj, phase: str) -> None:
        now = (volume.get("status") or {}).get("phase")
        if now != phase and not (phase == "Released" and now == "Failed"):
            self.client.update("persistentvolumes", in_phase(volume, phase), "status")


def in_phase(volume: Obj, phase: str, message: str = "") -> Obj:
    """The volume in another phase; when that was is the registry's to say."""
    new = meta.copy(volume)
    kept = {key: value for key, value in (volume.get("status") or {}).items() if key != "message"}
    new["status"] = {**kept, "phase": phase, **({"message": message} if message else {})}
    return new


def _finds_no_node(pod: Obj) -> bool:
    scheduled = meta.condition((pod.get("status") or {}).get("conditions"), "PodScheduled") or {}
    return not pod["spec"].get("nodeName") and scheduled.get("reason") == "Unschedulable"
