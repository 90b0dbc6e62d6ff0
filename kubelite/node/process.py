"""What streams ask of the node: a process in a container (or the container itself, attached) with its streams.

Implemented by `kubelite.node.docker_streams`, used by `kubelite.streams`, faked in tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

STDOUT = 1
STDERR = 2


class Process(Protocol):
    """A running process; dropping it leaves it running."""

    async def read(self) -> tuple[int, bytes] | None:
        """The next output with its stream (`STDOUT`, `STDERR`); None at the end of both."""

    async def write(self, data: bytes) -> None:
        """Send to its standard input and wait while it is slow; raises ConnectionError when it reads no more."""

    async def close_stdin(self) -> None:
        """End its standard input."""

    async def resize(self, width: int, height: int) -> None:
        """Set the size of its terminal."""

    async def wait(self) -> int:
        """Its exit code, after the end of its output."""

    async def close(self) -> None:
        """Let go of its streams."""


ProcessFactory = Callable[[], Awaitable[Process]]  # raises EngineError when the engine can't
