"""Labels that the kubelet leaves on its containers, so that its next life can adopt them, and their names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from kubelite.config import (
    LABEL_CLUSTER,
    LABEL_CONTAINER_NAME,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
)
from kubelite.objects import meta
from kubelite.objects.meta import Obj

ATTEMPT = "io.kubernetes.container.restartCount"
HASH = "io.kubernetes.container.hash"
MESSAGE_FILE = "io.kubernetes.container.terminationMessagePath"
BACKOFF = "kubelite.backoff"
ADDRESS = "kubelite.address"
IMAGE_ID = "kubelite.image"
COMPOSE_PROJECT = "com.docker.compose.project"


def for_container(cluster: str, pod: Obj, container: str, attempt: int, extra: Mapping[str, str]) -> dict[str, str]:
    return {
        LABEL_CLUSTER: cluster,
        LABEL_POD_NAME: meta.name(pod),
        LABEL_POD_NAMESPACE: meta.namespace(pod) or "",
        LABEL_POD_UID: meta.uid(pod),
        LABEL_CONTAINER_NAME: container,
        ATTEMPT: str(attempt),
        COMPOSE_PROJECT: cluster,
        **extra,
    }


def engine_name(cluster: str, pod: Obj, container: str, attempt: int) -> str:
    return f"{cluster}_{meta.namespace(pod)}_{meta.name(pod)}_{container}_{attempt}"


def container_hash(container: Obj) -> str:
    """Of the fields whose change restarts a running container: the image is the only one that may change."""
    text = msgspec.json.encode([container["name"], container.get("image", "")])
    return hashlib.sha256(text).hexdigest()[:16]
