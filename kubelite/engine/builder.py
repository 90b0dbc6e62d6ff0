"""Drive the engine's own builder over its API; needs neither the docker command nor BuildKit."""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kubelite.engine import EngineError, Progress

if TYPE_CHECKING:
    import docker

STAGE_LABEL = "kubelite.image.stage"  # set by the Dockerfiles on stages that the image itself does not contain
_STEP = re.compile(r"Step (\d+/\d+) : (.*)")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_STEPS_WORTH_TELLING = ("RUN", "COPY")


def build(
    client: docker.DockerClient,
    name: str,
    context: io.BytesIO,
    tag: str,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    progress: Progress,
) -> None:
    """Build one image; the last lines of the output are in the error when a step fails."""
    proxies = {key: value for key in _PROXIES if (value := os.environ.get(key) or os.environ.get(key.upper()))}
    output: deque[str] = deque(maxlen=25)
    stream = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=tag,
        buildargs={**proxies, **arguments},
        labels=dict(labels),
        # Package archives that the host can reach, a RUN step can reach too.
        network_mode="host",
        rm=True,
        forcerm=True,
        decode=True,
        timeout=600,
    )
    for event in stream:
        if "error" in event:
            raise EngineError(f"{name}: the build failed: {event['error']}\n{''.join(output).strip()}")
        line = event.get("stream", "")
        output.append(line)
        if (step := _STEP.match(line)) and step[2].startswith(_STEPS_WORTH_TELLING):
            progress(f"{name}: step {step[1]}, {' '.join(step[2].split())[:70]}")


def remove_leftovers(client: docker.DockerClient, name: str, replaced: str | None) -> None:
    """Remove the stages that a build went through, and the image it replaced unless something still holds it."""
    filters = {"dangling": True, "label": f"{STAGE_LABEL}={name}"}
    stages = [image["Id"] for image in client.api.images(filters=filters)]
    for image in [*stages, *([replaced] if replaced else [])]:
        _remove_if_unused(client, image)


def _remove_if_unused(client: docker.DockerClient, image: str) -> None:
    import docker.errors

    try:
        if not client.api.inspect_image(image)["RepoTags"]:
            client.api.remove_image(image)
    except docker.errors.APIError:
        return
