"""Hand-made Endpoints, mirrored to slices."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.endpoints.mirroring import EndpointSliceMirroringController
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    return Controllers(registry, EndpointSliceMirroringController(registry, recorded))


def service(registry: Registry, **spec: Any) -> Obj:
    wanted = {"ports": [{"port": 80, "name": "http"}], **spec}
    return registry.create("services", {"metadata": {"name": "web", "namespace": "default"}, "spec": wanted})


def endpoints(registry: Registry, *subsets: Obj, **metadata: Any) -> Obj:
    named = {"name": "web", "namespace": "default", **metadata}
    return registry.create("endpoints", {"metadata": named, "subsets": list(subsets)})


def subset(*addresses: str, port: int = 80, name: str = "", **more: Any) -> Obj:
    return {"addresses": [{"ip": one} for one in addresses], "ports": [{"name": name, "port": port}], **more}


def mirrored(registry: Registry) -> list[tuple[str, list[int], list[list[str]]]]:
    return sorted(
        (
            one["addressType"],
            [port["port"] for port in one["ports"]],
            [endpoint["addresses"] for endpoint in one["endpoints"]],
        )
        for one in registry.list("endpointslices", "default")
    )


def test_a_mirror_follows_create_update_and_delete(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    made = endpoints(registry, subset("10.1.2.3"))
    controllers.settle()
    assert mirrored(registry) == [("IPv4", [80], [["10.1.2.3"]])]
    (before,) = registry.list("endpointslices", "default")

    registry.update("endpoints", {**made, "subsets": [subset("10.2.3.4", port=81)]})
    controllers.settle()
    (after,) = registry.list("endpointslices", "default")
    assert mirrored(registry) == [("IPv4", [81], [["10.2.3.4"]])]
    assert meta.name(after) == meta.name(before)

    registry.delete("endpoints", "default", "web")
    controllers.settle()
    assert mirrored(registry) == []


def test_a_mirror_is_labelled_and_owned_as_upstreams(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    annotations = {"mine": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    made = endpoints(registry, subset("10.1.2.3"), labels={"app": "db"}, annotations=annotations)
    controllers.settle()
    (one,) = registry.list("endpointslices", "default")
    assert meta.name(one).startswith("web-")
    assert meta.annotations(one) == {"mine": "1"}
    assert meta.labels(one) == {
        "app": "db",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    (owner,) = one["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Endpoints", meta.uid(made), True)


def test_addresses_ports_and_readiness_are_told_apart(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    endpoints(
        registry,
        subset("10.1.2.3", name="a", notReadyAddresses=[{"ip": "10.1.2.4", "hostname": "two"}]),
        subset("10.1.2.3", "fd00::1", name="b", port=81),
    )
    controllers.settle()
    assert mirrored(registry) == [
        ("IPv4", [80], [["10.1.2.3"], ["10.1.2.4"]]),
        ("IPv4", [81], [["10.1.2.3"]]),
        ("IPv6", [81], [["fd00::1"]]),
    ]
    first = next(one for one in registry.list("endpointslices", "default") if one["ports"][0]["name"] == "a")
    assert [(one["conditions"], one.get("hostname")) for one in first["endpoints"]] == [
        ({"ready": True}, None),
        ({"ready": False}, "two"),
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        {"annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}},
    ],
)
def test_some_endpoints_arent_mirrored(registry: Registry, controllers: Controllers, metadata: Obj) -> None:
    service(registry)
    endpoints(registry, subset("10.1.2.3"), **metadata)
    controllers.settle()
    assert mirrored(registry) == []


def test_only_services_without_selector_are_served(registry: Registry, controllers: Controllers) -> None:
    endpoints(registry, subset("10.1.2.3"))
    controllers.settle()
    assert mirrored(registry) == []
    made = service(registry)
    controllers.settle()
    assert len(mirrored(registry)) == 1
    registry.update("services", {**made, "spec": {**made["spec"], "selector": {"app": "web"}}})
    controllers.settle()
    assert mirrored(registry) == []


def test_a_mirror_that_somebody_deletes_or_changes_comes_back(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    endpoints(registry, subset("10.1.2.3"))
    controllers.settle()
    (one,) = registry.list("endpointslices", "default")
    registry.update("endpointslices", {**one, "endpoints": []})
    controllers.settle()
    assert mirrored(registry) == [("IPv4", [80], [["10.1.2.3"]])]
    registry.delete("endpointslices", "default", meta.name(one))
    controllers.settle()
    assert mirrored(registry) == [("IPv4", [80], [["10.1.2.3"]])]
