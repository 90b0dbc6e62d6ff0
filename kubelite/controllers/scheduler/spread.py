"""Topology spread constraints that must hold. PURE; after upstream's plug-in PodTopologySpread."""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.controllers.scheduler.snapshot import Misfit, Snapshot
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.placement import matches_node_affinity, tolerates
from kubelite.objects.selectors import Requirement, Selector, from_label_selector

_REASON = "node(s) didn't match pod topology spread constraints"


def constraints(pod: Obj) -> list[Obj]:
    """Those that keep a pod from a node; the others only state a wish."""
    given = pod["spec"].get("topologySpreadConstraints") or ()
    return [constraint for constraint in given if constraint["whenUnsatisfiable"] == "DoNotSchedule"]


def misfit(pod: Obj, node: Obj, snapshot: Snapshot) -> Misfit | None:
    given = constraints(pod)
    keys = [constraint["topologyKey"] for constraint in given]
    for constraint in given:
        domain = meta.labels(node).get(constraint["topologyKey"])
        if domain is None:
            return Misfit((f"{_REASON} (missing required label)",), resolvable=False)
        selector = _selector(constraint, pod)
        counts = _counts(constraint, keys, selector, pod, snapshot)
        present = counts.get(domain, 0) + int(selector.matches(meta.labels(pod)))
        if present - _fewest(counts, constraint.get("minDomains") or 1) > constraint["maxSkew"]:
            return Misfit((_REASON,))
    return None


def _fewest(counts: dict[str, int], least_domains: int) -> int:
    return min(counts.values(), default=0) if len(counts) >= least_domains else 0


def _selector(constraint: Obj, pod: Obj) -> Selector:
    labels = meta.labels(pod)
    keys = [key for key in constraint.get("matchLabelKeys") or () if key in labels]
    own = (Requirement(key, "in", frozenset([labels[key]])) for key in keys)
    return Selector((*from_label_selector(constraint.get("labelSelector")).requirements, *own))


def _counts(constraint: Obj, keys: Sequence[str], selector: Selector, pod: Obj, snapshot: Snapshot) -> dict[str, int]:
    """How many of the pods that the constraint means are in each domain that could take the pod."""
    counts: dict[str, int] = {}
    for node in snapshot.nodes:
        labels = meta.labels(node)
        if all(key in labels for key in keys) and _is_open(constraint, pod, node):
            found = [other for other in snapshot.on(node) if _counts_in(other, pod, selector)]
            domain = labels[constraint["topologyKey"]]
            counts[domain] = counts.get(domain, 0) + len(found)
    return counts


def _counts_in(other: Obj, pod: Obj, selector: Selector) -> bool:
    same = meta.namespace(other) == meta.namespace(pod)
    return same and not meta.is_terminating(other) and selector.matches(meta.labels(other))


def _is_open(constraint: Obj, pod: Obj, node: Obj) -> bool:
    """The constraint's policies let the node count."""
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not matches_node_affinity(pod, node):
        return False
    if constraint.get("nodeTaintsPolicy", "Ignore") == "Ignore":
        return True
    taints = node["spec"].get("taints") or ()
    return all(tolerates(pod, taint) for taint in taints if taint["effect"] in ("NoSchedule", "NoExecute"))
