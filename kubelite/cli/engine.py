"""`engine status|install|start|stop`."""

from __future__ import annotations

import argparse

from kubelite.cli.progress import Progress
from kubelite.engine import EngineError, daemon, find
from kubelite.engine import install as installer
from kubelite.engine.find import Endpoint


def described(endpoint: Endpoint) -> str:
    return f"{endpoint.product} {endpoint.version} at {endpoint.url} ({endpoint.origin})"


def status(arguments: argparse.Namespace, progress: Progress) -> int:
    endpoint = find.find()
    if endpoint is None:
        raise EngineError("no container engine answers on this machine", installer.cure())
    print(described(endpoint))
    return 0


def install(arguments: argparse.Namespace, progress: Progress) -> int:
    endpoint = daemon.ensure(True, progress)
    progress.wipe()
    print(described(endpoint))
    return 0


def start(arguments: argparse.Namespace, progress: Progress) -> int:
    try:
        endpoint = find.find() or daemon.start(progress)
    except find.ChosenEngineSilent as error:
        endpoint = daemon.start(progress, daemon.serving_at(error))
    progress.wipe()
    print(described(endpoint))
    return 0


def stop(arguments: argparse.Namespace, progress: Progress) -> int:
    try:
        stopped = daemon.stop(progress)
    except PermissionError:
        raise EngineError("only root can stop a container engine", "type: sudo kubelite engine stop") from None
    progress.wipe()
    print("kubelite's engine is stopped" if stopped else "kubelite runs no engine of its own")
    return 0
