"""kubelite's images: which there are, whether they are current, and how they come to be.

An image that is missing or made from older sources is built (httpd is pulled where a registry answers); a tag that
holds an image of the user's is left alone and used as it is. Called by `up`, `demo`, `images` and the tests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any

import kubelite
from kubelite.engine import EngineError, Progress, base, builder, registry, silent, sources, wheels
from kubelite.engine.locks import exclusive

if TYPE_CHECKING:
    import docker

LABEL = "kubelite.image"
LABEL_SOURCE = "kubelite.image.source"

PAUSE = f"kubelite/pause:{kubelite.__version__}"
HTTPD = "httpd:latest"
TOOLS = "kubelite/tools:latest"
KUBELITE = f"kubelite/kubelite:{kubelite.__version__}"
PYTHON = "kubelite/python:3.11"

REFERENCES: Mapping[str, tuple[str, ...]] = {
    "pause": (PAUSE,),
    "httpd": (HTTPD, "httpd:2.4"),
    "tools": (TOOLS,),
    "kubelite": (KUBELITE,),
}
NAMES = tuple(REFERENCES)
REQUIRED = ("pause", "kubelite")  # what a cluster itself starts


class State(StrEnum):
    CURRENT = "current"
    OUTDATED = "outdated"
    MISSING = "missing"
    FOREIGN = "yours"  # the tag holds an image that kubelite didn't build


@dataclass(frozen=True, slots=True)
class ImageStatus:
    """One image of `NAMES` as the engine has it."""

    name: str
    reference: str
    state: State
    id: str = ""
    size: int = 0

    @property
    def usable(self) -> bool:
        return self.state in (State.CURRENT, State.FOREIGN)


def judge(labels: Mapping[str, str] | None, name: str, source: str) -> State:
    """What to think of the image behind a tag, from its labels (None: there is no image)."""
    if labels is None:
        return State.MISSING
    if labels.get(LABEL) != name:
        return State.FOREIGN
    return State.CURRENT if labels.get(LABEL_SOURCE) == source else State.OUTDATED


def source_hash(name: str) -> str:
    if name == "kubelite":
        return sources.code_hash()
    return sources.python_hash() if name == "python" else sources.folder_hash(name)


def status(client: docker.DockerClient, names: Sequence[str] = NAMES) -> list[ImageStatus]:
    """How the engine's images compare with the sources at hand."""
    return [_status(client, name, REFERENCES[name][0]) for name in names]


def _status(client: docker.DockerClient, name: str, reference: str) -> ImageStatus:
    found = _inspect(client, reference)
    if found is None:
        return ImageStatus(name, reference, State.MISSING)
    labels = found["Config"].get("Labels") or {}
    return ImageStatus(name, reference, judge(labels, name, source_hash(name)), found["Id"], found["Size"])


def _inspect(client: docker.DockerClient, reference: str) -> dict[str, Any] | None:
    import docker.errors

    try:
        found: dict[str, Any] = client.api.inspect_image(reference)
    except docker.errors.ImageNotFound:
        return None
    return found


def ensure(client: docker.DockerClient, names: Sequence[str] = NAMES, progress: Progress = silent) -> None:
    """Have every image of `names` in a usable state; returns within milliseconds when they are."""
    if all(image.usable for image in status(client, names)):
        return
    with _one_builder():
        wanted = [image for image in status(client, names) if not image.usable]
        try:
            _build(client, [image.name for image in wanted if not _pulled(client, image, progress)], progress)
        except EngineError as error:
            if any(image.state is State.MISSING for image in status(client, names)):
                raise
            progress(f"the images at hand are used, made from older sources: {error.message}")


def _pulled(client: docker.DockerClient, image: ImageStatus, progress: Progress) -> bool:
    official = image.name == "httpd" and image.state is State.MISSING
    return official and registry.try_pull(client, image.reference, progress)


def build(client: docker.DockerClient, names: Sequence[str] = NAMES, progress: Progress = silent) -> None:
    """Build `names` anew; a tag that holds an image of the user's is left alone."""
    with _one_builder():
        _build(client, [image.name for image in status(client, names) if not _left_alone(image, progress)], progress)


def _build(client: docker.DockerClient, names: Sequence[str], progress: Progress) -> None:
    if not names:
        return
    started = time.monotonic()
    Build(client, progress).run(names)
    if len(names) > 1:
        progress(f"images: done in {time.monotonic() - started:.1f} s")


def _one_builder() -> AbstractContextManager[None]:
    return exclusive(Path(gettempdir()) / f"kubelite-images-{os.getuid()}.lock")


def _left_alone(image: ImageStatus, progress: Progress) -> bool:
    if image.state is State.FOREIGN:
        progress(f"{image.name}: {image.reference} is your own image and stays")
    return image.state is State.FOREIGN


class Build:
    """One run of the builder: the base first, then everything that stands on it, at the same time."""

    def __init__(self, client: docker.DockerClient, progress: Progress) -> None:
        self._client = client
        self._progress = progress
        self._architecture = client.version()["Arch"]

    def run(self, names: Sequence[str]) -> None:
        with TemporaryDirectory(prefix="kubelite-wheels-") as directory, ThreadPoolExecutor(4) as pool:
            steps = [name for name in names if name != "kubelite"]
            packages: Future[None] | None = None
            if "kubelite" in names and not self._python_is_current():
                packages = pool.submit(self._fetch_packages, Path(directory))
            if steps or packages:
                foundation = self._base()
                builds = [pool.submit(self._folder, name, foundation) for name in steps]
                if packages:
                    packages.result()
                    self._python(Path(directory), foundation)
                for finished in builds:
                    finished.result()
            if "kubelite" in names:
                self._make("kubelite", sources.code_context, {"PYTHON": PYTHON}, REFERENCES["kubelite"])

    def _base(self) -> str:
        for reference in (base.OFFICIAL, base.OWN):
            if _inspect(self._client, reference):
                return reference
        if registry.try_pull(self._client, base.OFFICIAL, self._progress):
            return base.OFFICIAL
        return base.bootstrap(self._client, self._architecture, LABEL, self._progress)

    def _folder(self, name: str, foundation: str) -> None:
        self._make(name, lambda: sources.folder_context(name), {"BASE": foundation}, REFERENCES[name])

    def _python_is_current(self) -> bool:
        return _status(self._client, "python", PYTHON).state is State.CURRENT

    def _fetch_packages(self, directory: Path) -> None:
        self._progress("kubelite: fetching Python packages")
        wheels.install(sources.requirements(), directory, self._architecture)

    def _python(self, site_packages: Path, foundation: str) -> None:
        self._make("python", lambda: sources.python_context(site_packages), {"BASE": foundation}, (PYTHON,))

    def _make(
        self, name: str, context: Callable[[], Any], arguments: Mapping[str, str], references: Iterable[str]
    ) -> None:
        """Build under the first of `references`, give the others too where they are free or ours."""
        started = time.monotonic()
        first, *others = references
        before = _inspect(self._client, first)
        labels = {LABEL: name, LABEL_SOURCE: source_hash(name)}
        builder.build(self._client, name, context(), first, arguments, labels, self._progress)
        after = _inspect(self._client, first)
        if after is None:
            raise EngineError(f"the engine lost {first} right after it was built")
        for reference in others:
            if _status(self._client, name, reference).state is not State.FOREIGN:
                self._client.api.tag(after["Id"], *registry.split(reference))
        builder.remove_leftovers(self._client, name, before["Id"] if before else None)
        self._progress(f"{name}: built in {time.monotonic() - started:.1f} s, {after['Size'] / 1e6:.1f} MB")
