"""`demo`: a cluster from nothing, then the walk-through of a StatefulSet's life on it."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import time
from pathlib import Path

from kubelite.cli.client import Client
from kubelite.cli.cluster import bring_up, next_steps, of, particulars, settings_for
from kubelite.cli.engine import described
from kubelite.cli.failure import Failure
from kubelite.cli.progress import Progress
from kubelite.config import Settings
from kubelite.demo.script import Demo
from kubelite.demo.shell import BuiltIn, Kubectl, RealKubectl, Shell
from kubelite.engine import find, images
from kubelite.lifecycle import engine_for_up


def demo(arguments: argparse.Namespace, progress: Progress) -> int:
    started = time.monotonic()
    settings = settings_for(arguments, progress)
    endpoint = engine_for_up(settings, install=True, progress=progress)
    with contextlib.closing(find.connect(endpoint)) as engine:
        images.ensure(engine, images.NAMES, progress)
    bring_up(settings, endpoint, progress)
    settings = Settings.load(settings.name) or settings
    progress.wipe()
    print(f"engine: {described(endpoint)}")
    for line in [f"cluster {settings.name} is up ({time.monotonic() - started:.1f} s)", *particulars(settings)]:
        print(line)
    with contextlib.closing(Client.of(settings)) as client:
        _walk(settings, client, None if arguments.without_kubectl else shutil.which("kubectl"))
    return 0


def _walk(settings: Settings, client: Client, program: str | None) -> None:
    started = time.monotonic()
    directory = settings.directory / "demo"
    print(f"commands are run by {program or 'kubelite itself, in place of kubectl'}")
    walk = Demo(settings, Shell(_kubectl(program, settings, client, directory), client), directory)
    walk.write_manifests()
    try:
        walk.run()
    except TimeoutError:
        raise Failure("the cluster did not answer in time", f"its log: {settings.log}") from None
    _farewell(settings, directory, time.monotonic() - started)


def _kubectl(program: str | None, settings: Settings, client: Client, directory: Path) -> Kubectl:
    if program is None:
        return BuiltIn(client, directory)
    return RealKubectl(program, settings.kubeconfig, directory)


def _farewell(settings: Settings, directory: Path, seconds: float) -> None:
    print(f"\nall as in the notes ({seconds:.1f} s). The cluster stays up; type next:")
    for line in [
        *next_steps(settings),
        f"cd {directory}                     # the manifests of this walk-through",
        f"kubelite status{of(settings)}      kubelite volumes{of(settings)}",
        f"kubelite down{of(settings)}        # stop it, keep everything;  kubelite delete{of(settings)}: remove it",
    ]:
        print(f"  {line}")
