"""Whether the kubelet takes a pod that is bound to its node. PURE; called by the kubelet before a pod's worker starts.

Follows upstream's `kubelet/lifecycle/predicate.go` over the scheduler's `AdmissionCheck`: of several problems the first
is told, and the pod fails for good; whoever made it makes another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.objects.placement import add, host_ports, matches_node_affinity, ports_clash, requests, tolerates

DEFAULT_MAX_PODS = Decimal(110)
# Those that reach no further than the pod's own namespaces.
SAFE_SYSCTLS = frozenset(
    (
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
        *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
        *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    )
)


@dataclass(frozen=True, slots=True)
class Rejection:
    reason: str
    message: str


def admit(pod: Obj, node: Obj, others: Sequence[Obj]) -> Rejection | None:
    """None when `node`, where `others` run, takes the pod."""
    return next(_problems(pod, node, others), None)


def rejected_status(pod: Obj, rejection: Rejection, now: datetime) -> Obj:
    old = pod.get("status") or {}
    kept = {key: old[key] for key in ("qosClass", "startTime") if key in old}
    message = f"Pod was rejected: {rejection.message}"
    failed = {"phase": "Failed", "reason": rejection.reason, "message": message}
    return {"startTime": meta.format_time(now)} | kept | failed


def _problems(pod: Obj, node: Obj, others: Sequence[Obj]) -> Iterator[Rejection]:
    yield from _sysctls(pod)
    if _wrong_os(pod, node):
        message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
        yield Rejection("PodOSSelectorNodeLabelDoesNotMatch", message)
    if (pod["spec"].get("os") or {}).get("name", "linux") != "linux":
        yield Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    yield from _resources(pod, node, others)
    if not matches_node_affinity(pod, node):
        yield _predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    if ports_clash(host_ports(pod), (port for other in others for port in host_ports(other))):
        yield _predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    taints = node["spec"].get("taints") or ()
    if any(taint["effect"] == "NoExecute" and not tolerates(pod, taint) for taint in taints):
        yield _predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")


def _wrong_os(pod: Obj, node: Obj) -> bool:
    wanted = (pod["spec"].get("nodeSelector") or {}).get("kubernetes.io/os")
    return wanted is not None and wanted != meta.labels(node).get("kubernetes.io/os")


def _sysctls(pod: Obj) -> Iterator[Rejection]:
    for entry in (pod["spec"].get("securityContext") or {}).get("sysctls") or ():
        name = entry["name"].replace("/", ".")
        if name not in SAFE_SYSCTLS:
            yield Rejection("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')


def _predicate(name: str, description: str) -> Rejection:
    return Rejection(name, f"Predicate {name} failed: {description}")


def _resources(pod: Obj, node: Obj, others: Sequence[Obj]) -> Iterator[Rejection]:
    offered = (node.get("status") or {}).get("allocatable") or {}
    allocatable = {name: quantity.parse(value) for name, value in offered.items()}
    pods = allocatable.get("pods", DEFAULT_MAX_PODS)
    if len(others) + 1 > pods:
        yield _out_of("pods", Decimal(1), Decimal(len(others)), pods)
    used: dict[str, Decimal] = {}
    for other in others:
        add(used, requests(other))
    for name, wanted in _in_order(requests(pod)):
        # Extended resources that the node doesn't know at all are no business of the kubelet's.
        if not wanted or ("/" in name and name not in allocatable):
            continue
        taken, capacity = used.get(name, Decimal(0)), allocatable.get(name, Decimal(0))
        if wanted > capacity - taken:
            yield _out_of(name, wanted, taken, capacity)


def _in_order(wanted: dict[str, Decimal]) -> list[tuple[str, Decimal]]:
    """cpu, memory and ephemeral-storage come before the others."""
    first = ("cpu", "memory", "ephemeral-storage")
    return sorted(wanted.items(), key=lambda item: (first.index(item[0]) if item[0] in first else len(first), item[0]))


def _out_of(name: str, wanted: Decimal, used: Decimal, capacity: Decimal) -> Rejection:
    scale = 1000 if name == "cpu" else 1
    figures = ", ".join(
        f"{word}: {int(value * scale)}"
        for word, value in (("requested", wanted), ("used", used), ("capacity", capacity))
    )
    return Rejection(f"OutOf{name}", f"Node didn't have enough resource: {name}, {figures}")
