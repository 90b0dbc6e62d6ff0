"""Owner references: background, foreground and orphan deletion."""

from __future__ import annotations

import pytest

from kubelite.controllers.garbage import GarbageCollector
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    return Controllers(registry, GarbageCollector(registry, recorded, registry.kinds))


def create(registry: Registry, name: str, *owners: Obj, blocks: bool = True) -> Obj:
    refs = [meta.owner_reference(owner, controller=False) | {"blockOwnerDeletion": blocks} for owner in owners]
    metadata = {"name": name, "namespace": "default", "ownerReferences": refs}
    return registry.create("configmaps", {"metadata": metadata})


def names(registry: Registry) -> list[str]:
    return [meta.name(obj) for obj in registry.list("configmaps", "default")]


def test_dependents_go_with_their_owner(registry: Registry, controllers: Controllers) -> None:
    owner = create(registry, "owner")
    child = create(registry, "child", owner)
    create(registry, "grandchild", child)
    controllers.settle()
    registry.delete("configmaps", "default", "owner")
    controllers.settle()
    assert names(registry) == []


def test_a_dependent_stays_while_one_owner_remains(registry: Registry, controllers: Controllers) -> None:
    one, two = create(registry, "one"), create(registry, "two")
    create(registry, "child", one, two)
    controllers.settle()
    registry.delete("configmaps", "default", "one")
    controllers.settle()
    assert names(registry) == ["child", "two"]
    child = registry.get("configmaps", "default", "child")
    assert [ref["name"] for ref in meta.owner_references(child)] == ["two"]


def test_an_owner_of_the_same_name_is_not_the_owner(registry: Registry, controllers: Controllers) -> None:
    owner = create(registry, "owner")
    create(registry, "child", owner)
    registry.delete("configmaps", "default", "owner")
    create(registry, "owner")
    controllers.settle()
    assert names(registry) == ["owner"]


@pytest.mark.parametrize(("finalizer", "left"), [("orphan", ["grandchild"]), ("foregroundDeletion", [])])
def test_a_dependent_goes_as_its_own_finalizer_asks(
    registry: Registry, controllers: Controllers, finalizer: str, left: list[str]
) -> None:
    owner = create(registry, "owner")
    child = create(registry, "child", owner)
    child = registry.update("configmaps", child | {"metadata": child["metadata"] | {"finalizers": [finalizer]}})
    create(registry, "grandchild", child)
    controllers.settle()
    registry.delete("configmaps", "default", "owner")
    controllers.settle()
    assert names(registry) == left
    assert not any(map(meta.owner_references, registry.list("configmaps", "default")))


@pytest.mark.parametrize(
    ("version", "kind", "stays"),
    [("apps/v1", "Deployment", False), ("apps/v1beta1", "Deployment", True), ("apps/v1", "Thing", True)],
)
def test_an_owner_of_a_kind_that_is_not_served_may_be_there(
    registry: Registry, controllers: Controllers, version: str, kind: str, stays: bool
) -> None:
    reference = {"apiVersion": version, "kind": kind, "name": "unseen", "uid": "unseen"}
    registry.create(
        "configmaps", {"metadata": {"name": "child", "namespace": "default", "ownerReferences": [reference]}}
    )
    controllers.settle()
    assert names(registry) == ["child"] * stays


def test_orphans_lose_their_reference_and_stay(registry: Registry, controllers: Controllers) -> None:
    owner = create(registry, "owner")
    create(registry, "child", owner)
    controllers.settle()
    registry.delete("configmaps", "default", "owner", propagation="Orphan")
    controllers.settle()
    assert names(registry) == ["child"]
    assert "ownerReferences" not in registry.get("configmaps", "default", "child")["metadata"]


def test_foreground_waits_for_blocking_dependents(registry: Registry, controllers: Controllers) -> None:
    owner = create(registry, "owner")
    held = create(registry, "held", owner)
    registry.patch("configmaps", "default", "held", {"metadata": {"finalizers": ["example.com/hold"]}})
    create(registry, "free", owner)
    controllers.settle()
    registry.delete("configmaps", "default", "owner", propagation="Foreground")
    controllers.settle()
    assert names(registry) == ["held", "owner"]
    assert meta.is_terminating(registry.get("configmaps", "default", "owner"))
    registry.patch("configmaps", "default", meta.name(held), {"metadata": {"finalizers": None}})
    controllers.settle()
    assert names(registry) == []


def test_foreground_does_not_wait_for_others(registry: Registry, controllers: Controllers) -> None:
    owner = create(registry, "owner")
    create(registry, "held", owner, blocks=False)
    registry.patch("configmaps", "default", "held", {"metadata": {"finalizers": ["example.com/hold"]}})
    controllers.settle()
    registry.delete("configmaps", "default", "owner", propagation="Foreground")
    controllers.settle()
    assert names(registry) == ["held"]


def test_owners_in_a_circle_do_not_wait_for_each_other(registry: Registry, controllers: Controllers) -> None:
    first = create(registry, "first")
    second = create(registry, "second", first)
    third = create(registry, "third", second)
    reference = meta.owner_reference(third, controller=False) | {"blockOwnerDeletion": True}
    registry.patch("configmaps", "default", "first", {"metadata": {"ownerReferences": [reference]}})
    controllers.settle()
    registry.delete("configmaps", "default", "first", propagation="Foreground")
    controllers.settle()
    assert names(registry) == []


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])  # the uid tells, whatever the reference calls it
def test_an_owner_in_another_namespace_is_none(
    registry: Registry, controllers: Controllers, recorded: Recorded, kind: str
) -> None:
    owner = create(registry, "owner")
    reference = meta.owner_reference(owner, controller=False) | {"kind": kind}
    registry.create(
        "configmaps", {"metadata": {"name": "child", "namespace": "kube-system", "ownerReferences": [reference]}}
    )
    controllers.settle()
    assert registry.find("configmaps", "kube-system", "child") is None
    named = f"[v1/{kind}, namespace: kube-system, name: owner, uid: {meta.uid(owner)}]"
    text = f'ownerRef {named} does not exist in namespace "kube-system"'
    assert recorded.events == [("OwnerRefInvalidNamespace", text)]


def test_what_has_no_namespace_has_no_owner_in_one(
    registry: Registry, controllers: Controllers, recorded: Recorded
) -> None:
    reference = meta.owner_reference(create(registry, "owner"), controller=False)
    registry.create("priorityclasses", {"metadata": {"name": "p", "ownerReferences": [reference]}, "value": 1})
    controllers.settle()
    assert registry.find("priorityclasses", None, "p") is not None
    assert set(recorded.reasons) == {"OwnerRefInvalidNamespace"}
