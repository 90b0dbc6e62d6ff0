"""The Debian image under kubelite's own: pulled where a registry answers, else made from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kubelite.engine import EngineError, Progress, packages

if TYPE_CHECKING:
    import docker

OFFICIAL = "debian:bookworm-slim"
OWN = "kubelite/base:bookworm"
SUITE = "bookworm"
_UNWANTED = ("doc", "man", "info", "locale", "lintian", "bug")


def bootstrap(client: docker.DockerClient, architecture: str, label: str, progress: Progress) -> str:
    """Make `OWN` on the host and import it; returns its name."""
    if shutil.which("mmdebstrap") is None:
        _install_mmdebstrap(progress)
    if os.geteuid() != 0:
        raise EngineError("making the base image from Debian's packages needs root", _CURE)
    progress("base: making a small Debian from its packages")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kubelite-base-") as directory:
        archive = Path(directory) / "base.tar"
        done = subprocess.run(command(archive, architecture), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise EngineError(f"mmdebstrap failed:\n{done.stderr.strip()[-2000:]}", _CURE)
        repository, tag = OWN.split(":")
        changes = [f"LABEL {label}=base", 'CMD ["bash"]']
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=changes)
    progress(f"base: made in {time.monotonic() - started:.1f} s")
    return OWN


def command(archive: Path, architecture: str) -> list[str]:
    """mmdebstrap for a root file system with apt, without documentation and without perl's large half."""
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _UNWANTED]
    return [
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=apt",
        f"--architectures={architecture}",
        # usrmerge, the alternative of this empty package, depends on the whole of perl.
        "--include=usr-is-merged",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        '--aptopt=Apt::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io",
        *excludes,
        SUITE,
        str(archive),
    ]


def _install_mmdebstrap(progress: Progress) -> None:
    if not packages.available():
        raise EngineError("no image registry answers, and this machine has no apt to make images with", _CURE)
    packages.install(["mmdebstrap", "debian-archive-keyring"], progress)


_CURE = (
    "where an image registry answers type: docker pull debian:bookworm-slim\n"
    "elsewhere load images that were saved on another machine: kubelite images load FILE"
)
