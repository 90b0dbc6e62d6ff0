"""Label keys of a pod's affinity terms become part of their selectors when the pod is made (upstream's pod strategy)."""

from __future__ import annotations

from collections.abc import Iterator

from kubelite.objects import meta
from kubelite.objects.meta import Obj

_KEYS = (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))


def resolve_label_keys(new: Obj, old: Obj | None) -> None:
    """`matchLabelKeys: [k]` means: whose `k` is what this pod's is."""
    if old is not None:
        return
    labels = meta.labels(new)
    for term in _terms(new["spec"].get("affinity") or {}):
        selector = term.get("labelSelector")
        added = [
            {"key": key, "operator": operator, "values": [labels[key]]}
            for field, operator in _KEYS
            for key in term.get(field) or ()
            if key in labels
        ]
        if selector is not None and added:
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]


def _terms(affinity: Obj) -> Iterator[Obj]:
    for kind in ("podAffinity", "podAntiAffinity"):
        given = affinity.get(kind) or {}
        yield from given.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for preferred in given.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield preferred.get("podAffinityTerm") or {}
