"""Does a node fit a pod? Pure; reasons are worded as upstream's scheduler plugins word them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from kubelite.objects import quantity
from kubelite.objects.meta import Obj
from kubelite.objects.placement import add, host_ports, matches_node_affinity, ports_clash, requests, tolerates

CLAIM_TAKEN = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
_OCCUPIED = ("Insufficient ", "Too many pods", "node(s) didn't have free ports", CLAIM_TAKEN)


def unfit(pod: Obj, node: Obj, others: Sequence[Obj]) -> list[str]:
    """Why `node`, where `others` run, doesn't fit the pod; empty when it does."""
    unschedulable = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if node["spec"].get("unschedulable") and not tolerates(pod, unschedulable):
        return ["node(s) were unschedulable"]
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(pod, taint):
            return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
    if not matches_node_affinity(pod, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if ports_clash(host_ports(pod), (port for other in others for port in host_ports(other))):
        return ["node(s) didn't have free ports for the requested pod ports"]
    return insufficient(pod, node, others)


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
    found = list(reasons)
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(found).items()))
    if not total:
        return "no nodes available to schedule pods"
    return f"0/{total} nodes are available: {counted}. {_preemption(total, found)}"


def _preemption(total: int, reasons: Iterable[str]) -> str:
    """Whether the end of other pods could help; nobody is evicted for it."""
    helpful = all(reason.startswith(_OCCUPIED) for reason in reasons)
    why = "No preemption victims found for incoming pod" if helpful else "Preemption is not helpful for scheduling"
    return f"preemption: 0/{total} nodes are available: {total} {why}."
