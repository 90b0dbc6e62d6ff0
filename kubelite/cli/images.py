"""`images list|build|pull|load`."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kubelite.cli.failure import Failure
from kubelite.cli.progress import Progress
from kubelite.cli.text import columns
from kubelite.engine import EngineError, find, images, install, registry

if TYPE_CHECKING:
    import docker


@contextlib.contextmanager
def _engine() -> Iterator[docker.DockerClient]:
    endpoint = find.find()
    if endpoint is None:
        raise EngineError("no container engine answers on this machine", install.cure())
    with contextlib.closing(find.connect(endpoint)) as client:
        yield client


def show(arguments: argparse.Namespace, progress: Progress) -> int:
    with _engine() as client:
        found = images.status(client)
    rows = [[one.name, one.reference, str(one.state), f"{one.size / 1e6:.1f} MB" if one.size else ""] for one in found]
    print(columns([["NAME", "IMAGE", "STATE", "SIZE"], *rows]))
    return 0


def build(arguments: argparse.Namespace, progress: Progress) -> int:
    unknown = [name for name in arguments.image if name not in images.NAMES]
    if unknown:
        raise Failure(f"kubelite has no image {unknown[0]}", f"it has: {', '.join(images.NAMES)}")
    with _engine() as client:
        images.build(client, arguments.image or images.NAMES, progress)
    progress.wipe()
    return show(arguments, progress)


def pull(arguments: argparse.Namespace, progress: Progress) -> int:
    with _engine() as client:
        for reference in arguments.reference:
            registry.pull(client, reference, progress)
    return 0


def load(arguments: argparse.Namespace, progress: Progress) -> int:
    with _engine() as client:
        for path in arguments.file:
            for name in registry.load(client, path):
                print(name)
    return 0
