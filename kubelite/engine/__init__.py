"""The container engine under a cluster and the images a cluster needs.

`find` looks for an engine that answers, `daemon` starts a private one where there is none, `install` puts the
distribution's package in place, `images` makes or pulls what the kubelet starts. A leaf of the package: called by
the CLI, the cluster's composition and the tests, imports nothing above `config`.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]


class EngineError(Exception):
    """What went wrong with the engine or an image, and `cure`: what the user can type about it."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message}\n{self.cure}" if self.cure else self.message


def silent(_line: str) -> None:
    """Progress for callers that show none."""
