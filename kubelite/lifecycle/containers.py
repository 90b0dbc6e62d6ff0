"""A cluster's containers as its engine lists them, several at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kubelite.config import LABEL_CLUSTER, LABEL_CONTAINER_NAME, Settings

WORKERS = 8


def labelled(settings: Settings) -> dict[str, Any]:
    return {"label": [f"{LABEL_CLUSTER}={settings.name}"]}


def _apps_and_sandboxes(containers: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Sandboxes go last: they hold the network of the others, which may need it to the end."""
    sandboxes = [one for one in containers if (one.get("Labels") or {}).get(LABEL_CONTAINER_NAME) == "POD"]
    return [one for one in containers if one not in sandboxes], sandboxes


def each(action: Callable[[dict[str, Any]], Any], containers: Sequence[dict[str, Any]]) -> None:
    import docker.errors

    def tolerant(container: dict[str, Any]) -> None:
        with contextlib.suppress(docker.errors.NotFound):
            action(container)

    with ThreadPoolExecutor(WORKERS) as pool:
        for part in _apps_and_sandboxes(containers):
            list(pool.map(tolerant, part))
