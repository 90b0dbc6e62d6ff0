"""Endpoints and EndpointSlices: who is in, who is ready, names, ports, and how little is rewritten."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.endpoints.controller import EndpointsController, EndpointSliceController
from kubelite.controllers.endpoints.slices import LIMIT
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    return Controllers(registry, EndpointSliceController(registry, recorded), EndpointsController(registry, recorded))


def service(registry: Registry, **spec: Any) -> Obj:
    wanted = {"selector": {"app": "web"}, "ports": [{"port": 80, "name": "http"}], **spec}
    return registry.create("services", {"metadata": {"name": "web", "namespace": "default"}, "spec": wanted})


def pod(registry: Registry, name: str, address: str, *, ready: bool = True, phase: str = "Running", **spec: Any) -> Obj:
    container = {"name": "c", "image": "httpd", "ports": [{"name": "named", "containerPort": 8080}]}
    metadata = {"name": name, "namespace": "default", "labels": {"app": "web"}}
    created = registry.create(
        "pods", {"metadata": metadata, "spec": {"containers": [container], "nodeName": "node", **spec}}
    )
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    status = {**created["status"], "phase": phase, "podIP": address, "conditions": [condition]}
    return registry.update("pods", {**created, "status": status}, "status")


def slices(registry: Registry) -> list[Obj]:
    return registry.list("endpointslices", "default")


def conditions(registry: Registry) -> dict[str, dict[str, bool]]:
    return {one["targetRef"]["name"]: one["conditions"] for found in slices(registry) for one in found["endpoints"]}


READY = {"ready": True, "serving": True, "terminating": False}


def test_ready_and_unready_pods_are_told_apart(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    pod(registry, "a", "172.30.0.20")
    pod(registry, "b", "172.30.0.21", ready=False)
    controllers.settle()
    assert conditions(registry) == {"a": READY, "b": {"ready": False, "serving": False, "terminating": False}}
    (subset,) = registry.get("endpoints", "default", "web")["subsets"]
    assert [one["ip"] for one in subset["addresses"]] == ["172.30.0.20"]
    assert [one["ip"] for one in subset["notReadyAddresses"]] == ["172.30.0.21"]
    assert subset["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"}]


def test_a_terminating_pod_serves_but_is_not_ready(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    pod(registry, "a", "172.30.0.20")
    registry.delete("pods", "default", "a")
    controllers.settle()
    assert conditions(registry) == {"a": {"ready": False, "serving": True, "terminating": True}}
    assert "subsets" not in registry.get("endpoints", "default", "web")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_are_left_out(registry: Registry, controllers: Controllers, phase: str) -> None:
    service(registry)
    pod(registry, "a", "172.30.0.20", phase=phase)
    controllers.settle()
    assert conditions(registry) == {}


def test_publish_not_ready_addresses_makes_every_pod_ready(registry: Registry, controllers: Controllers) -> None:
    service(registry, clusterIP="None", publishNotReadyAddresses=True)
    pod(registry, "a", "172.30.0.20", ready=False)
    controllers.settle()
    assert conditions(registry)["a"]["ready"] is True


def test_host_names_only_with_the_matching_subdomain(registry: Registry, controllers: Controllers) -> None:
    service(registry, clusterIP="None")
    pod(registry, "web-0", "172.30.0.20", hostname="web-0", subdomain="web")
    pod(registry, "other", "172.30.0.21", hostname="other", subdomain="elsewhere")
    controllers.settle()
    (found,) = slices(registry)
    assert {one["targetRef"]["name"]: one.get("hostname") for one in found["endpoints"]} == {
        "web-0": "web-0",
        "other": None,
    }
    assert meta.labels(found)["service.kubernetes.io/headless"] == ""
    assert meta.labels(found)["kubernetes.io/service-name"] == "web"


def test_a_named_target_port_is_looked_up_in_the_pod(registry: Registry, controllers: Controllers) -> None:
    service(registry, ports=[{"port": 80, "targetPort": "named"}])
    pod(registry, "a", "172.30.0.20")
    controllers.settle()
    assert slices(registry)[0]["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]


def test_a_headless_service_without_ports_has_endpoints(registry: Registry, controllers: Controllers) -> None:
    service(registry, clusterIP="None", ports=[])
    pod(registry, "a", "172.30.0.20")
    controllers.settle()
    assert conditions(registry) == {"a": READY}
    assert registry.get("endpoints", "default", "web")["subsets"][0]["addresses"][0]["ip"] == "172.30.0.20"


def test_a_service_without_pods_keeps_one_empty_slice(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    controllers.settle()
    assert [found["endpoints"] for found in slices(registry)] == [[]]
    pod(registry, "a", "172.30.0.20")
    controllers.settle()
    assert len(slices(registry)) == 1
    assert conditions(registry) == {"a": READY}


def test_a_service_without_selector_is_left_to_its_user(registry: Registry, controllers: Controllers) -> None:
    service(registry, selector=None)
    pod(registry, "a", "172.30.0.20")
    controllers.settle()
    assert slices(registry) == []
    assert registry.find("endpoints", "default", "web") is None


def test_many_pods_share_slices_and_one_change_rewrites_one(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    for number in range(LIMIT + 5):
        pod(registry, f"p{number}", f"172.30.{number // 250}.{number % 250 + 1}")
    controllers.settle()
    assert sorted(len(found["endpoints"]) for found in slices(registry)) == [5, LIMIT]
    before = {meta.name(found): meta.resource_version(found) for found in slices(registry)}
    registry.delete("pods", "default", "p0", grace=0)
    controllers.settle()
    after = {meta.name(found): meta.resource_version(found) for found in slices(registry)}
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1


def test_endpoints_go_with_their_service(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    pod(registry, "a", "172.30.0.20")
    controllers.settle()
    registry.delete("services", "default", "web")
    controllers.settle()
    assert registry.find("endpoints", "default", "web") is None


def test_endpoints_are_listed_by_address_whenever_they_came(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    for last in (30, 9, 20):
        pod(registry, f"p{last}", f"172.30.0.{last}")
        controllers.settle()
    (found,) = slices(registry)
    assert [one["addresses"][0] for one in found["endpoints"]] == ["172.30.0.9", "172.30.0.20", "172.30.0.30"]


def test_a_pod_that_is_bound_to_no_node_is_shown_without_one(registry: Registry, controllers: Controllers) -> None:
    service(registry)
    pod(registry, "a", "172.30.0.20", nodeName=None)
    controllers.settle()
    ((endpoint,),) = (one["endpoints"] for one in slices(registry))
    assert "nodeName" not in endpoint
    assert "nodeName" not in registry.get("endpoints", "default", "web")["subsets"][0]["addresses"][0]
