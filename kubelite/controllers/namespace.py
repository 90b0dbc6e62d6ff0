"""Namespaces: what every one holds from the start, and how one that is deleted is emptied.

After upstream's `pkg/controller/namespace`, `serviceaccounts_controller` and `rootcacertpublisher`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Client, Event, Recorder
from kubelite.registry.kind import Kind

ROOT_CA = "kube-root-ca.crt"

# Owners before what they own, so that nothing is re-created while the namespace empties.
_FIRST = (
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
    "replicasets",
    "replicationcontrollers",
    "services",
    "pods",
)


class NamespaceFurniture(Controller):
    """The `default` service account and the CA's ConfigMap of each namespace."""

    name = "serviceaccount-controller"

    def __init__(
        self, client: Client, recorder: Recorder, ca_pem: str, now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        self._ca_pem = ca_pem

    def watches(self) -> Mapping[str, Mapper]:
        return {
            "namespaces": lambda event: [(None, meta.name(event.object))],
            "serviceaccounts": lambda event: self._of(event, "default"),
            "configmaps": lambda event: self._of(event, ROOT_CA),
        }

    @staticmethod
    def _of(event: Event, name: str) -> Iterable[Key]:
        return [(None, meta.namespace(event.object) or "")] if meta.name(event.object) == name else []

    def reconcile(self, key: Key) -> None:
        namespace = self.client.find("namespaces", *key)
        if namespace is None or meta.is_terminating(namespace):
            return
        name = meta.name(namespace)
        if self.client.find("serviceaccounts", name, "default") is None:
            self.client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": name}})
        wanted = {"ca.crt": self._ca_pem}
        present = self.client.find("configmaps", name, ROOT_CA)
        if present is None:
            annotation = {"kubernetes.io/description": "The CA that signs the API server's certificate."}
            metadata = {"name": ROOT_CA, "namespace": name, "annotations": annotation}
            self.client.create("configmaps", {"metadata": metadata, "data": wanted})
        elif present.get("data") != wanted:
            self.client.update("configmaps", {**meta.copy(present), "data": wanted})


class NamespaceController(Controller):
    """Empties a terminating namespace, then lets it go."""

    name = "namespace-controller"

    def __init__(
        self, client: Client, recorder: Recorder, kinds: Iterable[Kind], now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        plurals = {kind.resource: kind.plural for kind in kinds if kind.namespaced}
        self._resources = {plural: resource for resource, plural in plurals.items()}
        self._plurals = sorted(
            plurals.values(), key=lambda plural: _FIRST.index(plural) if plural in _FIRST else len(_FIRST)
        )

    def watches(self) -> Mapping[str, Mapper]:
        watches: dict[str, Mapper] = dict.fromkeys(self._plurals, self._of_content)
        return {**watches, CUSTOM: self._of_content, "namespaces": lambda event: [key_of(event.object)]}

    @staticmethod
    def _of_content(event: Event) -> Iterable[Key]:
        return [(None, meta.namespace(event.object) or "")] if event.type == "DELETED" else []

    def reconcile(self, key: Key) -> None:
        namespace = self.client.find("namespaces", *key)
        if namespace is None or not meta.is_terminating(namespace):
            return
        custom = dict.fromkeys(kind.resource for kind in self.client.custom if kind.namespaced)
        plurals = [*custom, *self._plurals]
        for plural in plurals:
            for obj in self.client.list(plural, key[1]):
                if not meta.is_terminating(obj):
                    self.client.delete(plural, key[1], meta.name(obj), uid=meta.uid(obj), propagation="Background")
        left = {plural: found for plural in plurals if (found := self.client.list(plural, key[1]))}
        if left:
            self._report(namespace, left)
            return
        current = self.client.get("namespaces", *key)
        finalized = meta.copy(current)
        finalized["spec"] = {**finalized.get("spec", {}), "finalizers": []}
        self.client.finalize(finalized)

    def _resource(self, plural: str) -> str:
        """With its group, after a dot that is also there without one."""
        name = self._resources.get(plural, plural)
        return name if "." in name else f"{name}."

    def _report(self, namespace: Obj, left: Mapping[str, list[Obj]]) -> None:
        status = meta.copy(namespace).get("status") or {}
        counts = ", ".join(
            f"{self._resource(plural)} has {len(found)} resource instances" for plural, found in sorted(left.items())
        )
        finalizers: dict[str, int] = {}
        for found in left.values():
            for finalizer in (one for obj in found for one in obj["metadata"].get("finalizers") or ()):
                finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        held = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
        conditions = [
            (
                "NamespaceDeletionDiscoveryFailure",
                False,
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                False,
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            (
                "NamespaceDeletionContentFailure",
                False,
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
            ("NamespaceContentRemaining", True, "SomeResourcesRemain", f"Some resources are remaining: {counts}"),
            (
                "NamespaceFinalizersRemaining",
                bool(held),
                "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
                f"Some content in the namespace has finalizers remaining: {held}"
                if held
                else "All content-preserving finalizers finished",
            ),
        ]
        listed = status.get("conditions")
        for kind, true, reason, message in conditions:
            new = {"type": kind, "status": "True" if true else "False", "reason": reason, "message": message}
            listed = meta.with_condition(listed, new, self.now())
        self.client.update("namespaces", {**meta.copy(namespace), "status": {**status, "conditions": listed}}, "status")
