"""Install the distribution's Docker Engine for `daemon`, which runs it without the distribution's service manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from kubelite.engine import EngineError, Progress, packages

PACKAGE = "docker.io"
_ADMIN_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"
_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")


def search_path() -> str:
    """PATH with the administrators' directories, in which dockerd finds containerd, runc and iptables."""
    return f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_PATHS}"


def program() -> str | None:
    """The path of dockerd."""
    return shutil.which("dockerd", path=search_path())


def install(progress: Progress) -> str:
    """Have dockerd on this machine; returns its path."""
    if found := program():
        return found
    if not packages.available():
        raise EngineError("no container engine answers, and this user cannot install one", cure())
    packages.install([PACKAGE, "ca-certificates", *_confinement()], progress)
    _keep_service_off()
    if found := program():
        return found
    raise EngineError(f"{PACKAGE} is installed but has no dockerd on {search_path()}")


def _confinement() -> list[str]:
    """Where the kernel enforces AppArmor, containers start only when its parser is there to load their profile."""
    enabled = _APPARMOR.exists() and _APPARMOR.read_text().startswith("Y")
    return ["apparmor"] if enabled else []


def _keep_service_off() -> None:
    """At the next boot the package's service would take the default socket, with none of our containers in it."""
    if systemctl := shutil.which("systemctl"):
        subprocess.run(
            [systemctl, "disable", "--quiet", "docker.service", "docker.socket"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )


def cure() -> str:
    """What to type on a machine without an engine."""
    if os.geteuid() != 0:
        return (
            "type one of:\n"
            "  sudo systemctl start docker     when Docker is installed and only stopped\n"
            "  sudo usermod -aG docker $USER   when it runs but you may not use it; then log in again\n"
            "  sudo kubelite engine install    to install the distribution's Docker and start it"
        )
    return "type: kubelite engine install"
