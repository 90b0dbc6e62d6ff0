"""The transactions: what a change touches, and in which order."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from kubelite.net.proxy.ruleset import Ruleset
from kubelite.net.rules import Fragment, Ground, skeleton

GROUND = Ground(
    "t", "br-1", IPv4Address("172.30.0.1"), IPv4Network("172.30.0.0/16"), IPv4Network("10.254.0.0/16"), "n1"
)
WEB = ("default", "web")
DB = ("default", "db")


def leading(chain: str, rule: str, address: str = "10.254.0.9") -> Fragment:
    return Fragment(chains={chain: (rule,)}, elements={("service-ips", f"{address} . tcp . 80"): f"goto {chain}"})


def lines(script: str) -> list[str]:
    return script.splitlines()


@pytest.fixture
def ruleset() -> Ruleset:
    return Ruleset(GROUND)


def test_new_service_is_declared_before_it_is_led_to(ruleset: Ruleset) -> None:
    assert lines(ruleset.change({WEB: leading("service/web", "dnat to 172.30.0.5:80")})) == [
        "add chain ip t service/web",
        "add rule ip t service/web dnat to 172.30.0.5:80",
        "add element ip t service-ips { 10.254.0.9 . tcp . 80 : goto service/web }",
    ]


def test_other_endpoints_change_one_chain_only(ruleset: Ruleset) -> None:
    ruleset.change(
        {WEB: leading("service/web", "dnat to 172.30.0.5:80"), DB: leading("service/db", "old", "10.254.0.8")}
    )
    assert lines(ruleset.change({WEB: leading("service/web", "dnat to 172.30.0.6:80")})) == [
        "flush chain ip t service/web",
        "add rule ip t service/web dnat to 172.30.0.6:80",
    ]


def test_no_difference_is_no_script(ruleset: Ruleset) -> None:
    web = leading("service/web", "dnat to 172.30.0.5:80")
    ruleset.change({WEB: web})
    assert ruleset.change({WEB: web}) == ""
    assert ruleset.change({DB: Fragment()}) == ""


def test_last_endpoint_gone_turns_the_way_into_a_refusal(ruleset: Ruleset) -> None:
    ruleset.change({WEB: leading("service/web", "dnat to 172.30.0.5:80")})
    refused = Fragment(elements={("refused-ips", "10.254.0.9 . tcp . 80"): "goto refuse"})
    assert lines(ruleset.change({WEB: refused})) == [
        "delete element ip t service-ips { 10.254.0.9 . tcp . 80 }",
        "add element ip t refused-ips { 10.254.0.9 . tcp . 80 : goto refuse }",
        "flush chain ip t service/web",
        "delete chain ip t service/web",
    ]


def test_removed_service_leaves_nothing(ruleset: Ruleset) -> None:
    sticky = Fragment(
        sets={"affinity": "type ipv4_addr;"},
        chains={"service/web": ("goto endpoint",), "endpoint": ("update @affinity { ip saddr }",)},
        elements={("hairpins", "172.30.0.5 . 172.30.0.5"): ""},
    )
    ruleset.change({WEB: sticky})
    assert lines(ruleset.change({WEB: Fragment()})) == [
        "delete element ip t hairpins { 172.30.0.5 . 172.30.0.5 }",
        "flush chain ip t service/web",
        "flush chain ip t endpoint",
        "delete chain ip t service/web",
        "delete chain ip t endpoint",
        "delete set ip t affinity",
    ]
    assert lines(ruleset.full()) == ["add table ip t", "delete table ip t", *lines(skeleton(GROUND)), ""]


def test_element_that_two_want_goes_to_the_first_and_then_to_the_other(ruleset: Ruleset) -> None:
    ruleset.change({WEB: leading("service/web", "a"), DB: Fragment()})
    assert "element" not in ruleset.change({DB: leading("service/db", "b")})
    moved = lines(ruleset.change({WEB: Fragment()}))
    assert moved[:2] == [
        "delete element ip t service-ips { 10.254.0.9 . tcp . 80 }",
        "add element ip t service-ips { 10.254.0.9 . tcp . 80 : goto service/db }",
    ]


def test_shared_endpoint_stays_until_nobody_has_it(ruleset: Ruleset) -> None:
    shared = Fragment(elements={("hairpins", "172.30.0.5 . 172.30.0.5"): ""})
    assert ruleset.change({WEB: shared, DB: shared}).count("172.30.0.5 . 172.30.0.5") == 1
    assert ruleset.change({WEB: Fragment()}) == ""
    assert ruleset.change({DB: Fragment()}) == "delete element ip t hairpins { 172.30.0.5 . 172.30.0.5 }\n"


def test_verdict_that_changes_is_taken_out_and_put_in(ruleset: Ruleset) -> None:
    key = ("refused-ips", "10.254.0.9 . tcp . 80")
    ruleset.change({WEB: Fragment(elements={key: "goto refuse"})})
    assert lines(ruleset.change({WEB: Fragment(elements={key: "drop"})})) == [
        "delete element ip t refused-ips { 10.254.0.9 . tcp . 80 }",
        "add element ip t refused-ips { 10.254.0.9 . tcp . 80 : drop }",
    ]


def test_full_script_replaces_the_table_in_one_go(ruleset: Ruleset) -> None:
    ruleset.change({WEB: leading("service/web", "a"), DB: leading("service/db", "b", "10.254.0.8")})
    script = lines(ruleset.full())
    assert script[:2] == ["add table ip t", "delete table ip t"]
    rest = [line for line in script[2:] if line not in lines(skeleton(GROUND))]
    assert rest == [
        "add chain ip t service/web",
        "add chain ip t service/db",
        "add rule ip t service/web a",
        "add rule ip t service/db b",
        "add element ip t service-ips { 10.254.0.9 . tcp . 80 : goto service/web, "
        "10.254.0.8 . tcp . 80 : goto service/db }",
    ]


def test_datagrams_of_some_or_all(ruleset: Ruleset) -> None:
    one = {("10.254.0.2", 53): frozenset({("172.30.0.2", 53)})}
    other = {("10.254.0.8", 99): frozenset[tuple[str, int]]()}
    ruleset.change({WEB: Fragment(datagrams=one), DB: Fragment(datagrams=other)})
    assert ruleset.datagrams([WEB, ("not", "known")]) == one
    assert ruleset.datagrams() == one | other
