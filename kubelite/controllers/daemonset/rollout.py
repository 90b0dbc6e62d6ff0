"""The rolling update of a DaemonSet, with maxUnavailable or with maxSurge. Pure; after upstream's `update.go`."""

from __future__ import annotations

from kubelite.controllers.daemonset.view import Changes, View
from kubelite.objects import meta
from kubelite.objects.meta import Obj

Pair = tuple[Obj | None, Obj | None]


def roll(view: View) -> Changes:
    """What the update strategy does next; OnDelete does nothing."""
    if view.strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return Changes()
    return _surge(view) if view.max_surge else _replace(view)


def _pair(view: View, node: str) -> Pair | None:
    """The updated and the outdated pod of a node; None when there are several of a sort."""
    alive = [pod for pod in view.pods.get(node, []) if not meta.is_terminating(pod)]
    new = [pod for pod in alive if view.is_updated(pod)]
    old = [pod for pod in alive if not view.is_updated(pod)]
    if len(new) > 1 or len(old) > 1:
        return None
    return next(iter(new), None), next(iter(old), None)


def _replace(view: View) -> Changes:
    """Unavailable outdated pods go at once, others as far as maxUnavailable allows."""
    unavailable = 0
    doomed: list[Obj] = []
    candidates: list[Obj] = []
    for node in view.concerned_nodes():
        new, old = _pair(view, node) or (None, None)
        if (new is None) == (old is None):
            unavailable += 1
        elif new is not None:
            unavailable += not view.is_available(new)
        elif old is not None and view.is_available(old):
            candidates.append(old)
        elif old is not None:
            unavailable += 1
            doomed.append(old)
    return Changes(delete=doomed + candidates[: max(0, view.max_unavailable - unavailable)])


def _surge(view: View) -> Changes:
    """A second pod beside the outdated one, which goes when the second is available."""
    surging = available = 0
    create: list[str] = []
    candidates: list[str] = []
    doomed: list[Obj] = []
    misplaced: list[Obj] = []
    for node in view.concerned_nodes():
        pair = _pair(view, node)
        if pair is None:
            surging += 1
            continue
        new, old = pair
        present = old or new
        available += present is not None and view.is_available(present)
        if old is None:
            continue
        if new is not None:
            if view.is_available(new):
                doomed.append(old)
            else:
                surging += 1
        elif view.should_run(node):
            (candidates if view.is_available(old) else create).append(node)
        else:
            (misplaced if view.is_available(old) else doomed).append(old)
    deletable = max(0, available - view.desired)
    return Changes(create + candidates[: max(0, view.max_surge - surging)], doomed + misplaced[:deletable])
