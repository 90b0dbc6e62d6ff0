"""The disruption controller: writes what `plan` says of each PodDisruptionBudget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubelite.controllers.disruption.plan import failed, needs_scale, plan
from kubelite.controllers.runtime import Controller, Key, Mapper, key_of, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.client import Event

_UNMANAGED = (
    "were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result "
    'in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer '
    "value."
)
_SCALED = {
    ("apps", "ReplicaSet"): "replicasets",
    ("", "ReplicationController"): "replicationcontrollers",
    ("apps", "StatefulSet"): "statefulsets",
    ("apps", "Deployment"): "deployments",
}


class _Unknown(Exception):
    """How many pods there should be can't be found out."""


class DisruptionController(Controller):
    name = "disruption-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"poddisruptionbudgets": own, "pods": self._budgets_of_pod}

    def _budgets_of_pod(self, event: Event) -> Iterable[Key]:
        states = [event.object] if event.old is None else [event.object, event.old]
        for budget in self.client.list("poddisruptionbudgets", meta.namespace(event.object)):
            selector = from_label_selector(budget["spec"].get("selector"))
            if any(selector.matches(meta.labels(pod)) for pod in states):
                yield key_of(budget)

    def reconcile(self, key: Key) -> float | None:
        budget = self.client.find("poddisruptionbudgets", *key)
        if budget is None:
            return None
        selector = from_label_selector(budget["spec"].get("selector"))
        pods = self.client.list("pods", key[0], selector)
        if not pods:
            self.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        try:
            scale = self._scale(budget, pods) if needs_scale(budget) else 0
        except _Unknown as unknown:
            text = f"Failed to calculate the number of expected pods: {unknown}"
            self.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            self._write(budget, failed(budget, str(unknown), self.now()))
            return None
        decided = plan(budget, pods, scale, self.now())
        for pod in decided.overdue:
            text = f"Pod was expected by PDB {key[0]}/{key[1]} to be deleted but it wasn't"
            self.recorder.event(pod, "Warning", "NotDeleted", text)
        self._write(budget, decided.status)
        return decided.requeue_after

    def _write(self, budget: Obj, status: Obj) -> None:
        if status != budget.get("status"):
            self.client.update("poddisruptionbudgets", budget | {"status": status}, "status")

    def _scale(self, budget: Obj, pods: Iterable[Obj]) -> int:
        """The sum of what the pods' controllers want."""
        wanted: dict[str, int] = {}
        unmanaged = False
        for pod in pods:
            ref = meta.controller_of(pod)
            if ref is None:
                unmanaged = True
                continue
            uid, replicas = self._scale_of(pod, ref)
            wanted[uid] = replicas
        if unmanaged:
            text = f"Pods selected by this PodDisruptionBudget (selector: {_shown(budget)}) {_UNMANAGED}"
            self.recorder.event(budget, "Warning", "UnmanagedPods", text)
        return sum(wanted.values())

    def _scale_of(self, pod: Obj, ref: Obj) -> tuple[str, int]:
        """The controller's uid and how many pods it wants; of a Deployment's ReplicaSet, the Deployment's."""
        plural, path = self._scaled(ref)
        owner = self.client.find(plural, meta.namespace(pod), ref["name"])
        if owner is None or meta.uid(owner) != ref["uid"]:
            raise _Unknown(f'found no controllers for pod "{meta.name(pod)}"')
        above = meta.controller_of(owner) if ref["kind"] == "ReplicaSet" else None
        if above is not None and _kind_of(above) == ("apps", "Deployment"):
            return self._scale_of(pod, above)
        return meta.uid(owner), _number_at(owner, path)

    def _scaled(self, ref: Obj) -> tuple[str, Sequence[str]]:
        """Where the objects of a controller's kind are, and where they say how many pods they want."""
        group, name = wanted = _kind_of(ref)
        if (plural := _SCALED.get(wanted)) is not None:
            return plural, ("spec", "replicas")
        for kind in self.client.custom:
            if (kind.group, kind.kind) == wanted and kind.scale is not None:
                return kind.resource, kind.scale.replicas
        resource = f"{name.lower()}s" + (f".{group}" if group else "")
        raise _Unknown(f"{resource} does not implement the scale subresource")


def _kind_of(ref: Obj) -> tuple[str, str]:
    """Group and kind."""
    return ref["apiVersion"].rpartition("/")[0], ref["kind"]


def _number_at(owner: Obj, path: Sequence[str]) -> int:
    """Built-in kinds always have one; in a custom resource a field that isn't there counts as none."""
    value: Any = owner
    for name in path:
        value = (value or {}).get(name)
    return int(value or 0)


def _shown(budget: Obj) -> str:
    """The selector as upstream prints it."""
    selector = budget["spec"].get("selector") or {}
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{term['key']},Operator:{term['operator']},"
        f"Values:[{' '.join(term.get('values') or ())}],}},"
        for term in selector.get("matchExpressions") or ()
    )
    expressions = f"MatchExpressions:[]LabelSelectorRequirement{{{terms}}}"
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},{expressions},}}"
