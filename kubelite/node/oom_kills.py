"""Which containers ran out of memory, where the engine has missed it. Held by the engine's runtime.

When a container ends in the moment of its out-of-memory notice, the notice is lost now and then. What is left is that
nobody here killed a container with a memory limit, and that the kernel has killed something since it was started.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_VMSTAT = Path("/proc/vmstat")
_KILLED = 137


def kernels_count() -> int:
    """How many processes the machine has killed for want of memory; 0 where the kernel doesn't say."""
    try:
        lines = _VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class OomKills:
    """By the engine's ids."""

    def __init__(self, count: Callable[[], int] = kernels_count) -> None:
        self._count = count
        self._before: dict[str, int] = {}
        self._found: set[str] = set()

    def starts(self, container_id: str) -> None:
        self._before[container_id] = self._count()

    def forget(self, container_id: str) -> None:
        """It is being killed, or removed."""
        self._before.pop(container_id, None)

    def gone(self, container_id: str) -> None:
        self.forget(container_id)
        self._found.discard(container_id)

    def ran_out(self, container_id: str, exit_code: int, *, limited: bool) -> bool:
        """Of one that has ended; settled when it is asked first."""
        before = self._before.pop(container_id, None)
        if before is not None and limited and exit_code == _KILLED and self._count() > before:
            self._found.add(container_id)
        return container_id in self._found
