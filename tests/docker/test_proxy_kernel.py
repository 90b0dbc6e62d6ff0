"""Every script as the kernel takes it: in a network namespace of a container's own, with the image's nft."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import docker
import pytest

from kubelite.engine.images import KUBELITE
from kubelite.net.proxy.model import Endpoint, Port, Service, Slice, SlicePort
from kubelite.net.proxy.ruleset import Ruleset
from kubelite.net.rules import Ground, fragment

GROUND = Ground(
    "kubelite-t", "br-1", IPv4Address("172.30.0.1"), IPv4Network("172.30.0.0/16"), IPv4Network("10.254.0.0/16"), "n1"
)
APPLY = 'for script in /scripts/*.nft; do nft --check -f "$script" && nft -f "$script" || exit 1; done; nft list table ip kubelite-t'


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as connected:
        yield connected


def applied(client: docker.DockerClient, directory: Path, scripts: Sequence[str]) -> list[str]:
    """The lines of the table, sorted (their order tells its history), after all scripts one after another."""
    directory.mkdir()
    for number, script in enumerate(scripts):
        (directory / f"{number:04}.nft").write_text(script)
    mounts = {str(directory): {"bind": "/scripts", "mode": "ro"}}
    output = client.containers.run(
        KUBELITE,
        ["sh", "-c", APPLY],
        volumes=mounts,
        network_mode="none",
        cap_add=["NET_ADMIN"],
        remove=True,
        stderr=True,
    )
    return sorted(" ".join(sorted(line.replace(",", "").split())) for line in _joined(output.decode()))


def _joined(text: str) -> list[str]:
    """Elements stand on lines of their own, in the order of a hash."""
    return text.replace(",\n", ", ").splitlines()


def some_service(random: random.Random, number: int) -> Service:
    protocols = random.sample(["tcp", "udp", "sctp"], random.randint(1, 3))
    return Service(
        ("default", f"s{number}"),
        cluster_ips=(f"10.254.1.{number}",),
        external_ips=random.choice([(), ("192.0.2.7",)]),
        balancer_ips=random.choice([(), (str(GROUND.gateway),)]),
        ports=tuple(Port(name, name, 80 + number, random.choice([0, 30000 + number])) for name in protocols),
        affinity_seconds=random.choice([0, 0, 60, 10800]),
        internal_local=random.random() < 0.2,
        external_local=random.random() < 0.3,
        source_ranges=random.choice([(), ("10.0.0.0/8", "192.168.0.0/16")]),
    )


def some_endpoints(random: random.Random, service: Service) -> list[Slice]:
    endpoints = tuple(
        Endpoint(f"172.30.0.{last}", random.choice(["n1", ""]), random.random() < 0.8, True, random.random() < 0.2)
        for last in random.sample(range(2, 12), random.randint(0, 5))
    )
    ports = tuple(SlicePort(port.name, port.protocol, random.choice([80, 8080])) for port in service.ports)
    return [Slice(("default", "part"), service.key, endpoints, ports)]


@pytest.mark.parametrize("seed", range(3))
def test_changes_one_by_one_lead_to_the_same_table_as_all_at_once(
    client: docker.DockerClient, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    ruleset = Ruleset(GROUND)
    scripts = [ruleset.full()]
    for _ in range(60):
        service = some_service(chance, chance.randint(1, 6))
        parts = some_endpoints(chance, service)
        new = fragment(service if chance.random() < 0.8 else None, parts, GROUND)
        scripts.append(ruleset.change({service.key: new}))
    stepwise = applied(client, tmp_path / "steps", scripts)
    assert stepwise == applied(client, tmp_path / "whole", [ruleset.full()])


def test_whole_table_replaces_an_older_one(client: docker.DockerClient, tmp_path: Path) -> None:
    ruleset = Ruleset(GROUND)
    service = some_service(random.Random(1), 1)
    ruleset.change({service.key: fragment(service, some_endpoints(random.Random(1), service), GROUND)})
    fresh = Ruleset(GROUND)
    replaced = applied(client, tmp_path / "replaced", [ruleset.full(), ruleset.full(), fresh.full()])
    assert replaced == applied(client, tmp_path / "fresh", [fresh.full()])
