"""The ReplicaSet controller: keeps as many pods as the set asks for; performs what `plan` decides.

ReplicationControllers are kept the same way; what differs is only where their objects and selectors are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers import ownership
from kubelite.controllers.pod_control import PodControl
from kubelite.controllers.replicaset.plan import Plan, plan, status
from kubelite.controllers.runtime import Controller, Key, Mapper, by_controller, key_of, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Selector, from_label_selector
from kubelite.registry.client import Event


class ReplicaSetController(Controller):
    name = "replicaset-controller"
    kind, plural = "ReplicaSet", "replicasets"

    @staticmethod
    def selector_of(rs: Obj) -> Selector:
        return from_label_selector(rs["spec"]["selector"])

    def watches(self) -> Mapping[str, Mapper]:
        return {self.plural: own, "pods": self._sets_of_pod}

    def _sets_of_pod(self, event: Event) -> Iterable[Key]:
        yield from by_controller(self.kind)(event)
        if meta.controller_of(event.object) is None and event.type != "DELETED":
            for candidate in self.client.list(self.plural, meta.namespace(event.object)):
                if self.selector_of(candidate).matches(meta.labels(event.object)):
                    yield key_of(candidate)

    def reconcile(self, key: Key) -> float | None:
        namespace, name = key
        rs = self.client.find(self.plural, namespace, name)
        if rs is None:
            return None
        everything = self.client.list("pods", namespace)
        pods = ownership.claim(self.client, "pods", rs, self.selector_of(rs), everything)
        now = self.now()
        decided = plan(rs, pods, lambda: self._related(rs, everything), now)
        failure = self._perform(rs, decided)
        self._write_status(rs, status(rs, pods, failure, now))
        if failure is not None:
            raise failure[1]
        return decided.requeue_after

    def _related(self, rs: Obj, pods: list[Obj]) -> list[Obj]:
        """Pods of the ReplicaSets that have the same controller; a set of its own has only its own pods."""
        owner = meta.controller_of(rs)
        family = {meta.uid(rs)}
        if owner is not None:
            siblings = self.client.list(self.plural, meta.namespace(rs))
            family |= {meta.uid(it) for it in siblings if (meta.controller_of(it) or {}).get("uid") == owner["uid"]}
        return [pod for pod in pods if (meta.controller_of(pod) or {}).get("uid") in family]

    def _perform(self, rs: Obj, decided: Plan) -> tuple[str, StatusError] | None:
        control = PodControl(self.client, self.recorder, rs)
        try:
            control.create(decided.create)
            control.delete(decided.delete)
        except StatusError as error:
            return ("FailedCreate" if decided.create else "FailedDelete"), error
        return None

    def _write_status(self, rs: Obj, new: Obj) -> None:
        if new != rs.get("status"):
            self.client.update(self.plural, rs | {"status": new}, "status")


class ReplicationManager(ReplicaSetController):
    """ReplicationControllers, under the name that upstream gives their controller."""

    name = "replication-controller"
    kind, plural = "ReplicationController", "replicationcontrollers"

    @staticmethod
    def selector_of(rs: Obj) -> Selector:
        return from_label_selector({"matchLabels": rs["spec"]["selector"]})
