"""Directories of claims: how they are made, and what becomes of them; volumes that nobody has provisioned."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from kubelite.bootstrap import STORAGE_CLASS
from kubelite.controllers.volumes import directories
from kubelite.controllers.volumes.binder import ClaimBinder, VolumeController
from kubelite.controllers.volumes.protection import ClaimProtection, VolumeProtection
from kubelite.controllers.volumes.provisioner import Provisioner, Reclaimer
from kubelite.controllers.volumes.reclaim import HandMadeReclaimer
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded
from tests.unit.controllers.volume_objects import claim, found, storage_class, volume


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


def test_a_raw_claim_is_refused_by_the_provisioner(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    storage_class(registry)
    claim(registry, storageClassName=STORAGE_CLASS, volumeMode="Block")
    controllers.settle()
    assert registry.list("persistentvolumes") == []
    assert found(registry)["status"]["phase"] == "Pending"
    assert ("ProvisioningFailed", "fuseim.pri/ifs does not support block volume provisioning") in recorded.events


def test_what_the_provisioner_cannot_do_is_told(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path
) -> None:
    storage_class(registry)
    claim(registry, storageClassName=STORAGE_CLASS, selector={})
    with pytest.raises(ValueError, match="Selector"):
        controllers.settle()
    text = f'failed to provision volume with StorageClass "{STORAGE_CLASS}": '
    assert recorded.events[-1] == ("ProvisioningFailed", f"{text}claim Selector is not supported")
    export.rmdir()
    export.touch()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    claim(registry, storageClassName=STORAGE_CLASS)
    with pytest.raises(OSError, match="Not a directory"):
        controllers.settle()
    assert recorded.events[-1][1].startswith(f"{text}unable to create directory to provision new pv: ")


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
            {"persistentVolumeReclaimPolicy": "Recycle", "hostPath": None, "nfs": {"server": "s", "path": "/x"}},
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
    asyncio.run(HandMadeReclaimer(registry, recorded).reconcile((None, "pv")))
    controllers.settle()
    status = registry.get("persistentvolumes", None, "pv")["status"]
    assert (status["phase"], status["message"]) == ("Failed", message)
    assert (reason, message) in recorded.events


def test_a_recycled_volume_is_emptied_and_free_again(
    registry: Registry, controllers: Controllers, recorded: Recorded, tmp_path: Path
) -> None:
    directory, elsewhere = tmp_path / "pv", tmp_path / "elsewhere"
    for path in (directory / "below", elsewhere):
        path.mkdir(parents=True)
        (path / "file").touch()
    (directory / ".hidden").touch()
    (directory / "link").symlink_to(elsewhere)
    volume(registry, "pv", persistentVolumeReclaimPolicy="Recycle", hostPath={"path": str(directory)})
    controllers.settle()
    claim(registry, storageClassName="")
    controllers.settle()
    spec = {"containers": [{"name": "c", "image": "i"}]}
    spec["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    registry.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    reclaimer = HandMadeReclaimer(registry, recorded)
    assert asyncio.run(reclaimer.reconcile((None, "pv"))) == 15
    assert recorded.events[-1] == ("VolumeFailedRecycle", "Volume is used by pods: default/web")
    assert (directory / ".hidden").exists()
    registry.delete("pods", "default", "web", grace=0)
    asyncio.run(reclaimer.reconcile((None, "pv")))
    assert recorded.events[-1] == ("VolumeRecycled", "Volume recycled")
    assert list(directory.iterdir()) == []
    assert (elsewhere / "file").exists()
    freed = registry.get("persistentvolumes", None, "pv")
    assert (freed["status"]["phase"], freed["spec"].get("claimRef")) == ("Available", None)


def test_a_drivers_volume_is_the_drivers_to_delete(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    driver = {"driver": "example.com", "volumeHandle": "1"}
    volume(registry, "pv", persistentVolumeReclaimPolicy="Delete", hostPath=None, csi=driver)
    claim(registry, storageClassName="", volumeName="pv")
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    asyncio.run(HandMadeReclaimer(registry, recorded).reconcile((None, "pv")))
    assert registry.get("persistentvolumes", None, "pv")["status"]["phase"] == "Released"


def test_a_hand_made_volume_of_tmp_goes_and_its_directory_stays(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "pv", persistentVolumeReclaimPolicy="Delete")
    controllers.settle()
    claim(registry, storageClassName="")
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()
    asyncio.run(HandMadeReclaimer(registry, recorded).reconcile((None, "pv")))
    controllers.settle()
    assert registry.list("persistentvolumes") == []


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


def test_a_new_claim_of_the_same_path_keeps_what_it_writes_while_the_old_directory_is_removed(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path
) -> None:
    storage_class(registry, parameters={"pathPattern": "${.PVC.namespace}/${.PVC.name}", "onDelete": "delete"})
    old = f"pvc-{meta.uid(claim(registry, storageClassName=STORAGE_CLASS))}"
    controllers.settle()
    file = export / "default/data/file"
    file.write_text("of the old one")
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()

    def remove(path: Path) -> None:
        """Slow enough for a new claim to be made and used meanwhile."""
        file.parent.mkdir()
        file.write_text("of the new one")
        shutil.rmtree(path)

    asyncio.run(Reclaimer(registry, recorded, export, remove).reconcile((None, old)))
    controllers.settle()
    assert registry.list("persistentvolumes") == []
    assert file.read_text() == "of the new one"
    assert [path.name for path in (export / "default").iterdir()] == ["data"]


def test_a_directory_that_was_being_removed_is_removed_to_the_end(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path
) -> None:
    storage_class(registry, parameters={"onDelete": "delete"})
    name = f"pvc-{meta.uid(claim(registry, storageClassName=STORAGE_CLASS))}"
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    controllers.settle()

    def fail(path: Path) -> None:
        raise OSError("the process ends here")

    with pytest.raises(OSError, match="ends here"):
        asyncio.run(Reclaimer(registry, recorded, export, fail).reconcile((None, name)))
    controllers.settle()
    assert registry.get("persistentvolumes", None, name)["status"]["phase"] == "Released"
    assert recorded.events[-1] == ("VolumeFailedDelete", "the process ends here")
    asyncio.run(Reclaimer(registry, recorded, export).reconcile((None, name)))
    controllers.settle()
    assert registry.list("persistentvolumes") == []
    assert list(export.iterdir()) == []


@pytest.mark.parametrize("parameters", [{"archiveOnDelete": "perhaps"}, None])
def test_a_directory_of_which_nobody_knows_the_fate_stays(
    registry: Registry, controllers: Controllers, recorded: Recorded, export: Path, parameters: Obj | None
) -> None:
    storage_class(registry, parameters=parameters or {})
    name = f"pvc-{meta.uid(claim(registry, storageClassName=STORAGE_CLASS))}"
    controllers.settle()
    registry.delete("persistentvolumeclaims", "default", "data")
    if parameters is None:
        registry.delete("storageclasses", None, STORAGE_CLASS)
    controllers.settle()
    with pytest.raises((ValueError, LookupError)):
        asyncio.run(Reclaimer(registry, recorded, export).reconcile((None, name)))
    assert recorded.reasons[-1] == "VolumeFailedDelete"
    assert [path.name for path in export.iterdir()] == [f"default-data-{name}"]


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
