"""The DaemonSet controller: one pod on every matching node, replaced node by node when the template changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from kubelite.controllers import history as stored
from kubelite.controllers import ownership
from kubelite.controllers import pods as podq
from kubelite.controllers.daemonset import history
from kubelite.controllers.daemonset import nodes as nodeq
from kubelite.controllers.daemonset.backoff import Backoff
from kubelite.controllers.daemonset.manage import manage
from kubelite.controllers.daemonset.rollout import roll
from kubelite.controllers.daemonset.status import status
from kubelite.controllers.daemonset.view import Changes, Finished, View, view_of
from kubelite.controllers.pod_control import PodControl
from kubelite.controllers.runtime import Controller, Key, Mapper, by_controller, key_of, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.client import Client, Event, Recorder


class DaemonSetController(Controller):
    name = "daemonset-controller"

    def __init__(self, client: Client, recorder: Recorder, now: Callable[[], datetime] | None = None) -> None:
        super().__init__(client, recorder, now)
        self._backoff = Backoff()

    def watches(self) -> Mapping[str, Mapper]:
        return {"daemonsets": own, "pods": self._sets_of_pod, "nodes": self._sets_of_node}

    def _sets_of_pod(self, event: Event) -> Iterable[Key]:
        yield from by_controller("DaemonSet")(event)
        if meta.controller_of(event.object) is None and event.type != "DELETED":
            for candidate in self.client.list("daemonsets", meta.namespace(event.object)):
                if from_label_selector(candidate["spec"]["selector"]).matches(meta.labels(event.object)):
                    yield key_of(candidate)

    def _sets_of_node(self, event: Event) -> Iterable[Key]:
        """Only what decides where pods run matters; a node's status changes all the time."""
        if event.old is not None and event.type == "MODIFIED" and _eligibility(event.old) == _eligibility(event.object):
            return
        yield from map(key_of, self.client.list("daemonsets"))

    def reconcile(self, key: Key) -> float | None:
        namespace, name = key
        ds = self.client.find("daemonsets", namespace, name)
        if ds is None:
            return None
        selector = from_label_selector(ds["spec"]["selector"])
        if selector.empty:
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self.recorder.event(ds, "Warning", "SelectingAll", message)
            return None
        if meta.is_terminating(ds):
            return None
        claimed = ownership.claim(self.client, "pods", ds, selector, self.client.list("pods", namespace))
        kept = stored.owned(self.client, ds, selector)
        past, pods = history.deduplicated(self.client, ds, kept, claimed)
        current = self._current_revision(ds, past)
        view = view_of(ds, self.client.list("nodes"), pods, history.label(current), self.now())
        waits = self._backoff.remaining(_attempt(ds), view.now)
        failure = self._perform(view, manage(view, waits))
        self._write_status(ds, status(view, (ds.get("status") or {}).get("collisionCount")))
        history.truncate(self.client, ds, past, current, set(map(podq.revision, pods)))
        if failure is not None:
            raise failure
        soon = podq.seconds_until_next_available(pods, ds["spec"].get("minReadySeconds", 0), view.now)
        return min((wait for wait in (soon, *waits.values()) if wait is not None), default=None)

    def _current_revision(self, ds: Obj, past: Sequence[Obj]) -> Obj:
        """A name collision is counted in the status, then tried again with the count in the hash."""
        collisions = (ds.get("status") or {}).get("collisionCount")
        try:
            return history.settle(self.client, ds, past, collisions)
        except history.Collision as error:
            count = int(collisions or 0) + 1
            self._write_status(ds, (ds.get("status") or {}) | {"collisionCount": count})
            raise StatusError(409, "Conflict", f"found a hash collision for DaemonSet {meta.name(ds)}") from error

    def _perform(self, view: View, changes: Changes) -> StatusError | None:
        """The update goes on only when every node has what it should."""
        changes = changes or roll(view)
        for finished in changes.finished:
            self._tell(view, finished)
        control = PodControl(self.client, self.recorder, view.ds)
        try:
            control.create(nodeq.new_pod(view.ds, node, view.revision) for node in changes.create)
            control.delete(changes.delete)
        except StatusError as error:
            return error
        return None

    def _tell(self, view: View, finished: Finished) -> None:
        name = f"{meta.namespace(finished.pod)}/{meta.name(finished.pod)}"
        if podq.phase(finished.pod) == "Failed":
            self._backoff.failed((_attempt(view.ds), finished.node), view.now)
            message = f"Found failed daemon pod {name} on node {finished.node}, will try to kill it"
            self.recorder.event(view.ds, "Warning", "FailedDaemonPod", message)
        else:
            message = f"Found succeeded daemon pod {name} on node {finished.node}, will try to delete it"
            self.recorder.event(view.ds, "Normal", "SucceededDaemonPod", message)

    def _write_status(self, ds: Obj, new: Obj) -> None:
        if new != ds.get("status"):
            self.client.update("daemonsets", ds | {"status": new}, "status")


def _attempt(ds: Obj) -> str:
    """What failures are counted by: with another template they start anew."""
    return f"{meta.uid(ds)}/{(ds.get('status') or {}).get('observedGeneration', 0)}"


def _eligibility(node: Obj) -> tuple[object, object]:
    return meta.labels(node), (node.get("spec") or {}).get("taints")
