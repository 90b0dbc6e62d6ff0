"""What a pod asks of the node it goes to, and what a node offers. PURE; used by the scheduler and by the kubelet.

Follows upstream's `resourcehelper.PodRequests` and the node affinity, node ports and taint helpers of the scheduler.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
        add(total, _of(container))
    peak: dict[str, Decimal] = {}
    sidecars: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            add(sidecars, _of(container))
            add(total, _of(container))
            running: dict[str, Decimal] = dict(sidecars)
        else:
            running = dict(sidecars)
            add(running, _of(container))
        peak = {name: max(peak.get(name, Decimal(0)), running.get(name, Decimal(0))) for name in {*peak, *running}}
    result = {name: max(total.get(name, Decimal(0)), peak.get(name, Decimal(0))) for name in {*total, *peak}}
    add(result, {name: quantity.parse(value) for name, value in (spec.get("overhead") or {}).items()})
    return result


def _of(container: Obj) -> Resources:
    asked = (container.get("resources") or {}).get("requests") or {}
    return {name: quantity.parse(value) for name, value in asked.items()}


def add(total: dict[str, Decimal], more: Resources) -> None:
    for name, value in more.items():
        total[name] = total.get(name, Decimal(0)) + value


def host_ports(pod: Obj) -> set[tuple[str, str, int]]:
    """(host address, protocol, port) that the pod takes on its node, its sidecars included."""
    inits = pod["spec"].get("initContainers") or ()
    sidecars = [container for container in inits if container.get("restartPolicy") == "Always"]
    return {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol", "TCP"), port["hostPort"])
        for container in [*sidecars, *(pod["spec"].get("containers") or ())]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def ports_clash(wanted: Iterable[tuple[str, str, int]], taken: Iterable[tuple[str, str, int]]) -> bool:
    held = list(taken)
    return any(
        protocol == other_protocol and port == other_port and (address == other or "0.0.0.0" in (address, other))
        for address, protocol, port in wanted
        for other, other_protocol, other_port in held
    )


def tolerates(pod: Obj, taint: Obj) -> bool:
    return toleration_of(pod, taint) is not None


def toleration_of(pod: Obj, taint: Obj) -> Obj | None:
    """The first of the pod's tolerations that bears the taint."""
    found = (entry for entry in pod["spec"].get("tolerations") or () if _bears(entry, taint))
    return next(found, None)


def _bears(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return not toleration.get("key") or bool(toleration["key"] == taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


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
    return required is None or matches_terms(required, node)


def matches_terms(terms: Iterable[Obj], node: Obj) -> bool:
    """Any term of a node selector."""
    return any(_matches_term(term, node) for term in terms)


def _matches_term(term: Obj, node: Obj) -> bool:
    if not term.get("matchExpressions") and not term.get("matchFields"):
        return False
    return from_node_expressions(term.get("matchExpressions")).matches(meta.labels(node)) and from_node_expressions(
        term.get("matchFields")
    ).matches({"metadata.name": meta.name(node)})
