"""Removing a cluster: from its engine everything that carries its label, from the disk its directory."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubelite.config import Settings
from kubelite.engine import find, images, service_rules
from kubelite.engine.find import Endpoint
from kubelite.lifecycle.containers import each, labelled
from kubelite.lifecycle.lock import alone
from kubelite.lifecycle.stop import stop_control_plane
from kubelite.node import memory_volumes

if TYPE_CHECKING:
    import docker

Progress = Callable[[str], None]

LET_GO_SECONDS = 2.0


def delete(settings: Settings, endpoint: Endpoint | None, progress: Progress, *, keep_volumes: bool = False) -> bool:
    """Remove everything of the cluster, but (with `keep_volumes`) the export directory; False when there was nothing."""
    found = stop_control_plane(settings, progress)  # which also ends an `up` that waits for it
    with alone(settings, progress):
        if endpoint is not None:
            client = find.connect(endpoint)
            with contextlib.closing(client):
                found = remove_from_engine(settings, client, progress) or found
        if settings.directory.exists():
            found = True
            memory_volumes.remove(memory_volumes.directory_of(settings.name))
            _remove_directory(settings, endpoint, keep_volumes)
    return found


def leave_engine(settings: Settings, endpoint: Endpoint | None, progress: Progress) -> Settings:
    """Take the cluster off its engine (None: it doesn't answer); the next `up` may bring it up on any other."""
    stop_control_plane(settings, progress)
    with alone(settings, progress):
        if endpoint is not None:
            with contextlib.closing(find.connect(endpoint)) as client:
                remove_from_engine(settings, client, progress)
        settings = replace(settings, engine=None)
        settings.save()
    return settings


def remove_from_engine(settings: Settings, client: docker.DockerClient, progress: Progress) -> bool:
    """Until nothing is left: a request of the control plane's last moment may still make a container."""
    found = False
    deadline = time.monotonic() + LET_GO_SECONDS
    while True:
        containers = client.api.containers(all=True, filters=labelled(settings))
        networks = client.api.networks(filters=labelled(settings))
        if not containers and not networks:
            return found
        if containers:
            progress(f"removing {len(containers)} containers")
        if containers or not found:
            service_rules.remove(client, settings, images.KUBELITE)
        if containers:
            each(lambda one: client.api.remove_container(one["Id"], force=True, v=True), containers)
            deadline = time.monotonic() + LET_GO_SECONDS
        if stuck := _remove_networks(client, networks):
            if time.monotonic() > deadline:
                progress(f"left behind, until the engine restarts: {stuck}")
                return True
            time.sleep(0.05)
        found = True


def _remove_networks(client: docker.DockerClient, networks: Sequence[dict[str, Any]]) -> str:
    """Why one can't be removed, if so: the engine lets go of a container's endpoint a moment after the container is
    gone, and has been seen to miscount a network's endpoints for good."""
    import docker.errors

    stuck = ""
    for network in networks:
        try:
            client.api.remove_network(network["Id"])
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            stuck = str(error.explanation or error)
    return stuck


def _remove_directory(settings: Settings, endpoint: Endpoint | None, keep_volumes: bool) -> None:
    kept = {settings.volumes.name} if keep_volumes and settings.volumes.exists() else set()
    doomed = [path for path in settings.directory.iterdir() if path.name not in kept]
    try:
        for path in doomed:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except PermissionError:
        if endpoint is None:
            raise
        _remove_as_root(settings, endpoint, kept)
    if not kept:
        settings.directory.rmdir()


def _remove_as_root(settings: Settings, endpoint: Endpoint, kept: set[str]) -> None:
    """Files of containers may belong to any user: a container removes what this user may not."""
    client = find.connect(endpoint)
    with contextlib.closing(client):
        images.ensure(client, ["tools"])
        client.containers.run(
            images.TOOLS,
            [
                "sh",
                "-c",
                'cd /cluster && find . -mindepth 1 -maxdepth 1 ! -name "$0" -exec rm -rf {} +',
                *(kept or {"."}),
            ],
            volumes={str(settings.directory): {"bind": "/cluster", "mode": "rw"}},
            network_mode="none",
            remove=True,
        )
