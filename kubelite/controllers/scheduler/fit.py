"""Does a node fit a pod? PURE; reasons are worded as upstream's scheduler plugins word them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from kubelite.controllers.scheduler.snapshot import Misfit
from kubelite.objects import quantity
from kubelite.objects.meta import Obj
from kubelite.objects.placement import add, host_ports, matches_node_affinity, ports_clash, requests, tolerates


def misfit(pod: Obj, node: Obj, others: Sequence[Obj]) -> Misfit | None:
    """Why `node`, where `others` run, doesn't fit the pod, apart from what volumes and other pods' terms say."""
    unschedulable = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if node["spec"].get("unschedulable") and not tolerates(pod, unschedulable):
        return Misfit(("node(s) were unschedulable",), resolvable=False)
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(pod, taint):
            reason = f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
            return Misfit((reason,), resolvable=False)
    if not matches_node_affinity(pod, node):
        return Misfit(("node(s) didn't match Pod's node affinity/selector",), resolvable=False)
    if ports_clash(host_ports(pod), (port for other in others for port in host_ports(other))):
        return Misfit(("node(s) didn't have free ports for the requested pod ports",))
    lacking = insufficient(pod, node, others)
    return Misfit(tuple(lacking)) if lacking else None


def insufficient(pod: Obj, node: Obj, others: Sequence[Obj]) -> list[str]:
    allocatable = {name: quantity.parse(value) for name, value in node["status"].get("allocatable", {}).items()}
    lacking = ["Too many pods"] if len(others) + 1 > allocatable.get("pods", Decimal(110)) else []
    wanted = requests(pod)
    if not any(wanted.values()):
        return lacking
    used: dict[str, Decimal] = {}
    for other in others:
        add(used, requests(other))
    for name, value in sorted(wanted.items()):
        if value and used.get(name, Decimal(0)) + value > allocatable.get(name, Decimal(0)):
            lacking.append(f"Insufficient {name}")
    return lacking


def explain(total: int, reasons: Iterable[str]) -> str:
    """`0/1 nodes are available: 1 Insufficient cpu.` and so on."""
    counted = ", ".join(sorted(f"{count} {reason}" for reason, count in Counter(reasons).items()))
    return f"0/{total} nodes are available: {counted}."
