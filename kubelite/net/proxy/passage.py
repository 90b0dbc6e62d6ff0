"""Passage through Docker's own filter for connections from other machines that Services lead to pods.

Docker drops what is forwarded to a port that no container has published; its chain DOCKER-USER is where others may let
something pass. Our rule there accepts what our table has marked, so it opens nothing once the table is gone. It is made
of expressions that iptables-nft can read, for that one goes on working with the chain. Where the chain isn't to be seen
through nftables (iptables-legacy, another engine) nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubelite.net.proxy import nft
from kubelite.net.rules import ADMITTED, Ground

CHAIN = ("filter", "DOCKER-USER")


def allow(ground: Ground) -> None:
    """Have the rule, once."""
    present = nft.rules(*CHAIN)
    if present is None or any(bridge == ground.bridge for bridge, _ in ours(present)):
        return
    mark = f"meta mark and {ADMITTED:#x} == {ADMITTED:#x}"
    rule = f'oifname "{ground.bridge}" {mark} counter accept comment "{ground.table}"'
    nft.apply(f"insert rule ip {' '.join(CHAIN)} {rule}")


def close(bridges: Iterable[str]) -> None:
    """Take away the rules for these bridges."""
    doomed = set(bridges)
    for bridge, handle in ours(nft.rules(*CHAIN) or ()):
        if bridge in doomed:
            nft.apply(f"delete rule ip {' '.join(CHAIN)} handle {handle}")


def ours(rules: Iterable[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Bridge and handle of each rule that accepts what a table of ours has marked."""
    marked = {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, ADMITTED]}, "right": ADMITTED}
    for rule in rules:
        matches = [expression["match"] for expression in rule.get("expr") or () if "match" in expression]
        for match in matches:
            if match["left"] == {"meta": {"key": "oifname"}} and marked in matches:
                yield match["right"], rule["handle"]
