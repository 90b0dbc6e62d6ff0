"""Keeps an APIService for every group and version that is served, and says of each whether it is available.

After kube-aggregator's `controllers/autoregister` and `controllers/status`, and kube-apiserver's table of priorities.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Event, Recorder
from kubelite.registry.kind import Kind

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_PLURAL = "apiservices"
_DEFINITIONS = "customresourcedefinitions"
_OWN_GROUP = "apiregistration.k8s.io"
_WITHOUT_KINDS = (("authentication.k8s.io", "v1"), ("authorization.k8s.io", "v1"), ("metrics.k8s.io", "v1beta1"))
_GROUP_PRIORITIES = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "metrics.k8s.io": 100,
}
_VERSION_PRIORITIES = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("metrics.k8s.io", "v1beta1"): 100,
}
_USUAL_VERSION_PRIORITY = 15
_CUSTOM_PRIORITIES = (1000, 100)

_LOCAL = ("True", "Local", "Local APIServices are always available")
_LOOK_AGAIN = 30.0  # seconds

Check = Callable[[Obj], Awaitable[tuple[str, str, str]]]  # of an APIService: status, reason and message of Available


class ApiServices(Controller):
    """One key per APIService."""

    name = "apiservice-registration"

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        kinds: Iterable[Kind],
        check: Check,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(client, recorder, now)
        self._check = check
        served = {(kind.group, kind.version) for kind in kinds} | set(_WITHOUT_KINDS)
        self._built_in = {
            f"{version}.{group}": _local(group, version, *_priorities(group, version), "onstart")
            for group, version in sorted(served)
            if group != _OWN_GROUP
        }

    def watches(self) -> Mapping[str, Mapper]:
        return {
            _PLURAL: own,
            _DEFINITIONS: self._of_definition,
            "services": self._of_service,
            "endpoints": self._of_service,
        }

    def initial(self) -> Iterable[Key]:
        yield from ((None, name) for name in self._built_in)
        yield from super().initial()

    @staticmethod
    def _of_definition(event: Event) -> Iterable[Key]:
        return {
            (None, f"{version['name']}.{obj['spec']['group']}")
            for obj in (event.object, event.old)
            if obj
            for version in obj["spec"]["versions"]
        }

    def _of_service(self, event: Event) -> Iterable[Key]:
        about = {"namespace": meta.namespace(event.object), "name": meta.name(event.object)}
        for one in self.client.list(_PLURAL):
            if about.items() <= (one["spec"].get("service") or {}).items():
                yield None, meta.name(one)

    def reconcile(self, key: Key) -> Awaitable[float] | None:
        wanted = self._built_in.get(key[1]) or self._of_custom(key[1])
        present = self.client.find(_PLURAL, *key)
        if present is None:
            if wanted is None:
                return None
            present = self.client.create(_PLURAL, wanted)
        elif MANAGED in meta.labels(present):
            if wanted is None:
                self.client.delete(_PLURAL, *key)
                return None
            if present["spec"] != wanted["spec"]:
                present = self.client.update(_PLURAL, {**meta.copy(present), "spec": wanted["spec"]})
        if present["spec"].get("service"):
            return self._look(key, present)
        self._tell(present, _LOCAL)
        return None

    async def _look(self, key: Key, service: Obj) -> float:
        """Another server's is asked, now and then again."""
        found = await self._check(service)
        present = self.client.find(_PLURAL, *key)
        if present is not None and meta.uid(present) == meta.uid(service):
            self._tell(present, found)
        return _LOOK_AGAIN

    def _of_custom(self, name: str) -> Obj | None:
        """Of a group and version that a definition has served."""
        for definition in self.client.list(_DEFINITIONS):
            group = definition["spec"]["group"]
            for version in definition["spec"]["versions"]:
                if version.get("served") and name == f"{version['name']}.{group}":
                    return _local(group, version["name"], *_CUSTOM_PRIORITIES, "true")
        return None

    def _tell(self, service: Obj, found: tuple[str, str, str]) -> None:
        status, reason, message = found
        told = {"type": "Available", "status": status, "reason": reason, "message": message}
        before = (service.get("status") or {}).get("conditions")
        conditions = meta.with_condition(before, told, self.now())
        if conditions != before:
            self.client.update(_PLURAL, {**meta.copy(service), "status": {"conditions": conditions}}, "status")


def _priorities(group: str, version: str) -> tuple[int, int]:
    return _GROUP_PRIORITIES[group], _VERSION_PRIORITIES.get((group, version), _USUAL_VERSION_PRIORITY)


def _local(group: str, version: str, group_priority: int, version_priority: int, managed: str) -> Obj:
    spec = {"version": version, "groupPriorityMinimum": group_priority, "versionPriority": version_priority}
    return {
        "metadata": {"name": f"{version}.{group}", "labels": {MANAGED: managed}},
        "spec": {"group": group, **spec} if group else spec,
    }
