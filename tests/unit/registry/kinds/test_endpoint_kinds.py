"""Endpoints and EndpointSlices."""

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.endpoints import ENDPOINTS
from kubelite.registry.kinds.endpointslice import ENDPOINT_SLICE


def subset(count: int, **fields) -> Obj:
    return {
        "addresses": [{"ip": f"172.31.0.{105 + number}"} for number in range(count)],
        "ports": [{"port": 80}],
    } | fields


@pytest.mark.parametrize(
    ("subsets", "shown"),
    [
        (None, "<none>"),
        ([subset(3)], "172.31.0.105:80,172.31.0.106:80,172.31.0.107:80"),
        ([subset(5)], "172.31.0.105:80,172.31.0.106:80,172.31.0.107:80 + 2 more..."),
        ([subset(1, ports=None)], "172.31.0.105"),
        ([subset(0, notReadyAddresses=[{"ip": "172.31.0.9"}])], ""),
        ([subset(1), subset(1, addresses=[{"ip": "fd00::1"}])], "172.31.0.105:80,[fd00::1]:80"),
    ],
)
def test_endpoints_row_shows_three_targets(cluster, now, subsets: list[Obj] | None, shown: str) -> None:
    made = cluster.create(ENDPOINTS, {"metadata": {"name": "headless-svc"}, "subsets": subsets})
    assert ENDPOINTS.row(made, now) == ["headless-svc", shown, "10s"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        (
            {"addresses": [{"ip": "127.0.0.1"}]},
            'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": '
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (subset(1, ports=[{"port": 80}, {"port": 81, "name": "b"}]), "subsets[0].ports[0].name: Required value"),
        (
            subset(1, ports=[{"port": 80, "protocol": "X"}]),
            'subsets[0].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        ),
    ],
)
def test_wrong_endpoints_are_refused(cluster, refused, entry: Obj, message: str) -> None:
    assert refused(lambda: cluster.create(ENDPOINTS, {"subsets": [entry]})) == [message]


def test_endpoints_get_the_protocol(cluster) -> None:
    assert cluster.create(ENDPOINTS, {"subsets": [subset(1)]})["subsets"][0]["ports"] == [
        {"port": 80, "protocol": "TCP"}
    ]


def slice_of(*addresses: str, **fields) -> Obj:
    return {"addressType": "IPv4", "endpoints": [{"addresses": [address]} for address in addresses]} | fields


@pytest.mark.parametrize(
    ("made", "cells"),
    [
        (slice_of("10.0.0.1", ports=[{"port": 80}]), ["IPv4", "80", "10.0.0.1"]),
        (slice_of(), ["IPv4", "<unset>", "<unset>"]),
        (
            slice_of("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", ports=[{"name": "any"}]),
            ["IPv4", "any", "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more..."],
        ),
    ],
)
def test_slice_row_shows_three_addresses(cluster, now, made: Obj, cells: list[str]) -> None:
    assert ENDPOINT_SLICE.row(cluster.create(ENDPOINT_SLICE, made), now) == ["x", *cells, "10s"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (slice_of(addressType=""), "addressType: Required value"),
        (
            slice_of(addressType="IP"),
            'addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"',
        ),
        (slice_of("fd00::1"), 'endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'),
        (
            slice_of(endpoints=[{"addresses": []}]),
            "endpoints[0].addresses: Required value: must contain at least 1 address",
        ),
        (slice_of(ports=[{"port": 1}, {"port": 2}]), 'ports[1].name: Duplicate value: ""'),
        (
            {"addressType": "FQDN", "endpoints": [{"addresses": ["single"]}]},
            'endpoints[0].addresses[0]: Invalid value: "single": should be a domain with at least two segments separated by dots',
        ),
        (
            {**slice_of(), "endpoints": [{"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "z"}] * 2}}]},
            'endpoints[0].hints.forZones[1].name: Duplicate value: "z"',
        ),
        (slice_of(*["10.0.0.1"] * 1001), "endpoints: Too many: 1001: must have at most 1000 items"),
    ],
)
def test_wrong_slice_is_refused(cluster, refused, wanted: Obj, message: str) -> None:
    assert refused(lambda: cluster.create(ENDPOINT_SLICE, wanted)) == [message]


def test_slice_keeps_its_address_type(cluster, refused) -> None:
    old = cluster.create(ENDPOINT_SLICE, slice_of())
    assert refused(lambda: cluster.update(ENDPOINT_SLICE, old, lambda new: new.update(addressType="IPv6"))) == [
        'addressType: Invalid value: "IPv6": field is immutable'
    ]
