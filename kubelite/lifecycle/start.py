"""Bringing a cluster up: its settings are chosen once, its images made, its control plane started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from kubelite.config import LABEL_HOME, Settings
from kubelite.engine import find, images
from kubelite.engine.find import Endpoint
from kubelite.engine.locks import exclusive
from kubelite.lifecycle.home_engine import remember
from kubelite.lifecycle.lock import alone
from kubelite.lifecycle.ranges import (
    free_network,
    free_port,
    host_networks,
    host_routes,
    nameservers,
    service_ranges,
    subnets,
)
from kubelite.lifecycle.state import running_pid, status

if TYPE_CHECKING:
    import docker

Progress = Callable[[str], None]

CHOSEN = (("pod_cidr", "pod network"), ("service_cidr", "service range"), ("api_port", "API port"))


class StartFailed(Exception):
    """The control plane ended before it was ready; the text says why."""


def up(settings: Settings, endpoint: Endpoint, progress: Progress) -> bool:
    """Bring the cluster up and wait until it is ready; False when it was up already."""
    from kubelite import serve

    if status(settings).ready:
        return False
    with alone(settings, progress):
        # Whoever held the lock before may have made the cluster, with ranges and a port of its own choice.
        settings = Settings.load(settings.name, settings.home) or settings
        now = status(settings)
        if now.ready:
            return False
        if now.pid is not None and serve.wait(settings, progress):
            return True
        settings = _with_images(settings, endpoint, progress)
        serve.start(settings, endpoint, cluster_images(), progress)
    return True


def serve_here(settings: Settings, endpoint: Endpoint, progress: Progress, report: Callable[[str, str], None]) -> None:
    """As `up`, but serve in this process until it is told to stop; `report` hears what the daemon would report."""
    from kubelite import serve
    from kubelite.cluster import AlreadyRunning

    with alone(settings, progress):
        settings = _with_images(settings, endpoint, progress)
    try:
        serve.run(settings, endpoint, cluster_images(), report)
    except AlreadyRunning:
        raise StartFailed(f"another process is already serving cluster {settings.name}") from None


def _with_images(settings: Settings, endpoint: Endpoint, progress: Progress) -> Settings:
    with contextlib.closing(find.connect(endpoint)) as client:
        images.ensure(client, images.REQUIRED, progress)
        return remember(prepare(settings, client, progress), endpoint, progress)


def cluster_images() -> Any:
    from kubelite.cluster import Images

    return Images(pause=images.PAUSE, kubelite=images.KUBELITE)


def prepare(settings: Settings, client: docker.DockerClient, progress: Progress) -> Settings:
    """The settings to start with: a new cluster's ranges and port are chosen now and kept from then on."""
    if (existing := Settings.load(settings.name, settings.home)) is not None:
        settings = _with_free_port(existing, progress)
        _ensure_network(settings, client)
        return settings
    with exclusive(Path(gettempdir()) / f"kubelite-networks-{os.getuid()}.lock"):
        chosen = _choose(settings, client, progress)
        _ensure_network(chosen, client)  # now, so that clusters that start at the same time see it
        chosen.save()
    return chosen


def _with_free_port(settings: Settings, progress: Progress) -> Settings:
    """An existing cluster gives its port up only to a program that has taken it meanwhile."""
    if running_pid(settings) is not None:
        return settings
    port = free_port(settings.api_port)
    if port == settings.api_port:
        return settings
    port = free_port(port, [other.api_port for other in others_of(settings)])
    progress(
        f"API port {settings.api_port} is taken by another program, using {port} (kubeconfig --merge writes it anew)"
    )
    settings = replace(settings, api_port=port, asked={**settings.asked, "api_port": str(settings.api_port)})
    settings.save()
    return settings


def _ensure_network(settings: Settings, client: docker.DockerClient) -> None:
    from kubelite.node.docker_network import NetworkRefused, ensure_network, own_networks

    present = own_networks(client.api, settings)
    if trouble := _trouble(settings, present, host_routes()):
        raise StartFailed(trouble)
    try:
        ensure_network(client.api, settings)
    except NetworkRefused as error:
        raise StartFailed(str(error)) from None


def _trouble(
    settings: Settings, present: Sequence[Mapping[str, Any]], routes: Sequence[tuple[IPv4Network, str]]
) -> str:
    """Why the pods' network can't be had; `present` are the engine's networks that carry the cluster's name."""
    homes = {(network.get("Labels") or {}).get(LABEL_HOME, "") for network in present} - {"", str(settings.home)}
    for home in homes:
        return (
            f"the engine has a cluster {settings.name} already, whose files are in {home}/{settings.name}; "
            f"to use that one: export KUBELITE_HOME={home}; to have another one: choose another --name"
        )
    taken = sorted(interface for network, interface in routes if network.overlaps(settings.pod_cidr))
    if taken and not present:
        # It leads elsewhere, or nowhere: an engine whose data were wiped leaves its bridges.
        return (
            f"network {settings.network} is gone from the engine, and its range {settings.pod_cidr} is taken by "
            f"{taken[0]}; if that is a left-over of an engine: ip link delete {taken[0]}"
        )
    return ""


def _choose(settings: Settings, client: docker.DockerClient, progress: Progress) -> Settings:
    networks = [network for network in client.api.networks() if network["Name"] != settings.network]
    taken = subnets(networks) + host_networks() + nameservers()
    others = others_of(settings)
    services = service_ranges(networks) + [other.service_cidr for other in others]
    chosen = replace(
        settings,
        pod_cidr=free_network(settings.pod_cidr, taken, "pod network"),
        service_cidr=free_network(settings.service_cidr, taken + services, "service range"),
        api_port=free_port(settings.api_port, [other.api_port for other in others]),
    )
    asked = {}
    for field, what in CHOSEN:
        wanted, got = getattr(settings, field), getattr(chosen, field)
        if wanted != got:
            progress(f"{what} {wanted} is taken, using {got}")
            asked[field] = str(wanted)
    return replace(chosen, asked=asked)


def others_of(settings: Settings) -> list[Settings]:
    """This home's other clusters: they share the host's rules, and come back on the ports they had."""
    names = (path.name for path in settings.home.glob("*/") if path.name != settings.name)
    loaded = (Settings.load(name, settings.home) for name in names)
    return [other for other in loaded if other is not None]
