"""`up`, `down`, `delete`: a cluster's life, told in a few lines."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import yaml

from kubelite import lifecycle
from kubelite.cli import kubeconfig
from kubelite.cli.failure import Failure
from kubelite.cli.progress import Progress
from kubelite.config import DEFAULT_NAME, POD_CIDR, SERVICE_CIDR, Settings
from kubelite.engine import EngineError, daemon, find
from kubelite.engine.find import Endpoint

_CHOICES = (
    ("pod_cidr", "--pod-cidr", "pod network"),
    ("service_cidr", "--service-cidr", "service range"),
    ("domain", "--domain", "domain"),
    ("api_port", "--api-port", "API port"),
)


def settings_for(arguments: argparse.Namespace, progress: Callable[[str], None]) -> Settings:
    """The cluster's settings: a new one takes the options, an existing one has chosen already."""
    given = {
        field: getattr(arguments, field) for field, _, _ in _CHOICES if getattr(arguments, field, None) is not None
    }
    existing = Settings.load(arguments.name)
    if existing is None:
        return replace(Settings(name=arguments.name), **given)
    for field, option, what in _CHOICES:
        has = getattr(existing, field)
        if given.get(field, has) == has:
            continue
        if existing.asked.get(field) != str(given[field]):
            raise Failure(
                f"cluster {existing.name} was created with {what} {has}; it can't become {given[field]}",
                f"leave out {option}, or remove the cluster first: kubelite delete{of(existing)}",
            )
        progress(f"{what} {given[field]} was taken when the cluster was created, using {has}")
    return existing


def of(settings: Settings) -> str:
    """` --name NAME` where it has to be typed."""
    return "" if settings.name == DEFAULT_NAME else f" --name {settings.name}"


def up(arguments: argparse.Namespace, progress: Progress) -> int:
    started = time.monotonic()
    settings = settings_for(arguments, progress)
    endpoint = _engine(settings, arguments, progress)
    if arguments.foreground:
        return _serve(settings, endpoint, progress)
    fresh = bring_up(settings, endpoint, progress)
    settings = Settings.load(settings.name) or settings
    progress.wipe()
    took = f" ({time.monotonic() - started:.1f} s)" if fresh else " already"
    print(f"cluster {settings.name} is up{took}")
    for line in particulars(settings):
        print(f"  {line}")
    print("type next:")
    for line in next_steps(settings):
        print(f"  {line}")
    return 0


def _engine(settings: Settings, arguments: argparse.Namespace, progress: Progress) -> Endpoint:
    if not arguments.move or settings.engine is None:
        return lifecycle.engine_for_up(settings, install=arguments.install_engine, progress=progress)
    endpoint = daemon.ensure(arguments.install_engine, progress)
    if find.identity(endpoint) != settings.engine.id:
        lifecycle.leave_engine(settings, lifecycle.engine_of(settings), progress)
    return endpoint


def bring_up(settings: Settings, endpoint: Endpoint, progress: Progress) -> bool:
    """As `lifecycle.up`, with what goes wrong as a Failure."""
    try:
        return lifecycle.up(settings, endpoint, progress)
    except lifecycle.StartFailed as error:
        raise Failure(f"cluster {settings.name} did not start: {error}", f"its log: {settings.log}") from None


def _serve(settings: Settings, endpoint: Endpoint, progress: Progress) -> int:
    def report(kind: str, text: str) -> None:
        if kind == "ready":
            progress(f"cluster {settings.name} is up; its kubeconfig is {settings.kubeconfig}")
        else:
            progress(text)

    try:
        lifecycle.serve_here(settings, endpoint, progress, report)
    except lifecycle.StartFailed as error:
        raise Failure(str(error)) from None
    return 0


def particulars(settings: Settings) -> list[str]:
    """Where the cluster differs from what the documentation shows."""
    default = Settings()
    found = [
        f"{what}: {getattr(settings, field)} (default {getattr(default, field)})"
        for field, _, what in _CHOICES
        if getattr(settings, field) != getattr(default, field)
    ]
    if settings.service_cidr != SERVICE_CIDR or settings.pod_cidr != POD_CIDR:
        found.append(f"cluster DNS: {settings.dns_service_address}, pod {settings.dns_pod_address}")
    return found


def next_steps(settings: Settings) -> list[str]:
    if shutil.which("kubectl") is None:
        return [
            f"kubelite apply{of(settings)} -f FILE",
            f"kubelite status{of(settings)}",
            "  (kubectl is not installed; Debian has one: apt-get install kubernetes-client)",
        ]
    return [
        f"export KUBECONFIG={settings.kubeconfig}",
        f"  (or, to keep your own clusters beside it: kubelite kubeconfig --merge{of(settings)})",
        "kubectl get pods -A",
    ]


def down(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    endpoint = None if arguments.keep_pods else _engine_to_clear(settings)
    stopped = lifecycle.down(settings, endpoint, progress, keep_pods=arguments.keep_pods)
    progress.wipe()
    what = "is down; objects and volumes are kept" if stopped else "was down already"
    print(f"cluster {settings.name} {what}")
    return 0


def _engine_to_clear(settings: Settings) -> Endpoint | None:
    try:
        endpoint = lifecycle.engine_of(settings)
        silent = f"{engine_name(settings)} doesn't answer"
    except EngineError as error:
        endpoint, silent = None, error.message
    if endpoint is None:
        sys.stderr.write(f"{silent}: only the control plane is stopped\n")
    return endpoint


def engine_name(settings: Settings) -> str:
    """In a sentence about an engine that isn't there."""
    where = f" at {settings.engine.url}" if settings.engine else ""
    return f"the container engine{where}"


def delete(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    endpoint = None if arguments.without_engine else lifecycle.engine_of(settings)
    if endpoint is None and settings.directory.exists() and not arguments.without_engine:
        raise EngineError(
            f"{engine_name(settings)} doesn't answer, so the containers of cluster {settings.name} can't be removed",
            "start the engine that they are on first, or name it: export DOCKER_HOST=...\n"
            f"if it is gone for good: kubelite delete --without-engine{of(settings)}",
        )
    known = settings.kubeconfig.read_bytes() if settings.kubeconfig.exists() else None
    found = lifecycle.delete(settings, endpoint, progress, keep_volumes=arguments.keep_volumes)
    progress.wipe()
    _forget(known)
    if not found:
        print(f"there is no cluster {settings.name}")
    elif arguments.keep_volumes:
        print(f"cluster {settings.name} is deleted; its volumes are kept in {settings.volumes}")
    else:
        print(f"cluster {settings.name} is deleted")
    return 0


def _forget(content: bytes | None) -> None:
    """What `kubeconfig --merge` put into the user's file would only lead nowhere now."""
    path = kubeconfig.users_file(os.environ)
    if content and kubeconfig.forget(path, yaml.safe_load(content)):
        print(f"{path}: its entries are removed")
