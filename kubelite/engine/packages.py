"""Install packages of the distribution, without letting their services start."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kubelite.engine import EngineError, Progress

POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = "#!/bin/sh\n# Written by kubelite while it installs packages: no service starts.\nexit 101\n"


def available() -> bool:
    """Whether this process may install packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(names: Sequence[str], progress: Progress) -> None:
    """`apt-get install`; fetches the package lists when they are missing or too old to serve."""
    listed = " ".join(names)
    progress(f"packages: installing {listed}")
    started = time.monotonic()
    with services_denied(POLICY):
        done = _apt("install", "--no-install-recommends", *names)
        if done.returncode:
            progress("packages: fetching the package lists")
            _apt("update")
            done = _apt("install", "--no-install-recommends", *names)
    if done.returncode:
        raise EngineError(
            f"apt-get could not install {listed}:\n{(done.stderr or done.stdout).strip()[-2000:]}",
            f"type: apt-get update && apt-get install {listed}",
        )
    progress(f"packages: installed in {time.monotonic() - started:.1f} s")


def _apt(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ["-y", "-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-confold"]
    return subprocess.run(
        ["apt-get", verb, *options, *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@contextmanager
def services_denied(policy: Path) -> Iterator[None]:
    """While inside, packages cannot start services; a policy that is already there stays as it was."""
    saved: tuple[bytes, int] | None = None
    if policy.exists() and policy.read_text() != _DENY:  # ours is the leftover of a killed run
        saved = (policy.read_bytes(), policy.stat().st_mode)
    policy.write_text(_DENY)
    policy.chmod(0o755)
    try:
        yield
    finally:
        if saved:
            policy.write_bytes(saved[0])
            policy.chmod(saved[1])
        else:
            policy.unlink(missing_ok=True)
