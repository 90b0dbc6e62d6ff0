"""Which volume a claim gets, and the phases of both. The scenarios are those of upstream's `binder_test.go`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubelite.bootstrap import STORAGE_CLASS
from kubelite.controllers.volumes.binder import ClaimBinder, VolumeController
from kubelite.controllers.volumes.protection import ClaimProtection, VolumeProtection
from kubelite.controllers.volumes.provisioner import Provisioner
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded
from tests.unit.controllers.volume_objects import claim, found, storage_class, volume


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded, tmp_path: Path) -> Controllers:
    return Controllers(
        registry,
        ClaimBinder(registry, recorded),
        VolumeController(registry, recorded),
        Provisioner(registry, recorded, tmp_path, "172.30.0.1"),
        ClaimProtection(registry, recorded),
        VolumeProtection(registry, recorded),
    )


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


def test_a_raw_claim_is_not_bound_to_a_directory(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "plain")
    claim(registry, storageClassName="", volumeMode="Block", volumeName="plain")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    text = 'Cannot bind to requested volume "plain": incompatible volumeMode'
    assert ("VolumeMismatch", text) in recorded.events


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


def test_a_claim_that_waits_is_told_so_again_and_again(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    metadata = {"metadata": {"name": "far"}, "provisioner": "example.com/far"}
    registry.create("storageclasses", metadata)
    claim(registry, storageClassName="far")
    claim(registry, "none", storageClassName="")
    binder = ClaimBinder(registry, recorded, clock)
    for _ in range(2):
        assert [binder.reconcile(("default", name)) for name in ("data", "none")] == [15, 15]
    assert recorded.reasons == ["ExternalProvisioning", "FailedBinding", "FailedBinding"]
    clock.advance(15)
    binder.reconcile(("default", "data"))
    assert recorded.reasons[-1] == "ExternalProvisioning"
    volume(registry, "pv")
    Controllers(registry, binder, VolumeController(registry, recorded)).settle()
    assert binder.reconcile(("default", "none")) is None


def test_wait_for_first_consumer_waits_for_the_node(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    storage_class(registry, volumeBindingMode="WaitForFirstConsumer")
    claim(registry, storageClassName=STORAGE_CLASS)
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Pending"
    assert "WaitForFirstConsumer" in recorded.reasons
    select(registry, "gone")
    controllers.settle()
    assert ("ProvisioningFailed", 'nodes "gone" not found') in recorded.events
    assert meta.annotations(found(registry)).get("volume.kubernetes.io/selected-node") is None
    assert found(registry)["status"]["phase"] == "Pending"
    registry.create("nodes", {"metadata": {"name": "node"}})
    select(registry, "node")
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Bound"


def select(registry: Registry, node: str) -> None:
    """As the scheduler does."""
    selected = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": node}}}
    registry.patch("persistentvolumeclaims", "default", "data", selected)


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


def mark(registry: Registry, plural: str, name: str, **changes: Any) -> None:
    registry.patch(plural, "default" if plural == "persistentvolumeclaims" else None, name, changes)


def pv(registry: Registry, name: str) -> Obj:
    return registry.get("persistentvolumes", None, name)


LOST = "Data on the volume is lost!"


def test_a_bound_claim_that_loses_its_volume_is_lost_and_may_find_it_again(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "mine")
    claim(registry, storageClassName="")
    controllers.settle()
    spec = pv(registry, "mine")["spec"]
    registry.delete("persistentvolumes", None, "mine")
    mark(registry, "persistentvolumes", "mine", metadata={"finalizers": None})
    controllers.settle()
    assert found(registry)["status"] == {"phase": "Lost"}
    assert recorded.events[-1:] == [("ClaimLost", f"Bound claim has lost its PersistentVolume. {LOST}")]
    registry.create("persistentvolumes", {"metadata": {"name": "mine"}, "spec": spec})
    controllers.settle()
    assert found(registry)["status"]["phase"] == "Bound"


def test_a_claim_that_says_it_was_bound_but_names_no_volume_is_lost(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    claim(registry, annotations={"pv.kubernetes.io/bind-completed": "yes"}, storageClassName="")
    controllers.settle()
    assert found(registry)["status"] == {"phase": "Lost"}
    assert recorded.events == [("ClaimLost", f"Bound claim has lost reference to PersistentVolume. {LOST}")]


@pytest.mark.parametrize("ref", [{"namespace": "default", "name": "other", "uid": "1"}, {"uid": None}])
def test_a_claim_whose_volume_points_elsewhere_is_misbound(
    registry: Registry, controllers: Controllers, recorded: Recorded, ref: Obj
) -> None:
    volume(registry, "mine")
    claim(registry, storageClassName="")
    controllers.settle()
    mark(registry, "persistentvolumes", "mine", spec={"claimRef": ref})
    controllers.settle()
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    assert found(registry)["status"] == {"phase": "Lost"}
    assert recorded.events[-1] == ("ClaimMisbound", text)


def test_a_volume_without_its_reference_is_bound_again(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "mine")
    made = claim(registry, storageClassName="")
    controllers.settle()
    claim(registry, "other", storageClassName="")
    old = pv(registry, "mine")
    mark(registry, "persistentvolumes", "mine", spec={"claimRef": None})
    mapper = ClaimBinder(registry, recorded).watches()["persistentvolumes"]
    changed = Event("MODIFIED", "persistentvolumes", pv(registry, "mine"), old)
    assert list(mapper(changed)) == [("default", "data"), ("default", "other")]
    controllers.settle()
    assert pv(registry, "mine")["spec"]["claimRef"]["uid"] == meta.uid(made)
    assert found(registry)["status"]["phase"] == "Bound"


@pytest.mark.parametrize(
    ("annotations", "left"),
    [({}, {"namespace": "default", "name": "data"}), ({"pv.kubernetes.io/bound-by-controller": "yes"}, None)],
)
def test_a_volume_whose_claim_went_to_another_is_free_or_waits_for_it(
    registry: Registry, controllers: Controllers, annotations: Obj, left: Obj | None
) -> None:
    volume(registry, "taken")
    made = claim(registry, storageClassName="", volumeName="taken")
    controllers.settle()
    ref = {"namespace": "default", "name": "data", "uid": meta.uid(made)}
    volume(registry, "spare", claimRef=ref)
    mark(registry, "persistentvolumes", "spare", metadata={"annotations": annotations})
    controllers.settle()
    spare = pv(registry, "spare")
    assert (spare["status"]["phase"], spare["spec"].get("claimRef")) == ("Available", left)


def test_a_reserved_volume_of_another_mode_is_complained_of_on_both_sides(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    made = claim(registry, storageClassName="", volumeMode="Block")
    controllers.settle()
    volume(registry, "plain", claimRef={"namespace": "default", "name": "data", "uid": meta.uid(made)})
    controllers.settle()
    told = {text for reason, text in recorded.events if reason == "VolumeMismatch"}
    rest = "due to incompatible volumeMode."
    assert told == {
        f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "data" {rest}',
        f'Cannot bind PersistentVolume "plain" to requested PersistentVolumeClaim {rest}',
    }


def test_a_named_volume_that_is_being_deleted_is_refused(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    volume(registry, "mine")
    mark(registry, "persistentvolumes", "mine", metadata={"finalizers": ["example.com/keep"]})
    registry.delete("persistentvolumes", None, "mine")
    claim(registry, storageClassName="", volumeName="mine")
    controllers.settle()
    text = 'Cannot bind to requested volume "mine": the volume is marked for deletion "mine"'
    assert ("VolumeMismatch", text) in recorded.events


def test_protection_that_is_taken_off_comes_back(registry: Registry, controllers: Controllers) -> None:
    volume(registry, "mine")
    claim(registry, storageClassName="")
    controllers.settle()
    for plural, name in (("persistentvolumes", "mine"), ("persistentvolumeclaims", "data")):
        mark(registry, plural, name, metadata={"finalizers": None})
    controllers.settle()
    assert pv(registry, "mine")["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    assert found(registry)["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_a_selector_chooses_among_volumes_and_of_these_only(registry: Registry, controllers: Controllers) -> None:
    for name, labels in (("a", {}), ("b", {"disk": "ssd"}), ("c", {"disk": "hdd"})):
        volume(registry, name)
        mark(registry, "persistentvolumes", name, metadata={"labels": labels})
    controllers.settle()
    either = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["hdd", "nvme"]}]}
    claim(registry, storageClassName="", selector=either)
    claim(registry, "none", storageClassName="", selector={"matchLabels": {"disk": "nvme"}})
    controllers.settle()
    assert found(registry)["spec"]["volumeName"] == "c"
    assert found(registry, "none")["status"] == {"phase": "Pending"}


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
