"""Definitions become established, contend for names, and take their objects with them."""

from __future__ import annotations

import pytest

from kubelite.controllers.customresources import CustomResourceController
from kubelite.controllers.garbage import GarbageCollector
from kubelite.controllers.namespace import NamespaceController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded
from tests.unit.customresources import GROUP, RESOURCE, crontab, definition

PLURAL = "customresourcedefinitions"


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    return Controllers(
        registry,
        CustomResourceController(registry, recorded, registry.now),
        GarbageCollector(registry, recorded, registry.built_in),
        NamespaceController(registry, recorded, registry.built_in, registry.now),
    )


def conditions(registry: Registry, name: str = RESOURCE) -> dict[str, tuple[str, str]]:
    found = registry.get(PLURAL, None, name)["status"]["conditions"]
    return {one["type"]: (one["status"], one["reason"]) for one in found}


def make(registry: Registry, name: str, **metadata: object) -> Obj:
    return registry.create(RESOURCE, {**crontab(name), "metadata": {"name": name, "namespace": "default", **metadata}})


def test_a_definition_is_established_and_served(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    assert not registry.custom
    controllers.settle()
    assert conditions(registry) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    accepted = registry.get(PLURAL, None, RESOURCE)["status"]["acceptedNames"]
    assert accepted == {"plural": "crontabs", "singular": "crontab", "kind": "CronTab", "listKind": "CronTabList"}
    assert [kind.resource for kind in registry.custom] == [RESOURCE]


def test_names_belong_to_who_came_first(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition(names={"shortNames": ["ct"]}))
    controllers.settle()
    other = f"others.{GROUP}"
    registry.create(PLURAL, definition(names={"plural": "others", "singular": "other", "shortNames": ["ct"]}))
    controllers.settle()
    found = conditions(registry, other)
    assert (found["NamesAccepted"][0], found["Established"]) == ("False", ("False", "NotAccepted"))
    registry.delete(PLURAL, None, RESOURCE)
    controllers.settle()
    assert conditions(registry, other)["Established"][0] == "True"


def test_what_a_definitions_objects_own_goes_too(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    keeper = registry.create("configmaps", {"metadata": {"name": "keeper", "namespace": "default"}})
    controllers.settle()
    one = make(registry, "one")
    for name, owners in (("goes", [one]), ("stays", [one, keeper])):
        references = [meta.owner_reference(owner, controller=False) for owner in owners]
        metadata = {"name": name, "namespace": "default", "ownerReferences": references}
        registry.create("configmaps", {"metadata": metadata})
    controllers.settle()
    registry.delete(PLURAL, None, RESOURCE)
    controllers.settle()
    assert not registry.custom
    assert registry.find("configmaps", "default", "goes") is None
    owners = meta.owner_references(registry.get("configmaps", "default", "stays"))
    assert [owner["name"] for owner in owners] == ["keeper"]


def test_a_definition_takes_its_objects_with_it(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    controllers.settle()
    make(registry, "one")
    make(registry, "two", finalizers=["example.com/hold"])
    registry.delete(PLURAL, None, RESOURCE)
    controllers.settle()
    assert [meta.name(one) for one in registry.list(RESOURCE)] == ["two"]
    assert conditions(registry)["Terminating"] == ("True", "InstanceDeletionInProgress")
    registry.update(
        RESOURCE, {**registry.get(RESOURCE, "default", "two"), "metadata": {"name": "two", "namespace": "default"}}
    )
    controllers.settle()
    assert registry.find(PLURAL, None, RESOURCE) is None
    assert not registry.custom


def test_a_definition_that_was_never_served_just_goes(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    registry.delete(PLURAL, None, RESOURCE)
    controllers.settle()
    assert registry.find(PLURAL, None, RESOURCE) is None


def test_conditions_that_say_nothing_are_no_trouble(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    registry.patch(PLURAL, None, RESOURCE, {"status": {"conditions": [{"message": "by hand"}]}}, "status")
    controllers.settle()
    found = registry.get(PLURAL, None, RESOURCE)["status"]["conditions"]
    assert [one.get("type") for one in found] == ["NamesAccepted", "Established", None]


def test_owners_and_dependents_may_be_custom(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    controllers.settle()
    owner = make(registry, "owner")
    dependent = make(registry, "dependent", ownerReferences=[meta.owner_reference(owner, controller=False)])
    metadata = {"name": "m", "namespace": "default", "ownerReferences": [meta.owner_reference(dependent)]}
    registry.create("configmaps", {"metadata": metadata})
    controllers.settle()
    registry.delete(RESOURCE, "default", "owner")
    controllers.settle()
    assert registry.list(RESOURCE) == []
    assert registry.find("configmaps", "default", "m") is None


def test_a_namespace_goes_with_its_custom_objects(registry: Registry, controllers: Controllers) -> None:
    registry.create(PLURAL, definition())
    registry.create("namespaces", {"metadata": {"name": "n"}})
    controllers.settle()
    registry.create(RESOURCE, {**crontab(), "metadata": {"name": "one", "namespace": "n"}})
    registry.delete("namespaces", None, "n")
    controllers.settle()
    assert registry.find("namespaces", None, "n") is None
    assert registry.list(RESOURCE) == []
