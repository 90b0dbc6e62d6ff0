"""A namespace that is deleted: emptied in order, telling what holds it, gone when nothing is left."""

from __future__ import annotations

import pytest

from kubelite.controllers.namespace import NamespaceController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded

NAME = "going"


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    registry.create("namespaces", {"metadata": {"name": NAME}})
    return Controllers(registry, NamespaceController(registry, recorded, registry.kinds, registry.now))


def create(registry: Registry, plural: str, name: str, *finalizers: str, **more: object) -> Obj:
    metadata = {"name": name, "namespace": NAME, "finalizers": list(finalizers)}
    return registry.create(plural, {"metadata": metadata, **more})


def delete(registry: Registry, controllers: Controllers) -> dict[str, tuple[str, str, str]]:
    """The conditions of what is left of it, by type."""
    registry.delete("namespaces", None, NAME)
    controllers.settle()
    return told(registry)


def told(registry: Registry) -> dict[str, tuple[str, str, str]]:
    namespace = registry.find("namespaces", None, NAME)
    if namespace is None:
        return {}
    assert namespace["status"]["phase"] == "Terminating"
    listed = namespace["status"].get("conditions", ())
    return {one["type"]: (one["status"], one["reason"], one["message"]) for one in listed}


def release(registry: Registry, plural: str, name: str) -> None:
    registry.patch(plural, NAME, name, {"metadata": {"finalizers": None}})


def test_everything_in_it_goes_with_it(registry: Registry, controllers: Controllers) -> None:
    create(registry, "configmaps", "a")
    create(registry, "secrets", "b")
    create(registry, "events", "c", involvedObject={"namespace": NAME})
    registry.create("configmaps", {"metadata": {"name": "other", "namespace": "default"}})
    assert delete(registry, controllers) == {}
    assert [meta.name(one) for one in registry.list("configmaps")] == ["other"]
    assert registry.list("secrets", NAME) + registry.list("events", NAME) == []


def test_what_holds_it_is_told(registry: Registry, controllers: Controllers) -> None:
    create(registry, "configmaps", "a", "example.com/one")
    create(registry, "configmaps", "b", "example.com/one", "example.com/two")
    create(registry, "leases", "c", "example.com/two")
    create(registry, "secrets", "d")
    assert delete(registry, controllers) == {
        "NamespaceDeletionDiscoveryFailure": (
            *("False", "ResourcesDiscovered"),
            "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            *("False", "ParsedGroupVersions"),
            "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            *("False", "ContentDeleted"),
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            *("True", "SomeResourcesRemain"),
            "Some resources are remaining: configmaps. has 2 resource instances, "
            "leases.coordination.k8s.io has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            *("True", "SomeFinalizersRemain"),
            "Some content in the namespace has finalizers remaining: example.com/one in 2 resource instances, "
            "example.com/two in 2 resource instances",
        ),
    }


def test_it_follows_what_lets_go(registry: Registry, controllers: Controllers, clock: Clock) -> None:
    create(registry, "configmaps", "a", "example.com/one")
    create(registry, "configmaps", "b", "example.com/one", "example.com/two")
    delete(registry, controllers)
    registry.patch("configmaps", NAME, "b", {"metadata": {"finalizers": ["example.com/one"]}})
    controllers.settle()
    assert told(registry)["NamespaceFinalizersRemaining"][2].endswith("example.com/one in 2 resource instances")
    release(registry, "configmaps", "a")
    controllers.settle()
    assert told(registry)["NamespaceContentRemaining"][2].endswith("configmaps. has 1 resource instances")
    release(registry, "configmaps", "b")
    controllers.settle()
    assert told(registry) == {}


def test_a_finalizer_of_its_own_keeps_an_empty_namespace(registry: Registry, controllers: Controllers) -> None:
    registry.patch("namespaces", None, NAME, {"metadata": {"finalizers": ["example.com/own"]}})
    create(registry, "configmaps", "a")
    conditions = delete(registry, controllers)
    assert conditions["NamespaceContentRemaining"] == ("False", "ContentRemoved", "All content successfully removed")
    assert conditions["NamespaceFinalizersRemaining"][1] == "ContentHasNoFinalizers"
    assert registry.list("configmaps", NAME) == []
    registry.patch("namespaces", None, NAME, {"metadata": {"finalizers": None}})
    assert told(registry) == {}


def test_a_finalizer_in_its_spec_is_left_to_whoever_put_it_there(registry: Registry, controllers: Controllers) -> None:
    spec = {"finalizers": ["kubernetes", "example.com/other"]}
    registry.finalize({**registry.get("namespaces", None, NAME), "spec": spec})
    delete(registry, controllers)
    namespace = registry.get("namespaces", None, NAME)
    assert namespace["spec"]["finalizers"] == ["example.com/other"]
    registry.finalize({**namespace, "spec": {}})
    assert registry.find("namespaces", None, NAME) is None
