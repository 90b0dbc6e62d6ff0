"""A container's requests and limits to the engine's. PURE; called by container_spec.

Follows upstream's `kuberuntime_container_linux.go` (calculateLinuxResources), `kubelet/cm/helpers_linux.go` and
`kubelet/qos`.
"""

from __future__ import annotations

from kubelite.node.runtime import Resources
from kubelite.objects import quantity
from kubelite.objects.meta import Obj

MEMORY_MIN = 6 * 1024 * 1024  # the engine refuses less
SHARES_MIN = 2
SHARES_MAX = 262_144  # the kernel's
QUOTA_MIN = 1000
BEST_EFFORT_SCORE = 1000
BURSTABLE_SCORES = (3, 999)  # above every Guaranteed pod, below every BestEffort one
_NODE_CRITICAL = "system-node-critical"


def resources_of(pod: Obj, container: Obj, machine_memory: int) -> Resources:
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    cpu_limit = quantity.to_milli(limits["cpu"]) if limits.get("cpu") else 0
    cpu = quantity.to_milli(requests["cpu"]) if requests.get("cpu") else cpu_limit
    memory = quantity.to_bytes(limits["memory"]) if limits.get("memory") else 0
    return Resources(
        cpu_shares=min(max(cpu * 1024 // 1000, SHARES_MIN), SHARES_MAX),
        cpu_quota=max(cpu_limit * 100, QUOTA_MIN) if cpu_limit else 0,
        memory=max(memory, MEMORY_MIN) if memory else 0,
        oom_score_adj=_oom_score(pod, requests, machine_memory),
    )


def _oom_score(pod: Obj, requests: Obj, machine_memory: int) -> int | None:
    """The first to be killed is who asked for nothing. None where upstream's score is negative: it needs privileges."""
    quality = (pod.get("status") or {}).get("qosClass")
    if quality == "Guaranteed" or pod["spec"].get("priorityClassName") == _NODE_CRITICAL:
        return None
    if quality == "BestEffort":
        return BEST_EFFORT_SCORE
    wanted = quantity.to_bytes(requests["memory"]) if requests.get("memory") else 0
    least, most = BURSTABLE_SCORES
    return min(max(1000 - 1000 * wanted // machine_memory, least), most) if machine_memory else most
