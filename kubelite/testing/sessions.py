"""Names of the clusters of test sessions, and the removal of those whose session was killed.

A name tells the process it belongs to: `pytest-<place>-<pid>-<start>`, with `-<which>` behind it where a session has
several. The place is the machine and its process
namespace, so that a session on the other side of a shared engine is never taken for dead; the start time tells a
process from a later one with the same number. Called by the pytest plugin.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubelite import lifecycle
from kubelite.config import LABEL_CLUSTER, LABEL_HOME, Settings, home
from kubelite.engine import find
from kubelite.engine.find import Endpoint

_NAME = re.compile(r"pytest-([0-9a-f]{4})-([0-9]+)-([0-9a-z]+)(?:-[a-z0-9]+)?")


def own_name(which: str = "") -> str:
    """The name of this process's cluster, or of the one of them that is called `which`."""
    return "-".join(["pytest", _place(), str(os.getpid()), _start(os.getpid()), *([which] if which else [])])


def is_abandoned(name: str) -> bool:
    """Whether the cluster belongs to a test session of this machine whose process is gone."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    place, pid, start = found.groups()
    return place == _place() and _start(int(pid)) != start


def _place() -> str:
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts += [Path("/etc/machine-id").read_text()]
    with suppress(OSError):
        parts += [os.readlink("/proc/self/ns/pid")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:4]


def _start(pid: int) -> str:
    """When the process started, empty when there is none. A zombie has ended."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else f"{int(fields[18]):x}"


def sweep(endpoint: Endpoint | None) -> list[str]:
    """Remove what killed sessions left on the engine and on disk; the names of the clusters that it was.

    What can't be removed now is tried again by the next session: it must not keep this one from running.
    """
    from docker.errors import DockerException

    left = {settings.name: settings for settings in _on_disk()}
    if endpoint is not None:
        with closing(find.connect(endpoint)) as client:
            left = {settings.name: settings for settings in _on_engine(client)} | left
    for settings in left.values():
        with suppress(DockerException, OSError):
            home = lifecycle.engine_of(settings) if settings.engine else endpoint
            lifecycle.delete(settings, home, lambda text: None)
    return sorted(left)


def _on_disk() -> Iterator[Settings]:
    for path in home().glob("pytest-*/"):
        if is_abandoned(path.name):
            yield Settings.load(path.name) or Settings(name=path.name)


def _on_engine(client: Any) -> Iterator[Settings]:
    """A cluster's network tells its home; whoever lost the network has containers at most."""
    filters = {"label": LABEL_CLUSTER}
    for labelled in (*client.api.containers(all=True, filters=filters), *client.api.networks(filters=filters)):
        labels = labelled["Labels"]
        if is_abandoned(labels[LABEL_CLUSTER]):
            settings = Settings(name=labels[LABEL_CLUSTER])
            yield replace(settings, home=Path(labels[LABEL_HOME])) if LABEL_HOME in labels else settings
