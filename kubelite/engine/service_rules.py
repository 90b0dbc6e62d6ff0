"""Takes a cluster's service rules out of the kernel that its engine runs on. Called by `down` and `delete`.

The proxy's container does it when it runs: on SIGUSR1 it removes them and ends. Otherwise a container is run for it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from kubelite.config import LABEL_CLUSTER, LABEL_CONTAINER_NAME, LABEL_POD_NAMESPACE, Settings

if TYPE_CHECKING:
    import docker

PROXY = "kube-proxy"
PATIENCE_SECONDS = 5
_REMOVE = """\
nft delete table ip "$0"; ip route del "$1"
for handle in $(nft -a list chain ip filter DOCKER-USER | sed -n "s/.* comment \\"$0\\" # handle //p"); do
  nft delete rule ip filter DOCKER-USER handle "$handle"
done
true
"""


def is_proxy(container: dict[str, Any]) -> bool:
    """Of one entry of the engine's list of containers."""
    labels = container.get("Labels") or {}
    return (labels.get(LABEL_POD_NAMESPACE), labels.get(LABEL_CONTAINER_NAME)) == ("kube-system", PROXY)


def remove(client: docker.DockerClient, settings: Settings, image: str) -> None:
    """No error when there are none. The control plane must have been stopped, or it starts the proxy again."""
    import docker.errors

    if _ask_proxy(client, settings):
        return
    # Without the image nothing has made rules here.
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.containers.run(
            image,
            ["sh", "-c", _REMOVE, settings.network, str(settings.service_cidr)],
            network_mode="host",
            cap_add=["NET_ADMIN"],
            labels={LABEL_CLUSTER: settings.name},
            remove=True,
        )


def _ask_proxy(client: docker.DockerClient, settings: Settings) -> bool:
    import docker.errors
    import requests

    running = client.api.containers(filters={"label": f"{LABEL_CLUSTER}={settings.name}"})
    for container in filter(is_proxy, running):
        try:
            client.api.kill(container["Id"], "SIGUSR1")
            return bool(client.api.wait(container["Id"], timeout=PATIENCE_SECONDS)["StatusCode"] == 0)
        except (docker.errors.APIError, requests.RequestException):
            return False
    return False
