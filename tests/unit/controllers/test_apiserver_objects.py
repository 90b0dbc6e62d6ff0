"""The API server's own objects come back when somebody removes or alters them."""

from __future__ import annotations

import pytest

from kubelite import errors
from kubelite.bootstrap import initial_objects
from kubelite.controllers.apiserver_objects import ApiserverObjects
from kubelite.controllers.namespace import NamespaceController
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    made = Controllers(
        registry,
        ApiserverObjects(registry, recorded, initial_objects(registry.settings)),
        NamespaceController(registry, recorded, registry.kinds),
    )
    made.settle()
    return made


@pytest.mark.parametrize("plural", ["services", "endpoints", "endpointslices"])
def test_what_is_removed_comes_back(plural: str, registry: Registry, controllers: Controllers) -> None:
    before = registry.get(plural, "default", "kubernetes")
    registry.delete(plural, "default", "kubernetes")
    controllers.settle()
    after = registry.get(plural, "default", "kubernetes")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    for field in ("subsets", "endpoints", "ports"):
        assert after.get(field) == before.get(field)
    assert after.get("spec", {}).get("clusterIP") == before.get("spec", {}).get("clusterIP")


def test_endpoints_that_somebody_altered_are_put_right(registry: Registry, controllers: Controllers) -> None:
    before = registry.get("endpoints", "default", "kubernetes")
    subsets = [{**before["subsets"][0], "addresses": [{"ip": "192.0.2.1"}]}]
    registry.update("endpoints", {**before, "subsets": subsets})
    controllers.settle()
    assert registry.get("endpoints", "default", "kubernetes")["subsets"] == before["subsets"]


def test_labels_of_users_stay(registry: Registry, controllers: Controllers) -> None:
    registry.patch("services", "default", "kubernetes", {"metadata": {"labels": {"mine": "yes"}}})
    controllers.settle()
    assert registry.get("services", "default", "kubernetes")["metadata"]["labels"]["mine"] == "yes"


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_system_namespace_may_not_be_deleted(name: str, registry: Registry, controllers: Controllers) -> None:
    with pytest.raises(errors.StatusError, match="is forbidden: this namespace may not be deleted") as refused:
        registry.delete("namespaces", None, name)
    assert refused.value.code == 403


def test_namespace_of_the_leases_comes_back(registry: Registry, controllers: Controllers) -> None:
    """Upstream lets it be deleted, and makes it anew."""
    before = registry.get("namespaces", None, "kube-node-lease")
    registry.delete("namespaces", None, "kube-node-lease")
    controllers.settle()
    after = registry.get("namespaces", None, "kube-node-lease")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"] == {"phase": "Active"}
