"""What keeps a cluster from having its network, and from its port."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from kubelite.config import LABEL_HOME, Settings
from kubelite.lifecycle.start import _trouble, _with_free_port

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


def test_port_that_another_program_took_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = Settings(home=tmp_path, api_port=port)
        told: list[str] = []
        after = _with_free_port(before, told.append)
    assert after.api_port != port
    assert after.asked == {"api_port": str(port)}
    assert Settings.load(at=tmp_path) == after
    assert told[0].startswith(f"API port {port} is taken by another program, using {after.api_port}")
    assert _with_free_port(after, told.append) == after
    assert len(told) == 1
