"""The StatefulSet controller: reads one set with its pods, claims and revisions, and performs what `plan` decides.

Events have upstream's reasons and wording (`stateful_pod_control`); a failed write is retried with back-off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubelite.controllers import history, ownership
from kubelite.controllers import pods as podq
from kubelite.controllers.runtime import Controller, Key, Mapper, by_controller, key_of, own
from kubelite.controllers.statefulset import identity
from kubelite.controllers.statefulset.perform import Performer
from kubelite.controllers.statefulset.plan import plan
from kubelite.controllers.statefulset.status import is_inconsistent
from kubelite.controllers.statefulset.types import Revisions
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Selector, from_label_selector
from kubelite.registry.client import Event


class StatefulSetController(Controller):
    name = "statefulset-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {
            "statefulsets": own,
            "pods": self._sets_of_pod,
            "persistentvolumeclaims": self._sets_of_deleted_claim,
        }

    def _sets_of_pod(self, event: Event) -> Iterable[Key]:
        yield from by_controller("StatefulSet")(event)
        if meta.controller_of(event.object) is None:
            yield from self._namesakes(event.object)

    def _namesakes(self, pod: Obj) -> Iterable[Key]:
        """The set that may adopt a pod without controller, or whose pod's name it held till now."""
        name, _ = identity.parent_and_ordinal(meta.name(pod))
        if self.client.find("statefulsets", meta.namespace(pod), name) is not None:
            yield meta.namespace(pod), name

    def _sets_of_deleted_claim(self, event: Event) -> Iterable[Key]:
        """A pod whose claim was on its way out has been waiting for this."""
        if event.type != "DELETED":
            return
        name, number = identity.parent_and_ordinal(meta.name(event.object))
        for candidate in self.client.list("statefulsets", meta.namespace(event.object)):
            if f"{name}-{number}" in identity.claim_names(candidate, number):
                yield key_of(candidate)

    def reconcile(self, key: Key) -> float | None:
        namespace, name = key
        set = self.client.find("statefulsets", namespace, name)
        if set is None:
            return None
        selector = from_label_selector(set["spec"]["selector"])
        pods = ownership.claim(
            self.client,
            "pods",
            set,
            selector,
            self.client.list("pods", namespace),
            lambda pod: identity.is_member(set, pod),
        )
        revisions, past = self._revisions(set, selector)
        decided = plan(set, pods, self._claims(set, pods), revisions, self.now())
        performer = Performer(self.client, self.recorder, set)
        failure = performer.run(decided)
        status = decided.status if failure is None else decided.status_before
        if is_inconsistent(set, status):
            self.client.update("statefulsets", set | {"status": status}, "status")
        live = {meta.name(revisions.current), meta.name(revisions.update), *map(podq.revision, pods)}
        history.truncate(self.client, set, past, live)
        if failure is not None:
            raise failure
        return decided.requeue_after

    def _revisions(self, set: Obj, selector: Selector) -> tuple[Revisions, list[Obj]]:
        past = history.owned(self.client, set, selector)
        status = set.get("status") or {}
        update, collisions = history.settle(self.client, set, past, int(status.get("collisionCount") or 0))
        current = next((it for it in past if meta.name(it) == status.get("currentRevision")), update)
        return Revisions(current, update, collisions), past

    def _claims(self, set: Obj, pods: Sequence[Obj]) -> dict[str, Obj]:
        """The claims that exist of those the set's ordinals and pods would have."""
        if not identity.claim_templates(set):
            return {}
        first = identity.start(set)
        ordinals = {*range(first, first + identity.replicas(set)), *map(identity.ordinal, pods)}
        names = (name for number in ordinals for name in identity.claim_names(set, number))
        found = ((name, self.client.find("persistentvolumeclaims", meta.namespace(set), name)) for name in names)
        return {name: claim for name, claim in found if claim is not None}
