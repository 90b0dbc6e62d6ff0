"""What `status` says of Services where the machine, or the engine's place, sets limits."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, cast

import pytest

from kubelite.cli import status
from kubelite.cli.client import Client
from kubelite.config import Settings

LOOPBACK, ELSEWHERE = IPv4Network("127.0.0.0/24"), IPv4Network("192.0.2.0/24")
NO_NFT = "nftables doesn't work here: Operation not supported"


class Node:
    """A client whose only object is the node."""

    def __init__(self, trouble: str) -> None:
        self._conditions = [{"type": "ServiceRules", "status": "False" if trouble else "True", "message": trouble}]

    def find(self, path: str) -> dict[str, Any]:
        return {"status": {"conditions": self._conditions}}


@pytest.mark.parametrize(
    ("trouble", "pods", "says"),
    [
        ("", LOOPBACK, "rules in nftables table ip kubelite, for 10.254.0.0/16"),
        (
            "",
            ELSEWHERE,
            "rules in nftables table ip kubelite, for 10.254.0.0/16; inside only "
            "(the engine's network isn't this machine's: kubectl port-forward leads in)",
        ),
        (NO_NFT, LOOPBACK, f"no rules ({NO_NFT}); DNS and the pods' own addresses work inside"),
    ],
)
def test_services_row(trouble: str, pods: IPv4Network, says: str) -> None:
    settings = Settings(name="kubelite", pod_cidr=pods)
    assert status._services(cast(Client, Node(trouble)), settings) == says
