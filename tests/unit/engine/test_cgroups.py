"""Which control groups are mounted where no init system did."""

from __future__ import annotations

import pytest

from kubelite.engine.cgroups import missing

ENABLED = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" + "\n".join(
    f"{name}\t0\t1\t1" for name in ("cpu", "memory", "devices", "pids", "net_cls")
)
TMPFS = "tmpfs /sys/fs/cgroup tmpfs rw 0 0"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        pytest.param("", ["cpu", "memory", "devices", "pids"], id="nothing mounted"),
        pytest.param(
            f"{TMPFS}\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0", ["memory", "devices", "pids"], id="v1"
        ),
        pytest.param("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0", [], id="v2"),
        pytest.param(
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0", ["cpu", "memory", "devices", "pids"], id="v2 beside v1"
        ),
    ],
)
def test_needed_controllers_without_mount_are_missing(mounts: str, expected: list[str]) -> None:
    assert missing(mounts, ENABLED) == expected


def test_controllers_that_the_kernel_has_switched_off_are_not_missed() -> None:
    assert missing("", ENABLED.replace("memory\t0\t1\t1", "memory\t0\t1\t0")) == ["cpu", "devices", "pids"]
