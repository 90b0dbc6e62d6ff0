"""What may change in a pod that its gates keep from being scheduled: the nodes it may go to become fewer.

Called by the rules about updates of pods; after upstream's validateNodeSelectorMutation and validateNodeAffinityMutation.
"""

from __future__ import annotations

from typing import Any

from kubelite.errors import invalid_value
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.go_notation import go_labels
from kubelite.registry.kinds.podspec_rules import Errors

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def gated_update(new: Obj, old: Obj) -> Errors:
    """Errors about the difference of two pod specs in their node selectors and node affinities."""
    return _node_selector("spec.nodeSelector", new.get("nodeSelector") or {}, old.get("nodeSelector") or {}) + (
        _node_affinity(f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms", _terms(new), _terms(old))
    )


def without_node_wishes(spec: Obj, old: Obj) -> Obj:
    """`spec` with the node selector and the node affinity of `old`."""
    affinity = {key: value for key, value in (spec.get("affinity") or {}).items() if key != "nodeAffinity"}
    before = (old.get("affinity") or {}).get("nodeAffinity")
    affinity |= {"nodeAffinity": before} if before is not None else {}
    return spec | {"nodeSelector": old.get("nodeSelector"), "affinity": affinity or None}


def _node_selector(path: str, new: Obj, old: Obj) -> Errors:
    if old.items() <= new.items():
        return []
    text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
    return [invalid_value(path, go_labels(new), text)]


def _terms(spec: Obj) -> list[Obj]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []


def _node_affinity(path: str, new: list[Obj], old: list[Obj]) -> Errors:
    if not old:
        return []
    if len(new) != len(old):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid_value(path, new, text)]
    text = "only additions are allowed (no mutations or deletions)"
    pairs = enumerate(zip(new, old, strict=True))
    return [invalid_value(f"{path}[{index}]", now, text) for index, (now, before) in pairs if not _narrows(now, before)]


def _narrows(new: Obj, old: Obj) -> bool:
    """Whether a term that matches something has only got more requirements; an empty one matches nothing."""
    kinds = ("matchExpressions", "matchFields")
    if not any(old.get(kind) for kind in kinds):
        return not any(new.get(kind) for kind in kinds)
    return all(_begins_with(new.get(kind) or [], old.get(kind) or []) for kind in kinds)


def _begins_with(new: list[Any], old: list[Any]) -> bool:
    return new[: len(old)] == old
