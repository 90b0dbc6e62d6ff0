"""Claims and volumes: binding, provisioning, protection, release, and what becomes of directories."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kubelite.bootstrap import STORAGE_CLASS
from kubelite.controllers.volumes import directories
from kubelite.controllers.volumes.binder import ClaimBinder, VolumeController
from kubelite.controllers.volumes.protection import ClaimProtection, VolumeProtection
from kubelite.controllers.volumes.provisioner import PROVISIONER, Provisioner, Reclaimer
from kubelite.controllers.volumes.reclaim import HandMadeReclaimer
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "volumes"
    path.mkdir()
    return path


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded, export: Path) -> Controllers:
    return Controllers(
        registry,
        ClaimBinder(registry, recorded),
        VolumeController(registry, recorded),
        Provisioner(registry, recorded, export, "172.30.0.1"),
        ClaimProtection(registry, recorded),
        VolumeProtection(registry, recorded),
    )


def storage_class(registry: Registry, name: str = STORAGE_CLASS, *, default: bool = False, **more: Any) -> Obj:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    metadata = {"name": name, "annotations": annotations}
    return registry.create("storageclasses", {"metadata": metadata, "provisioner": PROVISIONER, **more})


def claim(registry: Registry, name: str = "data", annotations: Obj | None = None, **spec: Any) -> Obj:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}, **spec}
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return registry.create("persistentvolumeclaims", {"metadata": metadata, "spec": asked})


def volume(registry: Registry, name: str, size: str = "1Gi", **spec: Any) -> Obj:
    asked = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/tmp/{name}"},
        **spec,
    }
    return registry.create("persistentvolumes", {"metadata": {"name": name}, "spec": asked})


def found(registry: Registry, name: str = "data") -> Obj:
    return registry.get("persistentvolumeclaims", "default", name)


def test_a_claim_with_the_old_annotation_gets_its_directory(
    registry: Registry, controllers: Controllers, export: Path, recorded: Recorded
) -> None:
    storage_class(registry)
    made = claim(registry, "test-web-0", {"volume.beta.kubernetes.io/storage-class": STORAGE_CLASS})
    controllers.settle()
    bound = found(registry, "test-web-0")
    assert bound["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "100Mi"},
    }
    name = f"pvc-{meta.uid(made)}"
    assert bound["spec"]["volumeName"] == name
    assert [path.name for path in export.iterdir()] == [f"default-test-web-0-{name}"]
    assert (export / f"default-test-web-0-{name}").stat().st_mode & 0o777 == 0o777
    pv = registry.get("persistentvolumes", None, name)
    assert pv["status"]["phase"] == "Bound"
    assert pv["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert pv["spec"]["claimRef"]["name"] == "test-web-0"
    assert recorded.reasons == ["ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"]


def test_the_default_class_serves_a_claim_that_names_none(registry: Registry, controllers: Controllers) -> None:
    claim(registry)
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    storage_class(registry, default=True)
    controllers.settle()
    assert found(registry)["spec"]["storageClassName"] == STORAGE_CLASS
    assert found(registry)["status"]["phase"] == "Bound"


def test_the_smallest_volume_that_suits_is_bound(registry: Registry, controllers: Controllers) -> None:
    for name, size in [("tiny", "10Mi"), ("large", "10Gi"), ("fits", "1Gi")]:
        volume(registry, name, size)
    claim(registry, storageClassName="")
    controllers.settle()
    assert found(registry)["spec"]["volumeName"] == "fits"
    assert registry.get("persistentvolumes", None, "fits")["status"]["phase"] == "Bound"
    assert registry.get("persistentvolumes", None, "large")["status"]["phase"] == "Available"


def test_a_volume_with_fewer_access_modes_goes_before_a_smaller_one(
    registry: Registry, controllers: Controllers
) -> None:
    volume(registry, "shared", "1Gi", accessModes=["ReadWriteOnce", "ReadWriteMany"])
    volume(registry, "single", "5Gi")
    controllers.settle()
    claim(registry, storageClassName="")
    controllers.settle()
    assert found(registry)["spec"]["volumeName"] == "single"


def test_a_volume_reserved_for_a_claim_is_bound_whatever_its_class(
    registry: Registry, controllers: Controllers
) -> None:
    storage_class(registry, "slow", volumeBindingMode="WaitForFirstConsumer")
    volume(registry, "reserved", claimRef={"namespace": "default", "name": "data"}, storageClassName="other")
    controllers.settle()
    assert registry.get("persistentvolumes", None, "reserved")["status"]["phase"] == "Available"
    claim(registry, storageClassName="slow")
    controllers.settle()
    assert found(registry)["spec"]["volumeName"] == "reserved"


def test_a_raw_claim_is_refused_by_the_provisioner(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    storage_class(registry)
    claim(registry, storageClassName=STORAGE_CLASS, volumeMode="Block")
    controllers.settle()
    assert registry.list("persistentvolumes") == []
    assert found(registry)["status"]["phase"] == "Pending"
    text = f'failed to provision volume with StorageClass "{STORAGE_CLASS}": '
    assert ("ProvisioningFailed", f"{text}fuseim.pri/ifs does not support block volume provisioning") in recorded.events


def test_a_raw_claim_is_not_bound_to_a_directory(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "plain")
    claim(registry, storageClassName="", volumeMode="Block", volumeName="plain")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    text = 'Cannot bind to requested volume "plain": incompatible volumeMode'
    assert ("VolumeMismatch", text) in recorded.events


def test_provisioners_that_would_be_part_of_the_control_plane_are_not_there(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    metadata = {"metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner"}
    registry.create("storageclasses", metadata)
    claim(registry, storageClassName="local")
    controllers.settle()
    assert ("ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner") in recorded.events


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"persistentVolumeReclaimPolicy": "Delete", "hostPath": None, "nfs": {"server": "s", "path": "/x"}},
            "VolumeFailedDelete",
            'error getting deleter volume plugin for volume "pv": no deletable volume plugin matched',
        ),
        (
            {"persistentVolumeReclaimPolicy": "Delete", "hostPath": {"path": "/srv/data"}},
            "VolumeFailedDelete",
            "host_path deleter only supports /tmp/.+ but received provided /srv/data",
        ),
        (
            {"persistentVolumeReclaimPolicy": "Recycle"},
            "VolumeFailedRecycle",
            "No recycler plugin found for the volume!",
        ),
    ],
)
def test_a_hand_made_volume_that_nobody_can_reclaim_fails(
    registry: Registry, controllers: Controllers, recorded: Recorded, spec: Obj, reason: str, message: str
) -> None:
    volume(registry, "pv", **spec)
    controllers.settle()
    claim(registry, storageClassName="")
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    HandMadeReclaimer(registry, recorded).reconcile((None, "pv"))
    controllers.settle()
    status = registry.get("persistentvolumes", None, "pv")["status"]
    assert (status["phase"], status["message"]) == ("Failed", message)
    assert (reason, message) in recorded.events


def test_a_hand_made_volume_of_tmp_goes_and_its_directory_stays(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "pv", persistentVolumeReclaimPolicy="Delete")
    controllers.settle()
    claim(registry, storageClassName="")
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    HandMadeReclaimer(registry, recorded).reconcile((None, "pv"))
    controllers.settle()
    assert registry.list("persistentvolumes") == []


@pytest.mark.parametrize(
    ("spec", "reason"),
    [({"capacity": {"storage": "1Mi"}}, "too small"), ({"accessModes": ["ReadOnlyMany"]}, "incompatible accessMode")],
)
def test_a_named_volume_that_does_not_suit_is_refused(
    registry: Registry, controllers: Controllers, recorded: Recorded, spec: Obj, reason: str
) -> None:
    volume(registry, "mine", **spec)
    claim(registry, storageClassName="", volumeName="mine")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    assert any(kind == "VolumeMismatch" and reason in text for kind, text in recorded.events)


def test_a_claim_without_class_or_volume_waits(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    claim(registry, storageClassName="")
    controllers.settle()
    message = "no persistent volumes available for this claim and no storage class is set"
    assert ("FailedBinding", message) in recorded.events
    volume(registry, "late")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Bound"


def test_wait_for_first_consumer_waits_for_the_node(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    storage_class(registry, volumeBindingMode="WaitForFirstConsumer")
    claim(registry, storageClassName=STORAGE_CLASS)
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    assert "WaitForFirstConsumer" in recorded.reasons
    selected = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "node"}}}
    registry.patch("persistentvolumeclaims", "default", "data", selected)
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Bound"


def test_a_claim_says_which_pod_finds_no_node(registry: Registry, controllers: Controllers, recorded: Recorded) -> None:
    storage_class(registry, volumeBindingMode="WaitForFirstConsumer")
    claim(registry, storageClassName=STORAGE_CLASS)
    controllers.settle()
    container = {"name": "c", "image": "i"}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    metadata = {"name": "web", "namespace": "default"}
    pod = registry.create("pods", {"metadata": metadata, "spec": {"containers": [container], "volumes": volumes}})
    controllers.settle()
    assert "WaitForPodScheduled" not in recorded.reasons
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    registry.update("pods", {**pod, "status": {"conditions": [condition]}}, "status")
    controllers.settle()
    assert recorded.events[-1] == ("WaitForPodScheduled", "waiting for pod web to be scheduled")


def test_a_volume_deleted_before_its_claim_goes_after_its_directory(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path
) -> None:
    storage_class(registry, parameters={"archiveOnDelete": "false"})
    made = claim(registry, storageClassName=STORAGE_CLASS)
    controllers.settle()
    name = f"pvc-{meta.uid(made)}"
    registry.delete("persistentvolumes", None, name)
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    assert (export / f"default-data-{name}").exists()
    asyncio.run(Reclaimer(registry, recorded, export).reconcile((None, name)))
    controllers.settle()
    assert registry.list("persistentvolumes") == []
    assert list(export.iterdir()) == []


def test_a_volume_that_is_to_be_kept_after_all_is_not_held(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path
) -> None:
    storage_class(registry)
    name = f"pvc-{meta.uid(claim(registry, storageClassName=STORAGE_CLASS))}"
    controllers.settle()
    registry.patch("persistentvolumes", None, name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    asyncio.run(Reclaimer(registry, recorded, export).reconcile((None, name)))
    finalizers = registry.get("persistentvolumes", None, name)["metadata"]["finalizers"]
    assert finalizers == ["kubernetes.io/pv-protection"]


def test_a_bound_claim_that_loses_its_volume_is_lost(registry: Registry, controllers: Controllers) -> None:
    volume(registry, "mine")
    claim(registry, storageClassName="")
    controllers.settle()
    registry.patch("persistentvolumes", None, "mine", {"metadata": {"finalizers": None}})
    registry.delete("persistentvolumes", None, "mine")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Lost"


def test_a_retained_volume_is_released_and_not_bound_again(registry: Registry, controllers: Controllers) -> None:
    volume(registry, "mine")
    claim(registry, storageClassName="")
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    assert registry.get("persistentvolumes", None, "mine")["status"]["phase"] == "Released"
    claim(registry, storageClassName="")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    registry.patch("persistentvolumes", None, "mine", {"spec": {"claimRef": None}})
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Bound"


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        ({}, ["archived-default-data-{}"]),
        ({"archiveOnDelete": "false"}, []),
        ({"onDelete": "retain"}, ["default-data-{}"]),
        ({"onDelete": "delete"}, []),
    ],
)
def test_a_deleted_claims_directory_meets_its_fate(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path, parameters: Obj, left: list[str]
) -> None:
    storage_class(registry, parameters=parameters)
    made = claim(registry, storageClassName=STORAGE_CLASS)
    controllers.settle()
    name = f"pvc-{meta.uid(made)}"
    (export / f"default-data-{name}" / "file").write_text("kept?")
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    asyncio.run(Reclaimer(registry, recorded, export).reconcile((None, name)))
    controllers.settle()
    assert registry.find("persistentvolumes", None, name) is None
    assert [path.name for path in export.iterdir()] == [pattern.format(name) for pattern in left]


def test_a_directory_that_two_claims_have_goes_with_the_last_of_them(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path
) -> None:
    storage_class(registry, parameters={"pathPattern": "all/of/${.PVC.namespace}", "onDelete": "delete"})
    names = [f"pvc-{meta.uid(claim(registry, name, storageClassName=STORAGE_CLASS))}" for name in ("one", "two")]
    controllers.settle()
    (export / "all/of/default/file").write_text("of both")
    for name, volume_name, left in (("one", names[0], True), ("two", names[1], False)):
        registry.delete("persistentvolumeclaims", "default", name)
        controllers.settle()
        asyncio.run(Reclaimer(registry, recorded, export).reconcile((None, volume_name)))
        controllers.settle()
        assert registry.find("persistentvolumes", None, volume_name) is None
        assert (export / "all/of/default/file").exists() == left


def test_a_link_below_the_export_directory_leads_nowhere_else(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (export / "link").symlink_to(tmp_path / "outside")
    storage_class(registry, parameters={"pathPattern": "link/${.PVC.name}"})
    claim(registry, storageClassName=STORAGE_CLASS)
    with pytest.raises(ValueError, match="leads out of the export directory"):
        controllers.settle()
    assert recorded.reasons[-1] == "ProvisioningFailed"
    assert list((tmp_path / "outside").iterdir()) == []


def test_an_archive_never_overwrites_another(export: Path) -> None:
    (export / "archived-data").mkdir()
    assert directories.archive_path(export, "data").name == "archived-data-2"


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("", "default-data-pvc-1"),
        ("${.PVC.namespace}/${.PVC.name}", "default/data"),
        ("${.PVC.labels.app}-${.PVC.annotations.a/b}", "web-x"),
        ("${.PVC.labels.none}", "default-data-pvc-1"),
        ("/abs/${.PVC.name}", "abs/data"),
    ],
)
def test_path_patterns(pattern: str, path: str) -> None:
    metadata = {
        "namespace": "default",
        "name": "data",
        "uid": "1",
        "labels": {"app": "web"},
        "annotations": {"a/b": "x"},
    }
    assert str(directories.directory({"metadata": metadata}, pattern)) == path


def test_a_path_pattern_that_leaves_the_export_directory_is_refused() -> None:
    metadata = {"namespace": "default", "name": "data", "uid": "1", "labels": {"app": "../.."}}
    with pytest.raises(ValueError, match="leaves the export directory"):
        directories.directory({"metadata": metadata}, "${.PVC.labels.app}/x")
