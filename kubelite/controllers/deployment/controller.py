"""The Deployment controller: reads a Deployment with its ReplicaSets and performs what `plan` decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers import ownership
from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.deployment import rollback
from kubelite.controllers.deployment import status as progress
from kubelite.controllers.deployment.plan import Plan, plan
from kubelite.controllers.pod_control import is_namespace_terminating
from kubelite.controllers.runtime import Controller, Key, Mapper, by_controller, key_of, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Selector, from_label_selector
from kubelite.registry.client import Event


class DeploymentController(Controller):
    name = "deployment-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"deployments": own, "replicasets": self._of_replica_set, "pods": self._of_gone_pod}

    def _of_replica_set(self, event: Event) -> Iterable[Key]:
        yield from by_controller("Deployment")(event)
        if meta.controller_of(event.object) is None and event.type != "DELETED":
            for candidate in self.client.list("deployments", meta.namespace(event.object)):
                if from_label_selector(candidate["spec"]["selector"]).matches(meta.labels(event.object)):
                    yield key_of(candidate)

    def _of_gone_pod(self, event: Event) -> Iterable[Key]:
        """Recreate waits for the last old pod to go."""
        ref = meta.controller_of(event.object) if event.type == "DELETED" else None
        if ref is None or ref["kind"] != "ReplicaSet":
            return
        rs = self.client.find("replicasets", meta.namespace(event.object), ref["name"])
        owner = meta.controller_of(rs) if rs is not None else None
        if owner is not None and owner["kind"] == "Deployment":
            yield meta.namespace(event.object), owner["name"]

    def reconcile(self, key: Key) -> float | None:
        namespace, name = key
        deployment = self.client.find("deployments", namespace, name)
        if deployment is None:
            return None
        selector = from_label_selector(deployment["spec"]["selector"])
        if selector.empty:
            self._refuse(deployment)
            return None
        candidates = self.client.list("replicasets", namespace)
        owned = ownership.claim(self.client, "replicasets", deployment, selector, candidates)
        if self._rolled_back(deployment, owned):
            return None
        decided = plan(deployment, owned, self._pods(deployment, selector), self.now())
        self._perform(deployment, decided)
        return decided.requeue_after

    def _pods(self, deployment: Obj, selector: Selector) -> list[Obj]:
        if sets.is_rolling(deployment):
            return []
        return self.client.list("pods", meta.namespace(deployment), selector)

    def _rolled_back(self, deployment: Obj, owned: list[Obj]) -> bool:
        """The Deployment was written anew, and will be looked at again."""
        if deployment["spec"].get("paused") or meta.is_terminating(deployment):
            return False
        decided = rollback.decide(deployment, owned)
        if decided is None:
            return False
        self.recorder.event(deployment, decided.type, decided.reason, decided.message)
        self.client.update("deployments", decided.deployment)
        return True

    def _refuse(self, deployment: Obj) -> None:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self.recorder.event(deployment, "Warning", "SelectingAll", message)
        generation = deployment["metadata"].get("generation", 0)
        self._write_status(deployment, (deployment.get("status") or {}) | {"observedGeneration": generation})

    def _perform(self, deployment: Obj, decided: Plan) -> None:
        if decided.create is not None:
            self._create(deployment, decided.create)
        for rs in decided.update:
            self.client.update("replicasets", rs)
        for message in decided.scalings:
            self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
        if decided.revision is not None:
            deployment = self._note_revision(deployment, decided.revision)
        self._write_status(deployment, decided.status)
        for rs in decided.delete:
            self.client.delete("replicasets", meta.namespace(rs), meta.name(rs))

    def _note_revision(self, deployment: Obj, revision: str) -> Obj:
        """By way of the status, as upstream: it is no new generation."""
        patch = {"metadata": {"annotations": {sets.REVISION: revision}}}
        return self.client.patch("deployments", meta.namespace(deployment), meta.name(deployment), patch, "status")

    def _write_status(self, deployment: Obj, status: Obj) -> None:
        if status != deployment.get("status"):
            self.client.update("deployments", deployment | {"status": status}, "status")

    def _create(self, deployment: Obj, rs: Obj) -> None:
        try:
            self.client.create("replicasets", rs)
        except StatusError as error:
            if error.reason == "AlreadyExists":
                self._count_collision(deployment)
            elif not is_namespace_terminating(error):
                self._tell_failure(deployment, rs, error)
            raise

    def _count_collision(self, deployment: Obj) -> None:
        """Another ReplicaSet has the name that the hash gives: the next try hashes the count in, too."""
        status = deployment.get("status") or {}
        self._write_status(deployment, status | {"collisionCount": int(status.get("collisionCount") or 0) + 1})

    def _tell_failure(self, deployment: Obj, rs: Obj, error: StatusError) -> None:
        message = f'Failed to create new replica set "{meta.name(rs)}": {error}'
        if progress.deadline(deployment) is not None:
            status = deployment.get("status") or {}
            new = progress.condition("Progressing", "False", "ReplicaSetCreateError", message)
            conditions = progress.with_condition(status.get("conditions") or [], new, self.now())
            self._write_status(deployment, status | {"conditions": conditions})
        self.recorder.event(deployment, "Warning", "ReplicaSetCreateError", message)
