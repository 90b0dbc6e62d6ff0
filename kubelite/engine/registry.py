"""Pull images, or learn quickly that no registry answers; load images from files.

The engine does the talking (its mirrors, its proxies), so whether a registry answers is whether a pull shows a first
sign of life in time.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubelite.engine import EngineError, Progress

if TYPE_CHECKING:
    import docker

FIRST_ANSWER_SECONDS = 8.0
_STALLED_SECONDS = 120.0
_silent_engines: set[str] = set()


class RegistryError(EngineError):
    """The image could not be pulled; the reason is the engine's."""


def split(reference: str) -> tuple[str, str]:
    """Repository and tag (or digest) of an image reference; the tag defaults to `latest`."""
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return repository, digest
    head, colon, tag = reference.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (reference, "latest")


def pull(client: docker.DockerClient, reference: str, progress: Progress) -> None:
    """Pull `reference`; raises RegistryError when no registry answers or it has no such image."""
    started = time.monotonic()
    progress(f"{reference}: pulling")
    for event in _with_deadlines(client, reference):
        if "error" in event:
            raise RegistryError(f"{reference} could not be pulled: {event['error']}")
    progress(f"{reference}: pulled in {time.monotonic() - started:.1f} s")


def try_pull(client: docker.DockerClient, reference: str, progress: Progress) -> bool:
    """Pull when a registry answers; an engine whose registry didn't is not asked again by this process."""
    if client.api.base_url in _silent_engines:
        return False
    try:
        pull(client, reference, progress)
    except RegistryError:
        _silent_engines.add(client.api.base_url)
        progress(f"{reference}: no registry answers")
        return False
    return True


def _with_deadlines(client: docker.DockerClient, reference: str) -> Iterator[Mapping[str, Any]]:
    """Events of a pull. The engine may be silent for minutes over a dead network, hence the thread."""
    events: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
    threading.Thread(target=_pull_into, args=(client, reference, events), daemon=True).start()
    patience = FIRST_ANSWER_SECONDS
    while True:
        try:
            event = events.get(timeout=patience)
        except queue.Empty:
            raise RegistryError(f"{reference} could not be pulled: no registry answers") from None
        if event is None:
            return
        patience = _STALLED_SECONDS
        yield event


def _pull_into(client: docker.DockerClient, reference: str, events: queue.Queue[Mapping[str, Any] | None]) -> None:
    import docker.errors
    import requests

    repository, tag = split(reference)
    try:
        for event in client.api.pull(repository, tag=tag, stream=True, decode=True):
            events.put(event)
    except (docker.errors.DockerException, requests.RequestException) as error:
        events.put({"error": getattr(error, "explanation", None) or str(error)})
    events.put(None)


def load(client: docker.DockerClient, path: Path) -> list[str]:
    """Load a file made by `docker save`; returns the names of what it held."""
    try:
        with path.open("rb") as archive:
            images = client.images.load(archive)
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    return [tag for image in images for tag in image.tags or [image.id]]
