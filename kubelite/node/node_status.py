"""The Node object: what the engine's machine offers. PURE but for `register_node`, which the composition root calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kubelite.config import Settings
from kubelite.node.runtime import DISK_TOTAL
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MAX_PODS = 250

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def node_labels(settings: Settings, info: Mapping[str, Any]) -> dict[str, str]:
    architecture = _architecture(info)
    return {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": settings.node_name,
        "node-role.kubernetes.io/control-plane": "",
    }


def _architecture(info: Mapping[str, Any]) -> str:
    machine = str(info.get("Architecture", "x86_64"))
    return _ARCHITECTURES.get(machine, machine)


def node_status(settings: Settings, info: Mapping[str, Any], version: str, now: datetime, old: Obj) -> Obj:
    """status of the Node from the engine's `info`; conditions keep their transition times."""
    # What others have written beside them (extended resources) stays, and can be had.
    resources = {
        **(old.get("capacity") or {}),
        "cpu": str(info.get("NCPU", 1)),
        "ephemeral-storage": f"{int(info.get(DISK_TOTAL, 0)) // 1024}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{int(info.get('MemTotal', 0)) // 1024}Ki",
        "pods": str(MAX_PODS),
    }
    conditions = old.get("conditions")
    for kind, reason, message in _PRESSURES:
        conditions = _beat(conditions, {"type": kind, "status": "False", "reason": reason, "message": message}, now)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "capacity": resources,
        "allocatable": resources,
        "conditions": _beat(conditions, ready, now),
        "addresses": [
            {"type": "InternalIP", "address": str(settings.gateway)},
            {"type": "Hostname", "address": settings.node_name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "machineID": str(info.get("ID", "")),
            "systemUUID": str(info.get("ID", "")),
            "bootID": "",
            "kernelVersion": str(info.get("KernelVersion", "")),
            "osImage": str(info.get("OperatingSystem", "")),
            "containerRuntimeVersion": f"docker://{info.get('ServerVersion', '')}",
            "kubeletVersion": version,
            "kubeProxyVersion": version,
            "operatingSystem": "linux",
            "architecture": _architecture(info),
        },
    }


def not_ready(old: Obj, message: str, now: datetime) -> Obj:
    """The status of a node whose kubelet can't run pods, and why."""
    condition = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": message}
    return {**old, "conditions": _beat(old.get("conditions"), condition, now)}


def _beat(conditions: list[Obj] | None, condition: Obj, now: datetime) -> list[Obj]:
    return meta.with_condition(conditions, condition | {"lastHeartbeatTime": meta.format_time(now)}, now)


def register_node(client: Client, settings: Settings, info: Mapping[str, Any], version: str, now: datetime) -> Obj:
    """Create or refresh this node's object and report it Ready."""
    name = settings.node_name
    node = client.find("nodes", None, name)
    if node is None:
        metadata = {"name": name, "labels": node_labels(settings, info)}
        spec = {"podCIDR": str(settings.pod_cidr), "podCIDRs": [str(settings.pod_cidr)]}
        node = client.create("nodes", {"metadata": metadata, "spec": spec})
    status = node_status(settings, info, version, now, node.get("status") or {})
    return client.update("nodes", {**meta.copy(node), "status": status}, "status")
