"""What a cluster's own processes use of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import docker

from kubelite import lifecycle
from kubelite.config import Settings


def control_plane(settings: Settings) -> int:
    pid = lifecycle.running_pid(settings)
    assert pid is not None
    return pid


def all_of(settings: Settings, client: docker.DockerClient) -> dict[str, int]:
    """Process ids by name: the control plane and the add-ons."""
    found = {"control plane": control_plane(settings)}
    label = [f"kubelite.cluster={settings.name}", "io.kubernetes.pod.namespace=kube-system"]
    for container in client.api.containers(filters={"label": label}):
        name = container["Labels"]["io.kubernetes.container.name"]
        if name != "POD":
            found[name] = client.api.inspect_container(container["Id"])["State"]["Pid"]
    return found


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Proportional set size: what is shared between processes counts once."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
