"""Whether a container would ever hear of its stop signal. Called when a whole node shuts down.

The kernel drops a signal for the first process of a process namespace unless that process catches it (or blocks it, to
fetch it later): `sleep` as a container's only process ends by SIGKILL alone, however long one waits.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

from kubelite.node.runtime import Container

PROC = Path("/proc")


def is_deaf(container: Container, proc: Path = PROC) -> bool:
    """False also when nothing can be found out: the engine may be on another machine."""
    directory = proc / str(container.process)
    try:
        if not container.process or container.id not in (directory / "cgroup").read_text():
            return False
        status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines() if ":" in line)
    except OSError:
        return False
    return _is_first(status) and not _hears(status, container.stop_signal)


def _is_first(status: Mapping[str, str]) -> bool:
    """Of the innermost of its process namespaces."""
    return status.get("NSpid", "").split()[-1:] == ["1"]


def _hears(status: Mapping[str, str], name: str) -> bool:
    number = _number(name)
    masks = [int(status.get(field, "0"), 16) for field in ("SigCgt", "SigBlk")]
    return number is None or any(mask >> (number - 1) & 1 for mask in masks)


def _number(name: str) -> int | None:
    if name.isdecimal():
        return int(name)
    found = signal.Signals.__members__.get(name if name.startswith("SIG") else f"SIG{name}")
    return None if found is None else found.value
