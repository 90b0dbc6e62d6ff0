"""The rule in Docker's chain, as nftables lists it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from kubelite.net.proxy import nft, passage
from kubelite.net.rules import Ground

GROUND = Ground(
    "kubelite-t", "br-1", IPv4Address("172.30.0.1"), IPv4Network("172.30.0.0/16"), IPv4Network("10.254.0.0/16"), "n1"
)
RETURN = {"handle": 2, "expr": [{"counter": {"packets": 0, "bytes": 0}}, {"return": None}]}


def rule(bridge: str, handle: int, mark: int = 0x2000) -> dict[str, Any]:
    marked = {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, mark]}, "right": mark}
    out = {"op": "==", "left": {"meta": {"key": "oifname"}}, "right": bridge}
    expressions = [{"match": out}, {"match": marked}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": None}]
    return {"handle": handle, "expr": expressions}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    scripts: list[str] = []
    monkeypatch.setattr(nft, "apply", scripts.append)
    return scripts


def chain(monkeypatch: pytest.MonkeyPatch, rules: list[dict[str, Any]] | None) -> None:
    monkeypatch.setattr(nft, "rules", lambda table, chain: rules)


def test_rule_is_put_before_the_others_once(monkeypatch: pytest.MonkeyPatch, scripts: list[str]) -> None:
    chain(monkeypatch, [RETURN, rule("br-2", 7), rule("br-1", 8, mark=0x1)])
    passage.allow(GROUND)
    assert scripts == [
        'insert rule ip filter DOCKER-USER oifname "br-1" meta mark and 0x2000 == 0x2000 '
        'counter accept comment "kubelite-t"'
    ]
    chain(monkeypatch, [rule("br-1", 9), RETURN])
    passage.allow(GROUND)
    assert len(scripts) == 1


def test_nothing_is_done_where_docker_has_no_such_chain(monkeypatch: pytest.MonkeyPatch, scripts: list[str]) -> None:
    chain(monkeypatch, None)
    passage.allow(GROUND)
    passage.close(["br-1"])
    assert scripts == []


def test_only_the_rules_of_the_bridges_named_are_taken_away(
    monkeypatch: pytest.MonkeyPatch, scripts: list[str]
) -> None:
    chain(monkeypatch, [rule("br-1", 9), rule("br-2", 7), RETURN])
    passage.close(["br-1"])
    assert scripts == ["delete rule ip filter DOCKER-USER handle 9"]
