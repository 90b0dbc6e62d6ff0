"""Affinity and anti-affinity between pods. PURE; after upstream's plug-in InterPodAffinity."""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.controllers.scheduler.snapshot import Misfit, Snapshot
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def misfit(pod: Obj, node: Obj, snapshot: Snapshot) -> Misfit | None:
    if not _has_company(pod, node, snapshot):
        return Misfit(("node(s) didn't match pod affinity rules",), resolvable=False)
    if _meets_an_enemy(pod, node, snapshot):
        return Misfit(("node(s) didn't match pod anti-affinity rules",))
    if _is_an_enemy(pod, node, snapshot):
        return Misfit(("node(s) didn't satisfy existing pods anti-affinity rules",))
    return None


def terms(pod: Obj, kind: str) -> Sequence[Obj]:
    """The required terms of `podAffinity` or `podAntiAffinity`."""
    affinity = pod["spec"].get("affinity")
    return ((affinity.get(kind) or {}).get(_REQUIRED) or ()) if affinity else ()


def _has_company(pod: Obj, node: Obj, snapshot: Snapshot) -> bool:
    wanted = terms(pod, "podAffinity")
    if not wanted:
        return True
    if any(term["topologyKey"] not in meta.labels(node) for term in wanted):
        return False
    friends = [other for other in snapshot.pods if all(_means(term, pod, other, snapshot) for term in wanted)]
    if all(any(_share(term, node, friend, snapshot) for friend in friends) for term in wanted):
        return True
    # The first of a group that wants to be together needs nobody but itself.
    labels = snapshot.labels_of_nodes()
    anywhere = any(term["topologyKey"] in labels.get(o["spec"]["nodeName"], ()) for o in friends for term in wanted)
    return not anywhere and all(_means(term, pod, pod, snapshot) for term in wanted)


def _meets_an_enemy(pod: Obj, node: Obj, snapshot: Snapshot) -> bool:
    return any(
        _means(term, pod, other, snapshot) and _share(term, node, other, snapshot)
        for term in terms(pod, "podAntiAffinity")
        for other in snapshot.pods
    )


def _is_an_enemy(pod: Obj, node: Obj, snapshot: Snapshot) -> bool:
    return any(
        _means(term, other, pod, snapshot) and _share(term, node, other, snapshot)
        for other in snapshot.pods
        for term in terms(other, "podAntiAffinity")
    )


def _share(term: Obj, node: Obj, other: Obj, snapshot: Snapshot) -> bool:
    """The node and the other pod's are in the same topology domain."""
    key = term["topologyKey"]
    there = snapshot.labels_of_nodes().get(other["spec"]["nodeName"], {})
    return key in there and there[key] == meta.labels(node).get(key)


def _means(term: Obj, owner: Obj, other: Obj, snapshot: Snapshot) -> bool:
    """`other` is among the pods that the owner's term speaks of."""
    meant = from_label_selector(term.get("labelSelector"))
    return _in_namespaces(term, owner, other, snapshot) and meant.matches(meta.labels(other))


def _in_namespaces(term: Obj, owner: Obj, other: Obj, snapshot: Snapshot) -> bool:
    name = meta.namespace(other) or ""
    named, selector = term.get("namespaces") or (), term.get("namespaceSelector")
    if not named and selector is None:
        return name == meta.namespace(owner)
    return name in named or from_label_selector(selector).matches(snapshot.namespaces.get(name, {}))
