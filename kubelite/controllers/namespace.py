"""Empties a namespace that is deleted, tells what is still in it, then lets it go.

After upstream's `pkg/controller/namespace/deletion`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Client, Event, Recorder
from kubelite.registry.kind import Kind

FINALIZER = "kubernetes"

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
_DISCOVERED = ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered")
_PARSED = (
    *("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions"),
    "All legacy kube types successfully parsed",
)
_FAILURE, _CONTENT = "NamespaceDeletionContentFailure", "NamespaceContentRemaining"
_HELD = "NamespaceFinalizersRemaining"


class NamespaceController(Controller):
    """One key per namespace."""

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
        """Nothing is left of an object, or less holds it than before."""
        going = event.type == "DELETED" or meta.is_terminating(event.object)
        return [(None, meta.namespace(event.object) or "")] if going else []

    def reconcile(self, key: Key) -> None:
        namespace = self.client.find("namespaces", *key)
        if namespace is None or not meta.is_terminating(namespace) or not namespace["spec"].get("finalizers"):
            return
        custom = dict.fromkeys(kind.resource for kind in self.client.custom if kind.namespaced)
        plurals = [*custom, *self._plurals]
        failures = self._delete(plurals, key[1])
        left = {self._resource(plural): found for plural in plurals if (found := self.client.list(plural, key[1]))}
        self._report(namespace, conditions(left, failures))
        if not left:
            self._release(self.client.get("namespaces", *key))

    def _delete(self, plurals: Iterable[str], namespace: str) -> list[str]:
        """What couldn't be deleted, in words."""
        failures = []
        for plural in plurals:
            for obj in self.client.list(plural, namespace):
                if meta.is_terminating(obj):
                    continue
                try:
                    self.client.delete(plural, namespace, meta.name(obj), uid=meta.uid(obj), propagation="Background")
                except StatusError as error:
                    failures.append(error.message)
        return failures

    def _resource(self, plural: str) -> str:
        """With its group, after a dot that is also there without one."""
        name = self._resources.get(plural, plural)
        return name if "." in name else f"{name}."

    def _report(self, namespace: Obj, found: Iterable[Obj]) -> None:
        status = namespace.get("status") or {}
        listed = status.get("conditions")
        for condition in found:
            listed = meta.with_condition(listed, condition, self.now())
        new = {**meta.copy(namespace), "status": {**status, "conditions": listed}}
        self.client.update("namespaces", new, "status")

    def _release(self, namespace: Obj) -> None:
        """Others may have finalizers of their own in the spec."""
        spec = namespace["spec"]
        kept = sorted({one for one in spec.get("finalizers") or () if one != FINALIZER})
        self.client.finalize({**namespace, "spec": {**spec, "finalizers": kept}})


def conditions(left: Mapping[str, Sequence[Obj]], failures: Sequence[str]) -> list[Obj]:
    """What a terminating namespace's status says of what is `left` in it by resource. Pure."""
    counts = ", ".join(sorted(f"{resource} has {len(found)} resource instances" for resource, found in left.items()))
    held = Counter(one for found in left.values() for obj in found for one in obj["metadata"].get("finalizers") or ())
    finalizers = ", ".join(sorted(f"{name} in {count} resource instances" for name, count in held.items()))
    failed = f"Failed to delete all resource types, {len(failures)} remaining: {', '.join(sorted(failures))}"
    return [
        _no(*_DISCOVERED),
        _no(*_PARSED),
        _yes(_FAILURE, "ContentDeletionFailed", failed)
        if failures
        else _no(_FAILURE, "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        _yes(_CONTENT, "SomeResourcesRemain", f"Some resources are remaining: {counts}")
        if left
        else _no(_CONTENT, "ContentRemoved", "All content successfully removed"),
        _yes(_HELD, "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {finalizers}")
        if held
        else _no(_HELD, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    ]


def _no(type: str, reason: str, message: str) -> Obj:
    return {"type": type, "status": "False", "reason": reason, "message": message}


def _yes(type: str, reason: str, message: str) -> Obj:
    return {**_no(type, reason, message), "status": "True"}
