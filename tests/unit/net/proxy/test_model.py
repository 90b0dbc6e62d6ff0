"""Services and EndpointSlices cut down to what the rules need."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.net.proxy.model import Endpoint, Port, Service, Slice, SlicePort, endpoint_slice, service

Object = dict[str, Any]


def api_service(**spec: Any) -> Object:
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30080}]
    return {
        "metadata": {"namespace": "prod", "name": "web", "uid": "u1"},
        "spec": {"type": "NodePort", "clusterIP": "10.254.0.9", "clusterIPs": ["10.254.0.9"], "ports": ports, **spec},
    }


def test_service_with_everything() -> None:
    obj = api_service(
        type="LoadBalancer",
        externalIPs=["192.0.2.1"],
        sessionAffinity="ClientIP",
        sessionAffinityConfig={"clientIP": {"timeoutSeconds": 60}},
        internalTrafficPolicy="Local",
        externalTrafficPolicy="Local",
        loadBalancerSourceRanges=["10.0.0.0/8", " 192.168.0.0/16"],
        healthCheckNodePort=32000,
    )
    obj["status"] = {"loadBalancer": {"ingress": [{"ip": "172.30.0.1"}, {"ip": "172.30.0.9", "ipMode": "Proxy"}]}}
    assert service(obj) == Service(
        ("prod", "web"),
        uid="u1",
        cluster_ips=("10.254.0.9",),
        external_ips=("192.0.2.1",),
        balancer_ips=("172.30.0.1",),
        ports=(Port("http", "tcp", 80, 30080),),
        affinity_seconds=60,
        internal_local=True,
        external_local=True,
        source_ranges=("10.0.0.0/8", "192.168.0.0/16"),
        health_port=32000,
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "None", "clusterIPs": ["None"]},
        {"type": "ExternalName", "externalName": "example.org"},
        {"clusterIP": "", "clusterIPs": []},
        {"clusterIP": "fd00::9", "clusterIPs": ["fd00::9"]},
    ],
)
def test_service_without_an_address_of_ours_has_nothing(spec: Object) -> None:
    assert service(api_service(**spec)) == Service(("prod", "web"))


def test_zeros_in_front_of_a_number_mean_nothing() -> None:
    assert service(api_service(clusterIPs=["10.0.0.011"])).cluster_ips == ("10.0.0.11",)
    assert endpoint_slice(api_slice({"addresses": ["10.1.2.03"]})).endpoints[0].address == "10.1.2.3"


def test_affinity_lasts_three_hours_unless_told() -> None:
    assert service(api_service(sessionAffinity="ClientIP")).affinity_seconds == 10800
    assert service(api_service(sessionAffinity="None")).affinity_seconds == 0


def api_slice(*endpoints: Object, **more: Any) -> Object:
    return {
        "metadata": {"namespace": "prod", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        **more,
    }


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, Endpoint("172.30.0.5")),
        ({"ready": None}, Endpoint("172.30.0.5")),
        ({"ready": True, "serving": True, "terminating": False}, Endpoint("172.30.0.5")),
        ({"ready": False}, Endpoint("172.30.0.5", ready=False, serving=False)),
        (
            {"ready": False, "serving": True, "terminating": True},
            Endpoint("172.30.0.5", ready=False, serving=True, terminating=True),
        ),
    ],
)
def test_conditions_of_an_endpoint(conditions: Object, expected: Endpoint) -> None:
    read = endpoint_slice(api_slice({"addresses": ["172.30.0.5"], "conditions": conditions}))
    assert read.endpoints == (expected,)


def test_slice_belongs_to_the_service_of_its_label() -> None:
    read = endpoint_slice(api_slice({"addresses": ["172.30.0.5"], "nodeName": "n1"}))
    assert read == Slice(
        ("prod", "web-1"), ("prod", "web"), (Endpoint("172.30.0.5", "n1"),), (SlicePort("http", "tcp", 8080),)
    )


@pytest.mark.parametrize("kind", ["IPv6", "FQDN"])
def test_slice_of_other_addresses_is_nobodys(kind: str) -> None:
    assert endpoint_slice(api_slice({"addresses": ["fd00::5"]}, addressType=kind)).endpoints == ()


def test_port_without_a_number_leads_nowhere() -> None:
    assert endpoint_slice(api_slice(ports=[{"name": "http"}])).ports == ()
    assert endpoint_slice(api_slice(ports=None, endpoints=None)).ports == ()


@pytest.mark.parametrize("label", ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
def test_what_another_proxy_serves_is_left_to_it(label: str) -> None:
    labels = {"kubernetes.io/service-name": "web", label: "foo-bar"}
    metadata = {"namespace": "prod", "name": "web", "labels": labels}
    found = service({**api_service(clusterIP="10.254.0.9"), "metadata": metadata})
    assert found == Service(("prod", "web"), cluster_ips=("10.254.0.9",))
    assert endpoint_slice({**api_slice({"addresses": ["172.30.0.5"]}), "metadata": metadata}).endpoints == ()
