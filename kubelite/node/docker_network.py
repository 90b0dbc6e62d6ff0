"""The cluster's network on a Docker engine. Called by the composition root when the cluster comes up and goes."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import docker
from docker.errors import APIError, NotFound

from kubelite.config import LABEL_CLUSTER, LABEL_HOME, Settings
from kubelite.node.network import choose_range, route_ranges


def ensure_network(
    client: docker.APIClient, settings: Settings, progress: Callable[[str], None] = lambda text: None
) -> IPv4Network:
    """Make the bridge network unless it is there; its range comes back, which may be another than asked for."""
    if found := find_network(client, settings):
        return found
    taken = [*_network_ranges(client), *_routes()]
    chosen = choose_range(settings.pod_cidr, taken)
    if chosen != settings.pod_cidr:
        progress(f"range {settings.pod_cidr} is in use on this machine; pods get addresses from {chosen}")
    _create(client, settings, chosen)
    return chosen


def find_network(client: docker.APIClient, settings: Settings) -> IPv4Network | None:
    """The range of the cluster's network, if there is one."""
    for network in _own_networks(client, settings):
        for pool in network["IPAM"].get("Config") or ():
            if ":" not in pool["Subnet"]:
                return IPv4Network(pool["Subnet"])
    return None


def remove_network(client: docker.APIClient, settings: Settings) -> None:
    """No error when it is gone."""
    for network in _own_networks(client, settings):
        try:
            client.remove_network(network["Id"])
        except NotFound:
            continue


def _own_networks(client: docker.APIClient, settings: Settings) -> list[dict[str, Any]]:
    label = f"{LABEL_CLUSTER}={settings.name}"
    found = client.networks(filters={"label": label})
    return [network for network in found if network["Name"] == settings.network]


def _create(client: docker.APIClient, settings: Settings, chosen: IPv4Network) -> None:
    pool = docker.types.IPAMPool(subnet=str(chosen), gateway=str(chosen[1]))
    try:
        client.create_network(
            settings.network,
            driver="bridge",
            labels={
                LABEL_CLUSTER: settings.name,
                LABEL_HOME: str(settings.home),
                "com.docker.compose.project": settings.name,
            },
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            check_duplicate=True,
        )
    except APIError as error:
        raise RuntimeError(f"network {settings.network} can't be made: {error.explanation or error}") from error


def _network_ranges(client: docker.APIClient) -> list[IPv4Network]:
    pools = [pool for network in client.networks() for pool in (network["IPAM"].get("Config") or ())]
    return [IPv4Network(pool["Subnet"]) for pool in pools if ":" not in pool.get("Subnet", ":")]


def _routes() -> list[IPv4Network]:
    """Of this machine; an engine elsewhere checks its own."""
    try:
        with open("/proc/net/route") as table:
            return route_ranges(table.read())
    except OSError:
        return []
