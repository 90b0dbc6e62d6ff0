"""Mount the control groups that dockerd needs where no init system did."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_ENABLED = Path("/proc/cgroups")
_NEEDED = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


def missing(mounts: str, enabled: str) -> list[str]:
    """Version 1 controllers that the kernel has and nobody mounted; none where version 2 is at the root.

    `mounts` and `enabled` are the texts of /proc/mounts and /proc/cgroups.
    """
    mounted: set[str] = set()
    for _device, target, kind, options, *_rest in map(str.split, mounts.splitlines()):
        if kind == "cgroup2" and target == str(ROOT):
            return []
        if kind == "cgroup":
            mounted.update(options.split(","))
    rows = [line.split() for line in enabled.splitlines() if not line.startswith("#")]
    present = {name for name, _hierarchy, _count, on in rows if on == "1"}
    return [name for name in _NEEDED if name in present and name not in mounted]


def mount_missing() -> None:
    """A machine without an init system may have an empty /sys/fs/cgroup."""
    if not _ENABLED.exists():
        return
    names = missing(Path("/proc/mounts").read_text(), _ENABLED.read_text())
    if names and not ROOT.is_mount():
        _mount("tmpfs", "uid=0,gid=0,mode=0755", ROOT)
    for name in names:
        (ROOT / name).mkdir(exist_ok=True)
        _mount("cgroup", name, ROOT / name)


def _mount(kind: str, options: str, target: Path) -> None:
    # A controller that refuses is left out: dockerd names it in its log when it cannot do without.
    subprocess.run(["mount", "-t", kind, "-o", options, kind, str(target)], capture_output=True)
