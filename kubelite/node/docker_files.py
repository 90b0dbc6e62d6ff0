"""Files of containers, which may belong to any user. Called when a claim's directory is removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import docker
from docker.errors import DockerException


def remove_tree(client: docker.DockerClient, image: str, path: Path) -> None:
    """Remove a directory; what this user may not remove, a container of `image` (which has a shell) does."""
    try:
        shutil.rmtree(path)
    except PermissionError:
        remove_as_root(client, image, path)


def remove_as_root(client: docker.DockerClient, image: str, path: Path) -> None:
    """Raises OSError when that can't be done either."""
    inside = f"/parent/{path.name}"
    try:
        client.containers.run(
            image,
            entrypoint=["rm", "-rf", inside],
            command=[],
            user="0",
            volumes={str(path.parent): {"bind": "/parent", "mode": "rw"}},
            network_mode="none",
            remove=True,
        )
    except DockerException as error:
        raise OSError(f"{path} can't be removed: {error}") from error
