"""Who reaches what, and whom the server sees, on every kind of host; see `bridge_world` for how the host is made."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import docker
import pytest

from kubelite.engine.images import KUBELITE

WORLD = Path(__file__).with_name("bridge_world.py")
CLIENT, SERVER, GATEWAY = "172.30.0.2", "172.30.0.3", "172.30.0.1"
NEIGHBOUR, NOTHING = "198.51.100.2", ""
EVERYWHERE = {
    "pod to pod": CLIENT,
    "pod to itself": GATEWAY,
    "pod to node port": GATEWAY,
    "host to Service": GATEWAY,
    "host to node port": GATEWAY,
    "host to node port on loopback": GATEWAY,
    "host to node port on loopback, policy Local": GATEWAY,
    "neighbour to node port": GATEWAY,
    "neighbour to node port, policy Local": NEIGHBOUR,
    "neighbour to pod": NOTHING,
    "neighbour, without passage": NOTHING,
    "rules left": "1",
    "pod to the host's loopback": NOTHING,
    "pod to the host's loopback, unguarded": CLIENT,
}


@pytest.mark.parametrize(
    ("kind", "server_sees", "stray"),
    [
        ("tracked", CLIENT, NOTHING),
        ("off", CLIENT, NOTHING),
        ("absent", GATEWAY, SERVER),
        ("bypassed", NOTHING, SERVER),
    ],
)
def test_ways_on_a_host_whose_bridged_frames_are(kind: str, server_sees: str, stray: str) -> None:
    with closing(docker.from_env()) as client:
        output = client.containers.run(
            KUBELITE,
            ["python3", "/world.py", kind],
            volumes={str(WORLD): {"bind": "/world.py", "mode": "ro"}},
            network_mode="none",
            cap_add=["NET_ADMIN", "SYS_ADMIN"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            sysctls={"net.ipv4.ip_forward": 1, "net.bridge.bridge-nf-call-iptables": int(kind == "tracked")},
            remove=True,
        )
    assert json.loads(output) == {**EVERYWHERE, "pod to Service": server_sees, "stray segment": stray}
