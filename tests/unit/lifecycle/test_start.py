"""What keeps a cluster from having its network."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from kubelite.config import LABEL_HOME, Settings
from kubelite.lifecycle.start import _trouble

RANGE = IPv4Network("172.26.0.0/24")
MINE: dict[str, Any] = {"Labels": {LABEL_HOME: "/home"}}
OTHERS: dict[str, Any] = {"Labels": {LABEL_HOME: "/elsewhere"}}


@pytest.mark.parametrize(
    ("present", "routes", "expected"),
    [
        ([], [], ""),
        ([], [("10.0.0.0/8", "eth0")], ""),
        ([], [("172.26.0.0/24", "br-1")], "its range 172.26.0.0/24 is taken by br-1; if that is a left-over"),
        ([MINE], [("172.26.0.0/24", "br-1")], ""),
        ([{"Labels": None}], [("172.26.0.0/24", "br-1")], ""),
        ([OTHERS], [("172.26.0.0/24", "br-1")], "a cluster kubelite already, whose files are in /elsewhere/kubelite"),
    ],
)
def test_network_can_be_had_or_the_trouble_is_told(
    present: list[dict[str, Any]], routes: list[tuple[str, str]], expected: str
) -> None:
    settings = Settings(home=Path("/home"), pod_cidr=RANGE)
    found = _trouble(settings, present, [(IPv4Network(network), interface) for network, interface in routes])
    assert expected in found
    assert bool(found) == bool(expected)
