"""Seccomp profiles of the machine's own, which a security context names by their files. Called by the starter.

The engine is told what a profile says, not where it is. The directory is upstream's kubelet's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kubelite.node.runtime import EngineError, Security

PROFILES = Path("/var/lib/kubelet/seccomp")
LOCAL = "seccomp=localhost/"


def with_profile(security: Security) -> Security:
    """With the content of the profile that is named; EngineError when it can't be read."""
    return replace(security, options=tuple(map(_loaded, security.options)))


def _loaded(option: str) -> str:
    if not option.startswith(LOCAL):
        return option
    path = PROFILES / option.removeprefix(LOCAL)
    try:
        return f"seccomp={path.read_text()}"
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        problem = f'cannot load seccomp profile "{path}": open {path}: {str(why).lower()}'
        raise EngineError(f"failed to generate seccomp spec opts: {problem}") from error
