"""One pod for every node that should have one, none elsewhere. Pure; upstream's `podsShouldBeOnNode`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kubelite.controllers import pods as podq
from kubelite.controllers.daemonset.view import Changes, Finished, View
from kubelite.objects import meta
from kubelite.objects.meta import Obj

BURST = 250


def manage(view: View, held_back: Collection[str] = ()) -> Changes:
    """`held_back` names nodes where a pod failed so lately that it isn't replaced yet."""
    create: list[str] = []
    delete: list[Obj] = []
    finished: list[Finished] = []
    for node, (should_run, may_stay) in view.nodes.items():
        present = view.pods.get(node, [])
        if should_run and not present:
            create.append(node)
        elif may_stay:
            ended = [pod for pod in _remaining(present) if podq.is_finished(pod)]
            ended = [pod for pod in ended if podq.phase(pod) != "Failed" or node not in held_back]
            finished += [Finished(pod, node) for pod in ended]
            delete += ended + _excess(view, present)
        else:
            delete += _remaining(present)
    for node in view.pods.keys() - view.nodes.keys():
        delete += [pod for pod in _remaining(view.pods[node]) if not pod["spec"].get("nodeName")]
    return Changes(create[:BURST], delete[:BURST], finished)


def _remaining(pods: Sequence[Obj]) -> list[Obj]:
    return [pod for pod in pods if not meta.is_terminating(pod)]


def _excess(view: View, present: Sequence[Obj]) -> list[Obj]:
    """Of several pods on a node the oldest stays; while surging the oldest of each revision."""
    running = [pod for pod in present if podq.is_active(pod)]
    if not view.max_surge:
        return running[1:]
    new = [pod for pod in running if view.is_updated(pod)]
    old = [pod for pod in running if not view.is_updated(pod)]
    replaced = new and old and (view.is_available(new[0]) or not podq.is_ready(old[0]))
    return new[1:] + (old if replaced else old[1:])
