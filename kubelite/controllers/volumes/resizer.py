"""Expansion: a bound claim that asks for more gets it.

After upstream's `pkg/controller/volume/expand`, which leaves it to others, kubernetes-csi/external-resizer, and the
kubelet's `pkg/volume/util/operationexecutor/node_expander.go`. Directories have no size, so there is nothing to do but
to say so. Whether the class allows it was decided at admission.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.binder import PROVISIONED_BY
from kubelite.controllers.volumes.protection import claims_of
from kubelite.controllers.volumes.provisioner import PROVISIONER
from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event

RESIZING = ("Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError")
ON_NODE = ("NodeResizePending", "NodeResizeInProgress")


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
    """One claim at a time; resizes volumes of the provisioner here: first the volume's capacity, then the claim's."""

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
        claim = self._told(claim, _in_progress(claim, wanted, self.now()))
        message = f"External resizer is resizing volume {meta.name(volume)}"
        self.recorder.event(claim, "Normal", "Resizing", message)
        if matching.capacity(volume) < matching.requested(claim):
            new = meta.copy(volume)
            new["spec"]["capacity"]["storage"] = wanted
            self.client.update("persistentvolumes", new)
        self._told(claim, _finished(claim, wanted))
        self.recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")

    def _told(self, claim: Obj, status: Obj) -> Obj:
        return self.client.update("persistentvolumeclaims", {**meta.copy(claim), "status": status}, "status")


class NodeExpander(Controller):
    """The kubelet's part: the claim of a local volume that was made larger has it when a pod here mounts it."""

    name = "volume-node-expand"

    def watches(self) -> Mapping[str, Mapper]:
        return {"persistentvolumeclaims": own, "persistentvolumes": self._of_volume, "pods": self._of_pod}

    @staticmethod
    def _of_volume(event: Event) -> Iterable[Key]:
        ref = event.object["spec"].get("claimRef")
        return [(ref["namespace"], ref["name"])] if ref and event.object["spec"].get("local") else []

    @staticmethod
    def _of_pod(event: Event) -> Iterable[Key]:
        pod = event.object
        return [(meta.namespace(pod), name) for name in (claims_of(pod) if _runs(pod) else ())]

    def reconcile(self, key: Key) -> None:
        claim = self.client.find("persistentvolumeclaims", *key)
        if claim is None or not _is_in_use(claim):
            return
        volume = self.client.find("persistentvolumes", None, claim["spec"].get("volumeName") or "")
        if volume is None or not volume["spec"].get("local") or not _grows_on_node(claim, matching.capacity(volume)):
            return
        pods = self.client.list("pods", key[0])
        if (pod := next((pod for pod in pods if _writes(pod, meta.name(claim))), None)) is not None:
            self._expand(claim, volume, pod)

    def _expand(self, claim: Obj, volume: Obj, pod: Obj) -> None:
        where = f'for volume "{meta.name(volume)}" {pod["spec"]["nodeName"]}'
        for about in (pod, claim):
            message = f"MountVolume.NodeExpandVolume succeeded {where}"
            self.recorder.event(about, "Normal", "FileSystemResizeSuccessful", message)
        status = _finished(claim, volume["spec"]["capacity"]["storage"])
        self.client.update("persistentvolumeclaims", {**meta.copy(claim), "status": status}, "status")


def _in_progress(claim: Obj, size: str, now: datetime) -> Obj:
    """The claim's status while the volume is being made larger."""
    status = claim["status"]
    condition = {"type": "Resizing", "status": "True", "lastProbeTime": None}
    return {
        **status,
        "conditions": meta.with_condition(status.get("conditions"), condition, now),
        "allocatedResources": {**(status.get("allocatedResources") or {}), "storage": size},
        "allocatedResourceStatuses": {
            **(status.get("allocatedResourceStatuses") or {}),
            "storage": "ControllerResizeInProgress",
        },
    }


def _finished(claim: Obj, size: str) -> Obj:
    """The claim's status once it has what it asked for; what was set aside for it remains on record."""
    status = {**claim["status"], "capacity": {**(claim["status"].get("capacity") or {}), "storage": size}}
    conditions = [entry for entry in status.pop("conditions", None) or () if entry["type"] not in RESIZING]
    statuses = {**(status.pop("allocatedResourceStatuses", None) or {})}
    statuses.pop("storage", None)
    left = {"conditions": conditions, "allocatedResourceStatuses": statuses}
    return status | {field: value for field, value in left.items() if value}


def _lacks(claim: Obj) -> bool:
    return _is_in_use(claim) and matching.requested(claim) > _capacity(claim)


def _is_in_use(claim: Obj) -> bool:
    return (claim.get("status") or {}).get("phase") == "Bound" and not meta.is_terminating(claim)


def _capacity(claim: Obj) -> int:
    return quantity.to_bytes((claim["status"].get("capacity") or {}).get("storage", 0))


def _grows_on_node(claim: Obj, size: int) -> bool:
    """A controller has left the rest to the node, or no controller has anything to do with it."""
    status = claim["status"]
    state = (status.get("allocatedResourceStatuses") or {}).get("storage")
    return state in ON_NODE or (state is None and not status.get("allocatedResources") and size > _capacity(claim))


def _writes(pod: Obj, claim: str) -> bool:
    """It runs, and mounts the claim for writing."""
    sources = [volume.get("persistentVolumeClaim") or {} for volume in pod["spec"].get("volumes") or ()]
    sealed = [source["claimName"] for source in sources if source.get("readOnly")]
    return _runs(pod) and claim in claims_of(pod) and claim not in sealed


def _runs(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") == "Running" and bool(pod["spec"].get("nodeName"))
