"""Services of type LoadBalancer: the node's address, and one port for one Service."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.loadbalancer import LoadBalancerController
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded

NODE = [{"ip": "172.30.0.1", "ipMode": "VIP"}]


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    return Controllers(registry, LoadBalancerController(registry, recorded, "172.30.0.1"))


def create(registry: Registry, name: str, port: int = 80, **spec: Any) -> Obj:
    wanted = {"type": "LoadBalancer", "ports": [{"port": port}], **spec}
    return registry.create("services", {"metadata": {"name": name, "namespace": "default"}, "spec": wanted})


def ingress(registry: Registry, name: str) -> list[Obj]:
    balancer: Obj = registry.get("services", "default", name)["status"]["loadBalancer"]
    return balancer.get("ingress") or []


def test_service_gets_the_nodes_address(registry: Registry, recorded: Recorded, controllers: Controllers) -> None:
    create(registry, "web")
    controllers.settle()
    assert ingress(registry, "web") == NODE
    assert "EnsuredLoadBalancer" in str(recorded.events)


@pytest.mark.parametrize("spec", [{"type": "NodePort"}, {"loadBalancerClass": "example.org/own"}])
def test_other_services_get_none(registry: Registry, controllers: Controllers, spec: Obj) -> None:
    create(registry, "web", **spec)
    controllers.settle()
    assert ingress(registry, "web") == []


def test_second_service_on_a_port_waits_until_the_first_is_gone(
    registry: Registry, recorded: Recorded, controllers: Controllers
) -> None:
    create(registry, "first")
    controllers.settle()
    create(registry, "second")
    create(registry, "third", port=81)
    controllers.settle()
    assert ingress(registry, "second") == []
    assert ingress(registry, "third") == NODE
    assert "port 80/TCP of 172.30.0.1 belongs to Service default/first" in str(recorded.events)
    registry.delete("services", "default", "first")
    controllers.settle()
    assert ingress(registry, "second") == NODE


def test_port_that_was_given_up_goes_to_who_waits(registry: Registry, controllers: Controllers) -> None:
    first = create(registry, "first")
    controllers.settle()
    create(registry, "second")
    controllers.settle()
    first = registry.get("services", "default", "first")
    registry.update("services", {**first, "spec": {**first["spec"], "type": "ClusterIP"}})
    controllers.settle()
    assert ingress(registry, "first") == []
    assert ingress(registry, "second") == NODE
