from __future__ import annotations

from typing import Any

import pytest

from kubelite.net.dns.index import Index
from kubelite.net.dns.model import KINDS, Endpoint, Namespace, Port, Service, Slice, endpoint_slice, service

WEB = Service(("prod", "web"), ("10.254.0.10",))
ONE, TWO = Endpoint.named("172.30.0.10"), Endpoint.named("172.30.0.11")


def test_synced_when_every_kind_was_listed() -> None:
    index = Index()
    for kind in KINDS:
        assert not index.synced
        assert index.replace(kind.entry, [])
    assert index.synced


def test_only_changes_count_as_changes() -> None:
    index = Index(serial=7)
    assert index.put(WEB)
    assert not index.put(Service(("prod", "web"), ("10.254.0.10",)))
    assert index.drop(Service, WEB.key)
    assert not index.drop(Service, WEB.key)
    assert index.serial == 9


def test_replacing_forgets_what_the_list_lacks() -> None:
    index = Index()
    index.replace(Namespace, [Namespace(("", "prod")), Namespace(("", "test"))])
    assert index.replace(Namespace, [Namespace(("", "test"))])
    assert not index.replace(Namespace, [Namespace(("", "test"))])
    assert not index.has_namespace("prod")
    assert index.has_namespace("test")


def test_endpoints_merge_the_slices_of_a_service() -> None:
    index, port = Index(), Port("http", "TCP", 80)
    index.put(Slice(("prod", "a"), "web", (ONE,), (port,)))
    index.put(Slice(("prod", "b"), "web", (ONE, TWO), (port,)))
    index.put(Slice(("test", "a"), "web", (Endpoint.named("172.30.0.12"),), (port,)))
    assert list(index.endpoints(WEB.key)) == [(ONE, port), (TWO, port)]


def test_updated_slice_leaves_nothing_behind() -> None:
    index = Index()
    index.put(Slice(("prod", "a"), "web", (ONE, ONE)))
    index.put(Slice(("prod", "a"), "other", (TWO,)))
    assert list(index.endpoints(WEB.key)) == []
    assert list(index.holders(ONE.address)) == []
    assert [endpoint for endpoint, _ in index.endpoints(("prod", "other"))] == [TWO]
    index.drop(Slice, ("prod", "a"))
    assert list(index.holders(TWO.address)) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"clusterIP": "10.254.0.10"}, Service(("prod", "web"), ("10.254.0.10",))),
        ({"clusterIP": "None"}, Service(("prod", "web"), headless=True)),
        ({"clusterIPs": ["None"], "clusterIP": "None"}, Service(("prod", "web"), headless=True)),
        ({}, Service(("prod", "web"))),
        ({"clusterIPs": ["FD00::0:1"]}, Service(("prod", "web"), ("fd00::1",))),
        (
            {"type": "ExternalName", "externalName": "example.org"},
            Service(("prod", "web"), external_name="example.org"),
        ),
        (
            {"clusterIP": "None", "ports": [{"port": 80}]},
            Service(("prod", "web"), ports=(Port("", "TCP", 80),), headless=True),
        ),
    ],
)
def test_service_as_dns_sees_it(spec: dict[str, Any], expected: Service) -> None:
    assert service({"metadata": {"namespace": "prod", "name": "web"}, "spec": spec}) == expected


@pytest.mark.parametrize(
    ("conditions", "published"),
    [
        ({"ready": True, "serving": True, "terminating": False}, True),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"ready": None}, True),
        ({}, True),
        (None, True),
    ],
)
def test_endpoint_is_published_unless_it_is_known_not_to_be_ready(conditions: Any, published: bool) -> None:
    obj = {
        "metadata": {"namespace": "prod", "name": "a"},
        "endpoints": [{"addresses": ["172.30.0.10"], "conditions": conditions}],
    }
    assert endpoint_slice(obj).addresses == (("172.30.0.10",) if published else ())


def test_slice_of_names_holds_no_addresses() -> None:
    obj = {
        "metadata": {"namespace": "prod", "name": "a"},
        "addressType": "FQDN",
        "endpoints": [{"addresses": ["db.example.org"]}],
        "ports": [{"name": "db", "port": None}],
    }
    assert endpoint_slice(obj) == Slice(("prod", "a"), "", (), (Port("db", "TCP"),))
