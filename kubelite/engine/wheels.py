"""Put kubelite's requirements, built for the images' Python, into a directory.

Containers often cannot reach a package index that the host can (proxies, private certificates), so pip runs on the
host and takes ready-made wheels for the image's platform, whatever the host's own Python is.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kubelite.engine import EngineError

PYTHON = "3.11"  # of Debian 12, from which the images are made
_GLIBC_MINOR = 36
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def platforms(architecture: str) -> list[str]:
    """Wheel platform tags that run on Debian 12, newest first; `architecture` as the engine names it."""
    machine = _MACHINES.get(architecture)
    if machine is None:
        raise EngineError(f"no images for {architecture}: kubelite's run on amd64 and arm64")
    tags = []
    for minor in range(_GLIBC_MINOR, 4, -1):
        tags.append(f"manylinux_2_{minor}_{machine}")
        if minor in _LEGACY:
            tags.append(f"{_LEGACY[minor]}_{machine}")
    return tags


def pip_command(requirements: Sequence[str], target: Path, architecture: str) -> list[str]:
    """The pip call that installs for another interpreter than the one running it."""
    options = ["--quiet", "--no-compile", "--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
    chosen = [f"--platform={tag}" for tag in platforms(architecture)]
    return [sys.executable, "-m", "pip", "install", f"--target={target}", *options, *chosen, *requirements]


def install(requirements: Sequence[str], target: Path, architecture: str) -> None:
    """Fill `target` as a site-packages directory."""
    if importlib.util.find_spec("pip") is None:
        raise EngineError(
            f"pip, which fetches the packages of kubelite's image, is not in {sys.prefix}",
            f"type: {sys.executable} -m ensurepip",
        )
    done = subprocess.run(
        pip_command(requirements, target, architecture), capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise EngineError(
            f"pip could not fetch the packages of kubelite's image:\n{done.stderr.strip()[-2000:]}",
            "check that a package index answers: pip download --no-deps msgspec",
        )
    _strip(target)


def _strip(site_packages: Path) -> None:
    """Take away what only compilers and testers need."""
    for pattern in ("bin", "*/test", "*/tests", "**/*.pyx", "**/*.pxd", "**/*.pyi", "**/*.c", "**/*.h"):
        for path in site_packages.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
