"""The kubectl programs of this machine, for tests that run with each; where there is none, Debian's is fetched.

The one on PATH, the siblings `kubectl.1.27` ... of a kubectl that is Google's dispatcher, and Debian's package
`kubernetes-client` (1.20), unpacked into a cache folder beside whatever is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "kubernetes-client"
FETCH_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One program and its minor version (of 1.32: 32)."""

    program: str
    minor: int

    @property
    def label(self) -> str:
        return f"1.{self.minor}"

    @property
    def needs_dashes(self) -> bool:
        """`exec POD COMMAND` without `--`, as the notes type it, was given up in 1.33."""
        return self.minor >= 33


@cache
def found() -> tuple[Kubectl, ...]:
    """Oldest first, one of each version."""
    programs = [*_on_path(), *_of_debian()]
    by_version = {_minor(program): program for program in reversed(programs)}
    return tuple(Kubectl(program, minor) for minor, program in sorted(by_version.items()))


def newest() -> Kubectl:
    if not found():
        raise RuntimeError(f"there is no kubectl on this machine, and Debian's package {PACKAGE} could not be fetched")
    return found()[-1]


def _on_path() -> list[str]:
    program = shutil.which("kubectl")
    if program is None:
        return []
    siblings = sorted(Path(program).resolve().parent.glob("kubectl.1.[0-9]*"))
    return list(map(str, siblings)) or [program]


def _of_debian() -> list[str]:
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubelite" / PACKAGE / "kubectl"
    if not cached.exists() and os.geteuid() == 0 and shutil.which("apt-get"):
        _fetch(cached)
    return [str(cached)] if cached.exists() else []


def _fetch(target: Path) -> None:
    """Leaves nothing when there is no network."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
        if not _run(download, scratch):
            _run(["apt-get", "-q", "update"], scratch)
            _run(download, scratch)
        for package in Path(scratch).glob("*.deb"):
            if _run(["dpkg", "-x", str(package), "unpacked"], scratch):
                (Path(scratch) / "unpacked/usr/bin/kubectl").rename(target)


def _run(command: list[str], directory: str) -> bool:
    try:
        return subprocess.run(command, cwd=directory, capture_output=True, timeout=FETCH_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _minor(program: str) -> int:
    """From the client itself; `--short` and plain output differ between versions, the number is in both."""
    answer = subprocess.run([program, "version", "--client"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"v1\.([0-9]+)\.", answer)
    assert match, f"{program} version --client: {answer}"
    return int(match[1])
