"""A cluster in memory for tests of the workload controllers: an API, a clock, an obedient kubelet, no engine.

`settle` runs the controllers until nothing is left to do; `run_pods`, `finish` and the like play the kubelet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from kubelite import errors
from kubelite.config import Settings
from kubelite.controllers import pods as podq
from kubelite.controllers.runtime import Controller, Key
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import EVERYTHING, Selector
from kubelite.registry.client import Event

KINDS = {
    "pods": ("v1", "Pod"),
    "nodes": ("v1", "Node"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "controllerrevisions": ("apps/v1", "ControllerRevision"),
}
START = datetime(2026, 1, 1, tzinfo=UTC)


class Restless(Exception):
    """The controllers don't come to rest."""


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


class Cluster:
    """Both the Client and the Recorder that controllers get."""

    settings = Settings()

    def __init__(self, *controllers: Callable[[Any, Any, Callable[[], datetime]], Controller]) -> None:
        self.now = START
        self.told: list[tuple[str, str, str]] = []  # type, reason, message
        self.refusals: deque[errors.StatusError] = deque()  # for the next creations of pods
        self.on_create: list[Callable[[Obj], None]] = []
        self.on_delete: list[Callable[[Obj], None]] = []
        self.writes = 0
        self._objects: dict[str, dict[tuple[str, str], Obj]] = {plural: {} for plural in KINDS}
        self._version = 0
        self._queue: dict[tuple[int, Key], None] = {}
        self._wakes: dict[tuple[int, Key], datetime] = {}
        self.controllers = [make(self, self, lambda: self.now) for make in controllers]

    # the client

    def find(self, plural: str, namespace: str | None, name: str) -> Obj | None:
        return self._objects[plural].get((namespace or "", name))

    def get(self, plural: str, namespace: str | None, name: str) -> Obj:
        found = self.find(plural, namespace, name)
        if found is None:
            raise errors.not_found(plural, name)
        return found

    def list(self, plural: str, namespace: str | None = None, selector: Selector = EVERYTHING) -> list[Obj]:
        objects = (self._objects[plural][key] for key in sorted(self._objects[plural]))
        return [
            obj
            for obj in objects
            if (namespace is None or meta.namespace(obj) == namespace) and selector.matches(meta.labels(obj))
        ]

    def create(self, plural: str, obj: Obj) -> Obj:
        if plural == "pods" and self.refusals:
            raise self.refusals.popleft()
        new = meta.copy(obj)
        api_version, kind = KINDS[plural]
        new |= {"apiVersion": api_version, "kind": kind}
        metadata = new["metadata"]
        if "name" not in metadata:
            metadata["name"] = f"{metadata['generateName']}{self._version:05d}"
        if self.find(plural, meta.namespace(new), meta.name(new)):
            raise errors.already_exists(plural, meta.name(new))
        metadata |= {"uid": f"uid-{self._version}", "creationTimestamp": meta.format_time(self.now), "generation": 1}
        if plural == "pods":
            new["status"] = {"phase": "Pending"}
            for hook in self.on_create:
                hook(new)
        return self._store(plural, new, None)

    def update(self, plural: str, obj: Obj, subresource: str = "") -> Obj:
        old = self.get(plural, meta.namespace(obj), meta.name(obj))
        if (
            obj["metadata"].get("resourceVersion", old["metadata"]["resourceVersion"])
            != old["metadata"]["resourceVersion"]
        ):
            raise errors.conflict(plural, meta.name(obj), "the object has been modified")
        if subresource == "status":
            carried = {key: obj["metadata"][key] for key in ("labels", "annotations") if key in obj["metadata"]}
            new = meta.copy(old | {"metadata": old["metadata"] | carried, "status": obj.get("status") or {}})
        else:
            new = meta.copy(obj | {"status": old["status"]} if "status" in old else obj)
            annotated = plural == "deployments" and meta.annotations(new) != meta.annotations(old)
            if annotated or new.get("spec") != old.get("spec"):
                new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return old if new == old else self._store(plural, new, old)

    def patch(self, plural: str, namespace: str | None, name: str, patch: Obj, subresource: str = "") -> Obj:
        return self.update(plural, merged(self.get(plural, namespace, name), patch), subresource)

    def delete(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace: int | None = None,
        propagation: str | None = None,
    ) -> Obj:
        old = self.get(plural, namespace, name)
        if plural == "pods":
            for hook in self.on_delete:
                hook(old)
            if old["metadata"].get("finalizers") or (grace != 0 and not podq.is_finished(old)):
                new = meta.copy(old)
                new["metadata"].setdefault("deletionTimestamp", meta.format_time(self.now))
                return self._store(plural, new, old)
        return self._remove(plural, old)

    def bind(self, pod: Obj, node: str) -> Obj:
        return self.patch("pods", meta.namespace(pod), meta.name(pod), {"spec": {"nodeName": node}})

    def watch(self, plurals: Iterable[str]) -> AsyncIterator[Event]:
        raise NotImplementedError

    def event(self, about: Obj, type: str, reason: str, message: str, field_path: str = "") -> None:
        self.told.append((type, reason, message))

    def _store(self, plural: str, new: Obj, old: Obj | None) -> Obj:
        self._version += 1
        self.writes += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        self._objects[plural][meta.namespace(new) or "", meta.name(new)] = new
        self._route(Event("MODIFIED" if old else "ADDED", plural, new, old))
        return new

    def _remove(self, plural: str, obj: Obj) -> Obj:
        del self._objects[plural][meta.namespace(obj) or "", meta.name(obj)]
        self._route(Event("DELETED", plural, obj, obj))
        return obj

    # the runtime

    def _route(self, event: Event) -> None:
        for at, controller in enumerate(self.controllers):
            mapper = controller.watches().get(event.plural)
            for key in mapper(event) if mapper else ():
                self._queue[at, key] = None

    def step(self) -> bool:
        """One reconcile; says whether there was one to do."""
        if not self._queue:
            return False
        at, key = next(iter(self._queue))
        del self._queue[at, key]
        try:
            wait = self.controllers[at].reconcile((key[0], key[1]))
        except errors.StatusError:
            self._wakes[at, key] = self.now + timedelta(seconds=1)
        else:
            if isinstance(wait, int | float):
                self._wakes[at, key] = self.now + timedelta(seconds=wait)
        return True

    def settle(self) -> None:
        for _ in range(1000):
            if not self.step():
                return
        raise Restless

    def advance(self, seconds: float) -> None:
        """Let time pass; wakes what asked for it, and what failed."""
        self.now += timedelta(seconds=seconds)
        for entry, moment in list(self._wakes.items()):
            if moment <= self.now:
                del self._wakes[entry]
                self._queue[entry] = None
        self.settle()

    # the kubelet and the garbage collector

    def pods(self) -> Sequence[Obj]:
        return self.list("pods")

    def pod_names(self) -> Sequence[str]:
        return [meta.name(pod) for pod in self.pods()]

    def pod(self, name: str) -> Obj:
        return self.get("pods", "default", name)

    def set_pod(self, name: str, phase: str, ready: bool, **status: Any) -> None:
        conditions = (self.pod(name).get("status") or {}).get("conditions")
        new = meta.with_condition(conditions, {"type": "Ready", "status": "True" if ready else "False"}, self.now)
        pod = self.pod(name) | {"status": {"phase": phase, "conditions": new} | status}
        self.update("pods", pod, "status")

    def run(self, name: str) -> None:
        self.set_pod(name, "Running", ready=True)

    def finish(self, name: str) -> None:
        """A terminating pod is gone."""
        self._remove("pods", self.pod(name))

    def run_pods(self) -> None:
        """Everything that is pending runs, everything that terminates is gone; once."""
        for pod in self.pods():
            if meta.is_terminating(pod):
                self.finish(meta.name(pod))
            elif not podq.is_running_and_ready(pod) and not podq.is_finished(pod):
                self.run(meta.name(pod))

    def rest(self, rounds: int = 200) -> None:
        """Alternate controllers and kubelet until neither changes anything."""
        for _ in range(rounds):
            self.settle()
            before = self.writes
            names = self.pod_names()
            self.run_pods()
            self.settle()
            if self.writes == before and names == self.pod_names():
                return
            self.advance(1)
        raise Restless

    def collect(self) -> None:
        """Objects whose owners are all gone go, too."""
        for _ in range(4):
            alive = {meta.uid(obj) for objects in self._objects.values() for obj in objects.values()}
            for plural, objects in self._objects.items():
                for obj in list(objects.values()):
                    refs = meta.owner_references(obj)
                    if refs and not any(ref["uid"] in alive for ref in refs):
                        self._remove(plural, obj)

    def messages(self, reason: str) -> Sequence[str]:
        return [message for _, told, message in self.told if told == reason]


def template(image: str = "httpd", **spec: Any) -> Obj:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}], "restartPolicy": "Always", **spec},
    }


def workload(name: str = "web", **spec: Any) -> Obj:
    """Any workload object: selector and template fit each other."""
    base = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template()}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": base | {"revisionHistoryLimit": 10} | spec}
