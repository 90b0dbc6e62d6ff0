"""The cluster's network on a Docker engine. Called when a cluster is made and each time it comes up."""

from __future__ import annotations

from typing import Any

import docker
from docker.errors import APIError, NotFound

from kubelite.config import LABEL_CLUSTER, LABEL_HOME, LABEL_SERVICE_CIDR, Settings


class NetworkRefused(Exception):
    """The network can't be had as the settings want it; the text says why and what to do."""


def ensure_network(client: docker.APIClient, settings: Settings) -> bool:
    """Make the bridge network unless it is there; whether it was made."""
    found = own_networks(client, settings)
    if not found:
        _create(client, settings)
    for network in found:
        ranges = [pool["Subnet"] for pool in network["IPAM"].get("Config") or ()]
        if str(settings.pod_cidr) not in ranges:
            raise NetworkRefused(
                f"network {settings.network} is there already, with range {', '.join(ranges)} in place of "
                f"{settings.pod_cidr}; to remove it: docker network rm {settings.network}"
            )
    return not found


def remove_network(client: docker.APIClient, settings: Settings) -> None:
    """No error when it is gone."""
    for network in own_networks(client, settings):
        try:
            client.remove_network(network["Id"])
        except NotFound:
            continue


def own_networks(client: docker.APIClient, settings: Settings) -> list[dict[str, Any]]:
    """The engine's networks that are the cluster's; one at most, if nobody meddled."""
    label = f"{LABEL_CLUSTER}={settings.name}"
    found = client.networks(filters={"label": label})
    return [network for network in found if network["Name"] == settings.network]


def _create(client: docker.APIClient, settings: Settings) -> None:
    pool = docker.types.IPAMPool(subnet=str(settings.pod_cidr), gateway=str(settings.gateway))
    try:
        client.create_network(
            settings.network,
            driver="bridge",
            labels={
                LABEL_CLUSTER: settings.name,
                LABEL_HOME: str(settings.home),
                LABEL_SERVICE_CIDR: str(settings.service_cidr),
                "com.docker.compose.project": settings.name,
            },
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            check_duplicate=True,
        )
    except APIError as error:
        why = error.explanation or error
        raise NetworkRefused(f"network {settings.network} ({settings.pod_cidr}) can't be made: {why}") from error
