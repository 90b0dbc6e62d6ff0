"""Ephemeral volumes, expansion, ReadWriteOncePod, volumes that only some nodes have, claims that pods keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubelite.bootstrap import STORAGE_CLASS
from kubelite.controllers.scheduler.controller import Scheduler
from kubelite.controllers.volumes.binder import ClaimBinder, VolumeController
from kubelite.controllers.volumes.ephemeral import EphemeralVolumes
from kubelite.controllers.volumes.protection import ClaimProtection, VolumeProtection
from kubelite.controllers.volumes.provisioner import Provisioner
from kubelite.controllers.volumes.resizer import Expander, NodeExpander, Resizer
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded
from tests.unit.controllers.test_scheduler import message, node, where
from tests.unit.controllers.volume_objects import claim, found, storage_class, volume


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded, tmp_path: Path) -> Controllers:
    return Controllers(
        registry,
        ClaimBinder(registry, recorded),
        VolumeController(registry, recorded),
        Provisioner(registry, recorded, tmp_path, "172.30.0.1"),
        Expander(registry, recorded),
        Resizer(registry, recorded),
        NodeExpander(registry, recorded),
        EphemeralVolumes(registry, recorded),
        ClaimProtection(registry, recorded),
        Scheduler(registry, recorded),
    )


def pod(registry: Registry, name: str, *volumes: Obj) -> Obj:
    spec = {"containers": [{"name": "c", "image": "httpd"}], "volumes": list(volumes)}
    return registry.create("pods", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def using(name: str) -> Obj:
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}


def ephemeral(**spec: Any) -> Obj:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}, **spec}
    template = {"metadata": {"labels": {"of": "template"}}, "spec": asked}
    return {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}


def finish(registry: Registry, name: str) -> None:
    made = registry.get("pods", "default", name)
    registry.update("pods", {**made, "status": {**made["status"], "phase": "Succeeded"}}, "status")


def test_ephemeral_volume_gets_a_claim_that_its_pod_owns(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    storage_class(registry, default=True)
    owner = pod(registry, "web", ephemeral())
    controllers.settle()
    made = found(registry, "web-scratch")
    assert meta.is_controlled_by(made, owner)
    assert meta.labels(made) == {"of": "template"}
    assert made["status"]["phase"] == "Bound"
    assert where(registry) == "node"


def test_ephemeral_volume_does_not_take_a_claim_of_the_name(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    node(registry)
    storage_class(registry, default=True)
    claim(registry, "web-scratch")
    pod(registry, "web", ephemeral())
    controllers.settle()
    problem = "PVC default/web-scratch was not created for pod default/web (pod is not owner)"
    assert ("FailedBinding", f"ephemeral volume scratch: {problem}") in recorded.events
    assert problem in message(registry)


def grow(registry: Registry, size: str, name: str = "data") -> None:
    wanted = {"spec": {"resources": {"requests": {"storage": size}}}}
    registry.patch("persistentvolumeclaims", "default", name, wanted)


def test_claim_grows_with_its_volume_when_the_class_allows(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    storage_class(registry, default=True, allowVolumeExpansion=True)
    claim(registry)
    controllers.settle()
    grow(registry, "1Gi")
    controllers.settle()
    grown = found(registry)
    assert grown["status"]["capacity"] == {"storage": "1Gi"}
    assert grown["status"]["allocatedResources"] == {"storage": "1Gi"}
    assert grown["status"].keys().isdisjoint({"conditions", "allocatedResourceStatuses"})
    volume = registry.get("persistentvolumes", None, grown["spec"]["volumeName"])
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}
    assert recorded.events[-3:] == [
        ("ExternalExpanding", "waiting for an external controller to expand this PVC"),
        ("Resizing", f"External resizer is resizing volume {meta.name(volume)}"),
        ("VolumeResizeSuccessful", "Resize volume succeeded"),
    ]


def in_status(registry: Registry, **status: Any) -> None:
    now = found(registry)
    registry.update("persistentvolumeclaims", {**now, "status": {**now["status"], **status}}, "status")


def test_expansion_that_was_interrupted_is_finished(registry: Registry, controllers: Controllers) -> None:
    storage_class(registry, default=True, allowVolumeExpansion=True)
    claim(registry)
    controllers.settle()
    condition = {"type": "Resizing", "status": "True"}
    sleeping = {"type": "ModifyingVolume", "status": "False"}
    in_status(
        registry,
        conditions=[condition, sleeping],
        allocatedResources={"storage": "1Gi"},
        allocatedResourceStatuses={"storage": "ControllerResizeInProgress", "example.com/x": "NodeResizePending"},
    )
    volume = registry.get("persistentvolumes", None, found(registry)["spec"]["volumeName"])
    registry.update("persistentvolumes", {**volume, "spec": {**volume["spec"], "capacity": {"storage": "1Gi"}}})
    grow(registry, "1Gi")
    controllers.settle()
    status = found(registry)["status"]
    assert status["capacity"] == status["allocatedResources"] == {"storage": "1Gi"}
    assert [entry["type"] for entry in status["conditions"]] == ["ModifyingVolume"]
    assert status["allocatedResourceStatuses"] == {"example.com/x": "NodeResizePending"}


@pytest.mark.parametrize("pending", [{}, {"allocatedResourceStatuses": {"storage": "NodeResizePending"}}])
def test_local_volume_that_was_made_larger_is_the_claims_once_a_pod_has_mounted_it(
    registry: Registry, controllers: Controllers, recorded: Recorded, pending: Obj
) -> None:
    local_volume(registry)
    pod(registry, "web", using("data"))
    registry.patch("persistentvolumes", None, "pv", {"spec": {"capacity": {"storage": "2Gi"}}})
    in_status(registry, conditions=[{"type": "FileSystemResizePending", "status": "True"}], **pending)
    controllers.settle()
    assert found(registry)["status"]["capacity"] == {"storage": "1Gi"}
    run(registry, "web")
    controllers.settle()
    status = found(registry)["status"]
    assert status["capacity"] == {"storage": "2Gi"}
    assert status.keys().isdisjoint({"conditions", "allocatedResourceStatuses"})
    told = 'MountVolume.NodeExpandVolume succeeded for volume "pv" node'
    assert recorded.events[-2:] == [("FileSystemResizeSuccessful", told)] * 2  # of the pod and of the claim


@pytest.mark.parametrize(
    ("mounted", "status"),
    [
        ({"claimName": "data", "readOnly": True}, {}),
        ({"claimName": "data"}, {"allocatedResourceStatuses": {"storage": "ControllerResizeInProgress"}}),
        ({"claimName": "data"}, {"allocatedResources": {"storage": "1Gi"}}),
    ],
)
def test_local_volume_does_not_grow_for_readers_nor_while_a_controller_is_at_it(
    registry: Registry, controllers: Controllers, mounted: Obj, status: Obj
) -> None:
    local_volume(registry)
    in_status(registry, **status)
    pod(registry, "web", {"name": "data", "persistentVolumeClaim": mounted})
    controllers.settle()
    run(registry, "web")
    registry.patch("persistentvolumes", None, "pv", {"spec": {"capacity": {"storage": "2Gi"}}})
    controllers.settle()
    assert found(registry)["status"]["capacity"] == {"storage": "1Gi"}


def local_volume(registry: Registry) -> None:
    """Bound to the claim `data`; pods find their node."""
    node(registry)
    storage_class(registry, allowVolumeExpansion=True)
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    made = claim(registry, storageClassName=STORAGE_CLASS, volumeName="pv")
    spec = {"storageClassName": STORAGE_CLASS, "local": {"path": "/x"}, "nodeAffinity": affinity, "hostPath": None}
    volume(registry, "pv", claimRef=meta.reference(made), **spec)
    marks = {"pv.kubernetes.io/bind-completed": "yes"}
    registry.update("persistentvolumeclaims", {**made, "metadata": {**made["metadata"], "annotations": marks}})
    in_status(registry, phase="Bound", capacity={"storage": "1Gi"}, accessModes=["ReadWriteOnce"])


def run(registry: Registry, name: str) -> None:
    made = registry.get("pods", "default", name)
    registry.update("pods", {**made, "status": {**made["status"], "phase": "Running"}}, "status")


def test_claim_of_a_volume_that_nobody_expands_waits(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    storage_class(registry, allowVolumeExpansion=True)
    volume(registry, "pv", storageClassName=STORAGE_CLASS)
    controllers.settle()
    claim(registry, storageClassName=STORAGE_CLASS)
    controllers.settle()
    grow(registry, "2Gi")
    controllers.settle()
    assert found(registry)["status"]["capacity"] == {"storage": "1Gi"}
    assert set(recorded.reasons) == {"ExternalExpanding"}


def test_claim_of_another_class_does_not_grow(registry: Registry, controllers: Controllers) -> None:
    storage_class(registry, default=True)
    claim(registry)
    controllers.settle()
    with pytest.raises(StatusError, match="only dynamically provisioned pvc can be resized") as refused:
        grow(registry, "1Gi")
    assert refused.value.code == 403


def test_second_pod_of_a_claim_for_one_pod_waits_for_the_first(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    storage_class(registry, default=True)
    claim(registry, accessModes=["ReadWriteOncePod"])
    controllers.settle()
    pod(registry, "web", using("data"))
    controllers.settle()
    pod(registry, "other", using("data"))
    controllers.settle()
    assert where(registry) == "node"
    assert message(registry, "other") == (
        "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod "
        "access mode. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
    registry.delete("pods", "default", "web", grace=0)
    controllers.settle()
    assert where(registry, "other") == "node"


@pytest.mark.parametrize(("disk", "expected"), [("ssd", "node"), ("hdd", "")])
def test_local_volume_is_had_on_its_node_only(
    registry: Registry, controllers: Controllers, disk: str, expected: str
) -> None:
    node(registry)
    registry.create(
        "storageclasses",
        {
            "metadata": {"name": "local"},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    terms = [{"matchExpressions": [{"key": "disk", "operator": "In", "values": [disk]}]}]
    affinity = {"required": {"nodeSelectorTerms": terms}}
    volume(registry, "pv", storageClassName="local", hostPath=None, local={"path": "/mnt"}, nodeAffinity=affinity)
    claim(registry, storageClassName="local")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    pod(registry, "web", using("data"))
    controllers.settle()
    assert where(registry) == expected
    if not expected:
        assert "1 node(s) didn't find available persistent volumes to bind." in message(registry)


LOCAL = {"name": "local"}


def local_class(registry: Registry) -> None:
    waits = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    registry.create("storageclasses", {"metadata": LOCAL, **waits})


def test_two_claims_of_a_pod_do_not_get_the_same_volume(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    local_class(registry)
    volume(registry, "large", "10Gi", storageClassName="local")
    for name, size in (("b", "1Gi"), ("a", "5Gi")):
        claim(registry, name, storageClassName="local", resources={"requests": {"storage": size}})
    pod(registry, "web", {**using("a"), "name": "a"}, {**using("b"), "name": "b"})
    controllers.settle()
    assert where(registry) == ""
    assert "1 node(s) didn't find available persistent volumes to bind." in message(registry)
    assert [volume["status"]["phase"] for volume in registry.list("persistentvolumes")] == ["Available"]
    volume(registry, "small", "2Gi", storageClassName="local")
    controllers.settle()
    assert where(registry) == "node"
    assert [found(registry, name)["spec"]["volumeName"] for name in "ab"] == ["large", "small"]
    assert "volume.kubernetes.io/selected-node" not in meta.annotations(found(registry, "a"))


def test_scheduler_takes_the_smallest_volume_whatever_its_access_modes(
    registry: Registry, controllers: Controllers
) -> None:
    node(registry)
    local_class(registry)
    volume(registry, "shared", "1Gi", storageClassName="local", accessModes=["ReadWriteOnce", "ReadWriteMany"])
    volume(registry, "single", "5Gi", storageClassName="local")
    controllers.settle()
    claim(registry, storageClassName="local")
    pod(registry, "web", using("data"), {**using("data"), "name": "again"})
    controllers.settle()
    assert found(registry)["spec"]["volumeName"] == "shared"
    assert registry.get("persistentvolumes", None, "single")["status"]["phase"] == "Available"
    bound = registry.get("persistentvolumes", None, "shared")
    assert meta.annotations(bound) == {"pv.kubernetes.io/bound-by-controller": "yes"}


def test_claim_that_names_its_volume_does_not_wait_for_a_consumer(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    local_class(registry)
    claim(registry, storageClassName="local", volumeName="pv")
    pod(registry, "web", using("data"))
    controllers.settle()
    registry.now.advance(5)
    controllers.settle()
    assert "pod has unbound immediate PersistentVolumeClaims" in message(registry)
    volume(registry, "pv", storageClassName="local")
    controllers.settle()
    assert where(registry) == "node"


@pytest.mark.parametrize(("zones", "expected"), [("here__there", "node"), ("elsewhere", "")])
def test_volume_is_had_in_its_zones_only(
    registry: Registry, controllers: Controllers, zones: str, expected: str
) -> None:
    node(registry)
    zone = "topology.kubernetes.io/zone"
    (only,) = registry.list("nodes")
    registry.patch("nodes", None, meta.name(only), {"metadata": {"labels": {zone: "here"}}})
    volume(registry, "pv")
    registry.patch("persistentvolumes", None, "pv", {"metadata": {"labels": {zone: zones}}})
    claim(registry, storageClassName="", volumeName="pv")
    controllers.settle()
    pod(registry, "web", using("data"))
    controllers.settle()
    assert where(registry) == expected
    if not expected:
        assert "1 node(s) had no available volume zone." in message(registry)


def test_finished_pod_keeps_its_claim_until_it_is_removed(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    storage_class(registry, default=True)
    claim(registry)
    controllers.settle()
    pod(registry, "web", using("data"))
    controllers.settle()
    finish(registry, "web")
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    assert meta.is_terminating(found(registry))
    registry.delete("pods", "default", "web")
    controllers.settle()
    assert registry.find("persistentvolumeclaims", "default", "data") is None


def test_volume_deleted_in_use_goes_with_its_claim(registry: Registry, recorded: Recorded) -> None:
    controllers = Controllers(
        registry,
        ClaimBinder(registry, recorded),
        VolumeController(registry, recorded),
        ClaimProtection(registry, recorded),
        VolumeProtection(registry, recorded),
    )
    volume(registry, "pv")
    claim(registry, volumeName="pv", storageClassName="")
    controllers.settle()
    registry.delete("persistentvolumes", None, "pv")
    controllers.settle()
    assert meta.is_terminating(registry.get("persistentvolumes", None, "pv"))
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    assert registry.find("persistentvolumes", None, "pv") is None
