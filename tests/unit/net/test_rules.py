"""The pure function from Services and EndpointSlices to rules, against expected rule sets."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from kubelite.net.proxy.model import Endpoint, Port, Service, Slice, SlicePort
from kubelite.net.rules import Fragment, Ground, Listen, fragment, listens, skeleton

GROUND = Ground(
    table="kubelite-test",
    bridge="br-1",
    gateway=IPv4Address("172.30.0.1"),
    pods=IPv4Network("172.30.0.0/16"),
    services=IPv4Network("10.254.0.0/16"),
    node="n1",
)
HTTP = Port("", "tcp", 80)
WEB = Service(("default", "web"), cluster_ips=("10.254.0.9",), ports=(HTTP,))
NODE_PORT = replace(WEB, ports=(replace(HTTP, node_port=8768),))


def endpoint(number: int, *, ready: bool = True, serving: bool = True, leaving: bool = False) -> Endpoint:
    return Endpoint(f"172.30.0.{number}", "n1", ready, serving, leaving)


def part(*endpoints: Endpoint, port: int = 8080, name: str = "", protocol: str = "tcp") -> Slice:
    return Slice(("default", "web-1"), ("default", "web"), endpoints, (SlicePort(name, protocol, port),))


def elements(found: Fragment, name: str) -> dict[str, str]:
    return {key: verdict for (where, key), verdict in found.elements.items() if where == name}


def test_three_endpoints_have_the_same_chance() -> None:
    found = fragment(WEB, [part(endpoint(7), endpoint(5), endpoint(16))], GROUND)
    assert found.chains == {
        "service/default/web/tcp/80": (
            "meta l4proto tcp dnat ip to numgen random mod 3 map "
            "{ 0 : 172.30.0.5 . 8080, 1 : 172.30.0.7 . 8080, 2 : 172.30.0.16 . 8080 }",
        )
    }
    assert elements(found, "service-ips") == {"10.254.0.9 . tcp . 80": "goto service/default/web/tcp/80"}
    assert elements(found, "cluster-ips") == {"10.254.0.9": ""}
    assert elements(found, "refused-ips") == {}
    assert elements(found, "hairpins").keys() == {f"172.30.0.{number} . 172.30.0.{number}" for number in (5, 7, 16)}


def test_one_endpoint_needs_no_draw() -> None:
    found = fragment(WEB, [part(endpoint(5))], GROUND)
    assert list(found.chains.values()) == [("meta l4proto tcp dnat ip to 172.30.0.5:8080",)]


@pytest.mark.parametrize("service", [None, Service(("default", "web"))])
def test_service_without_an_address_has_no_rules(service: Service | None) -> None:
    assert fragment(service, [part(endpoint(5))], GROUND) == Fragment()


def test_without_endpoints_it_is_refused() -> None:
    found = fragment(NODE_PORT, [], GROUND)
    assert found.chains == {}
    assert elements(found, "refused-ips") == {"10.254.0.9 . tcp . 80": "goto refuse"}
    assert elements(found, "refused-node-ports") == {"tcp . 8768": "goto refuse"}
    assert elements(found, "service-ips") == elements(found, "service-node-ports") == {}


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([endpoint(5), endpoint(6, ready=False, serving=False)], [5]),
        ([endpoint(5), endpoint(6, ready=False, leaving=True)], [5]),
        ([endpoint(5, ready=False, leaving=True), endpoint(6, ready=False, leaving=True)], [5, 6]),
        ([endpoint(5, ready=False, leaving=True), endpoint(6, ready=False, serving=False, leaving=True)], [5]),
        ([endpoint(5, ready=False, serving=False)], []),
    ],
)
def test_leaving_endpoints_serve_while_no_ready_one_is_there(endpoints: list[Endpoint], expected: list[int]) -> None:
    found = fragment(WEB, [part(*endpoints)], GROUND)
    assert elements(found, "hairpins").keys() == {f"172.30.0.{n} . 172.30.0.{n}" for n in expected}


def test_endpoints_of_several_slices_with_their_own_target_ports() -> None:
    found = fragment(WEB, [part(endpoint(5)), part(endpoint(6), endpoint(5), port=9090)], GROUND)
    (rules,) = found.chains.values()
    assert "{ 0 : 172.30.0.5 . 8080, 1 : 172.30.0.5 . 9090, 2 : 172.30.0.6 . 9090 }" in rules[0]


def test_same_endpoint_twice_counts_once() -> None:
    found = fragment(WEB, [part(endpoint(5)), part(endpoint(5))], GROUND)
    assert list(found.chains.values()) == [("meta l4proto tcp dnat ip to 172.30.0.5:8080",)]


def test_ports_find_their_slice_port_by_name_and_protocol() -> None:
    service = replace(WEB, ports=(Port("dns", "udp", 53), Port("dns-tcp", "tcp", 53), Port("gone", "tcp", 99)))
    parts = [part(endpoint(5), port=5353, name="dns", protocol="udp"), part(endpoint(5), port=54, name="dns-tcp")]
    found = fragment(service, parts, GROUND)
    assert found.chains == {
        "service/default/web/udp/dns": ("meta l4proto udp dnat ip to 172.30.0.5:5353",),
        "service/default/web/tcp/dns-tcp": ("meta l4proto tcp dnat ip to 172.30.0.5:54",),
    }
    assert elements(found, "refused-ips") == {"10.254.0.9 . tcp . 99": "goto refuse"}


def test_datagrams_may_go_to_the_endpoints_only() -> None:
    service = replace(WEB, ports=(Port("", "udp", 53, node_port=30053),))
    targets = frozenset({("172.30.0.5", 53), ("172.30.0.6", 53)})
    parts = [part(endpoint(5), endpoint(6), port=53, protocol="udp")]
    found = fragment(service, parts, GROUND)
    assert found.datagrams == {("10.254.0.9", 53): targets, ("", 30053): targets}
    assert fragment(service, [], GROUND).datagrams == {("10.254.0.9", 53): frozenset(), ("", 30053): frozenset()}
    assert fragment(NODE_PORT, [part(endpoint(5))], GROUND).datagrams == {}


def test_node_port_rewrites_the_source() -> None:
    found = fragment(NODE_PORT, [part(endpoint(5))], GROUND)
    assert elements(found, "service-node-ports") == {"tcp . 8768": "goto external/default/web/tcp/80"}
    assert found.chains["external/default/web/tcp/80"] == (
        "meta mark set meta mark or 0x4000",
        "goto service/default/web/tcp/80",
    )


def test_external_policy_local_keeps_the_source() -> None:
    service = replace(NODE_PORT, external_local=True)
    found = fragment(service, [part(endpoint(5))], GROUND)
    assert elements(found, "service-node-ports") == {"tcp . 8768": "goto service/default/web/tcp/80"}
    assert found.chains.keys() == {"service/default/web/tcp/80"}


def test_local_policies_use_endpoints_of_this_node_only() -> None:
    parts = [part(endpoint(5), Endpoint("172.30.0.6", "other"), Endpoint("172.30.0.7"))]
    outer = fragment(replace(NODE_PORT, external_local=True), parts, GROUND)
    assert outer.chains["local/default/web/tcp/80"] == ("meta l4proto tcp dnat ip to 172.30.0.5:8080",)
    assert "mod 3" in outer.chains["service/default/web/tcp/80"][0]
    assert elements(outer, "service-node-ports") == {"tcp . 8768": "goto local/default/web/tcp/80"}
    inner = fragment(replace(NODE_PORT, internal_local=True), parts, GROUND)
    assert inner.chains["service/default/web/tcp/80"] == ("meta l4proto tcp dnat ip to 172.30.0.5:8080",)
    assert "mod 3" in inner.chains["all/default/web/tcp/80"][0]
    assert inner.chains["external/default/web/tcp/80"][-1] == "goto all/default/web/tcp/80"


def test_local_policy_without_an_endpoint_here_drops() -> None:
    parts = [part(Endpoint("172.30.0.6", "other"))]
    found = fragment(replace(NODE_PORT, external_local=True, internal_local=True), parts, GROUND)
    assert elements(found, "refused-ips") == {"10.254.0.9 . tcp . 80": "drop"}
    assert elements(found, "refused-node-ports") == {"tcp . 8768": "drop"}
    assert found.chains == {}


def test_external_and_balancer_addresses_lead_to_the_service() -> None:
    service = replace(WEB, external_ips=("192.0.2.1",), balancer_ips=("172.30.0.1",))
    found = fragment(service, [part(endpoint(5))], GROUND)
    assert elements(found, "service-ips") == {
        "10.254.0.9 . tcp . 80": "goto service/default/web/tcp/80",
        "192.0.2.1 . tcp . 80": "goto external/default/web/tcp/80",
        "172.30.0.1 . tcp . 80": "goto external/default/web/tcp/80",
    }


def test_balancer_lets_only_its_source_ranges_in() -> None:
    service = replace(WEB, balancer_ips=("172.30.0.1",), source_ranges=("10.0.0.0/8", "192.168.0.0/16"))
    found = fragment(service, [part(endpoint(5))], GROUND)
    assert elements(found, "service-ips")["172.30.0.1 . tcp . 80"] == "goto balancer/default/web/tcp/80"
    assert found.chains["balancer/default/web/tcp/80"] == (
        "ip saddr != { 10.0.0.0/8, 192.168.0.0/16 } drop",
        "goto external/default/web/tcp/80",
    )


def test_affinity_remembers_clients_per_endpoint() -> None:
    found = fragment(replace(WEB, affinity_seconds=60), [part(endpoint(5), endpoint(6))], GROUND)
    first, second = (f"default/web/tcp/80/172.30.0.{n}/8080" for n in (5, 6))
    assert found.chains["service/default/web/tcp/80"] == (
        f"ip saddr @affinity-60/{first} goto endpoint/{first}",
        f"ip saddr @affinity-60/{second} goto endpoint/{second}",
        f"numgen random mod 2 vmap {{ 0 : goto endpoint/{first}, 1 : goto endpoint/{second} }}",
    )
    assert found.chains[f"endpoint/{first}"] == (
        f"update @affinity-60/{first} {{ ip saddr }}",
        "meta l4proto tcp dnat ip to 172.30.0.5:8080",
    )
    assert found.sets.keys() == {f"affinity-60/{first}", f"affinity-60/{second}"}
    assert "timeout 60s" in found.sets[f"affinity-60/{first}"]


def test_what_a_service_listens_on() -> None:
    service = replace(NODE_PORT, external_ips=("192.0.2.1",), balancer_ips=("172.30.0.1",))
    assert listens(service) == {
        Listen("", "tcp", 8768),
        Listen("192.0.2.1", "tcp", 80),
        Listen("172.30.0.1", "tcp", 80),
    }
    assert listens(WEB) == frozenset()


def test_taken_port_gets_no_rule() -> None:
    service = replace(NODE_PORT, balancer_ips=("172.30.0.1",))
    parts = [part(endpoint(5))]
    found = fragment(service, parts, GROUND, {Listen("", "tcp", 8768), Listen("172.30.0.1", "tcp", 80)})
    assert elements(found, "service-node-ports") == {}
    assert elements(found, "service-ips") == {"10.254.0.9 . tcp . 80": "goto service/default/web/tcp/80"}
    assert elements(fragment(service, [], GROUND, {Listen("", "tcp", 8768)}), "refused-node-ports") == {}


def test_longest_names_fit_the_kernel() -> None:
    name = "n" * 63
    service = Service(
        (name, name), cluster_ips=("10.254.0.9",), ports=(Port(name, "sctp", 80),), affinity_seconds=86400
    )
    offered = Slice(("x", "y"), (name, name), (Endpoint("172.30.255.254"),), (SlicePort(name, "sctp", 65535),))
    found = fragment(service, [offered], GROUND)
    assert max(map(len, [*found.chains, *found.sets])) < 256


def test_pods_are_masqueraded_only_where_their_replies_pass_us_by() -> None:
    rule = "ip saddr 172.30.0.0/16 ip daddr 172.30.0.0/16 masquerade"
    assert rule not in skeleton(GROUND)
    assert rule in skeleton(replace(GROUND, masquerade_pods=True))
