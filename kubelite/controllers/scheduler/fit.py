"""Does a node fit a pod? Pure; reasons are worded as upstream's scheduler plugins word them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_labels, from_node_expressions

Resources = Mapping[str, Decimal]


def requests(pod: Obj) -> dict[str, Decimal]:
    """What the pod asks for: the sum of its containers and sidecars, or the largest init container on top of those."""
    spec = pod["spec"]
    total: dict[str, Decimal] = {}
    for container in spec.get("containers") or ():
        _add(total, _of(container))
    peak: dict[str, Decimal] = {}
    sidecars: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            _add(sidecars, _of(container))
            _add(total, _of(container))
            running: dict[str, Decimal] = dict(sidecars)
        else:
            running = dict(sidecars)
            _add(running, _of(container))
        peak = {name: max(peak.get(name, Decimal(0)), running.get(name, Decimal(0))) for name in {*peak, *running}}
    result = {name: max(total.get(name, Decimal(0)), peak.get(name, Decimal(0))) for name in {*total, *peak}}
    _add(result, {name: quantity.parse(value) for name, value in (spec.get("overhead") or {}).items()})
    return result


def _of(container: Obj) -> Resources:
    asked = (container.get("resources") or {}).get("requests") or {}
    return {name: quantity.parse(value) for name, value in asked.items()}


def _add(total: dict[str, Decimal], more: Resources) -> None:
    for name, value in more.items():
        total[name] = total.get(name, Decimal(0)) + value


def host_ports(pod: Obj) -> set[tuple[str, str, int]]:
    """(host address, protocol, port) that the pod takes on its node."""
    return {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), port["hostPort"])
        for container in pod["spec"].get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def _ports_clash(wanted: Iterable[tuple[str, str, int]], taken: Iterable[tuple[str, str, int]]) -> bool:
    held = list(taken)
    return any(
        protocol == other_protocol and port == other_port and (address == other or "0.0.0.0" in (address, other))
        for address, protocol, port in wanted
        for other, other_protocol, other_port in held
    )


def tolerates(pod: Obj, taint: Obj) -> bool:
    for toleration in pod["spec"].get("tolerations") or ():
        if toleration.get("effect") not in (None, "", taint["effect"]):
            continue
        if toleration.get("operator") == "Exists":
            if not toleration.get("key") or toleration["key"] == taint["key"]:
                return True
        elif toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def matches_node_affinity(pod: Obj, node: Obj) -> bool:
    """nodeSelector and the required part of nodeAffinity."""
    spec = pod["spec"]
    if not from_labels(spec.get("nodeSelector")).matches(meta.labels(node)):
        return False
    required = (
        ((spec.get("affinity") or {}).get("nodeAffinity") or {})
        .get("requiredDuringSchedulingIgnoredDuringExecution", {})
        .get("nodeSelectorTerms")
    )
    return required is None or any(_matches_term(term, node) for term in required)


def _matches_term(term: Obj, node: Obj) -> bool:
    if not term.get("matchExpressions") and not term.get("matchFields"):
        return False
    return from_node_expressions(term.get("matchExpressions")).matches(meta.labels(node)) and from_node_expressions(
        term.get("matchFields")
    ).matches({"metadata.name": meta.name(node)})


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
    if _ports_clash(host_ports(pod), (port for other in others for port in host_ports(other))):
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
        _add(used, requests(other))
    for name, value in sorted(wanted.items()):
        if value and used.get(name, Decimal(0)) + value > allocatable.get(name, Decimal(0)):
            lacking.append(f"Insufficient {name}")
    return lacking


def explain(total: int, reasons: Iterable[str]) -> str:
    """`0/1 nodes are available: 1 Insufficient cpu.` and so on."""
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(reasons).items()))
    if not total:
        return "no nodes available to schedule pods"
    preemption = f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
    return f"0/{total} nodes are available: {counted}. {preemption}"
