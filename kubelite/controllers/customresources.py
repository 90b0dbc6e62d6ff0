"""CustomResourceDefinitions: their names are accepted, their kinds established, and what they declared goes with them.

After apiextensions-apiserver's naming, establishing and finalizing controllers. The registry serves a definition from
the moment it is established.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Event
from kubelite.registry.kinds.customresourcedefinition import CLEANUP, condition

_PLURAL = "customresourcedefinitions"
_CONFLICTS = {"plural": "PluralConflict", "singular": "SingularConflict"} | {
    "kind": "KindConflict",
    "listKind": "ListKindConflict",
}
_IN_PROGRESS = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
_COMPLETED = ("False", "InstanceDeletionCompleted", "removed all instances")
_NEVER = ("False", "NeverEstablished", "resource was never established")


class CustomResourceController(Controller):
    """One key per definition."""

    name = "customresource-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {_PLURAL: self._of_group, CUSTOM: self._of_instance}

    def _of_group(self, event: Event) -> list[Key]:
        """A definition that goes frees names which others of its group may be waiting for."""
        group = event.object["spec"]["group"]
        others = [one for one in self.client.list(_PLURAL) if one["spec"]["group"] == group]
        return (
            [(None, meta.name(one)) for one in others] if event.type == "DELETED" else [(None, meta.name(event.object))]
        )

    @staticmethod
    def _of_instance(event: Event) -> list[Key]:
        return [(None, event.plural)] if event.type == "DELETED" else []

    def reconcile(self, key: Key) -> None:
        definition = self.client.find(_PLURAL, *key)
        if definition is None:
            return
        if meta.is_terminating(definition) and CLEANUP in (definition["metadata"].get("finalizers") or ()):
            self._finalize(definition)
            return
        status = self._named(definition)
        if status != definition.get("status"):
            self.client.update(_PLURAL, {**meta.copy(definition), "status": status}, "status")

    def _named(self, definition: Obj) -> Obj:
        """The status with the names that are this definition's, and whether they are all it asks for."""
        status = meta.copy(definition.get("status") or {})
        wanted, accepted = definition["spec"]["names"], status.get("acceptedNames") or {}
        names, reason, text = accept(wanted, accepted, *self._taken(definition))
        verdict = ("False", reason, text) if reason else ("True", "NoConflicts", "no conflicts found")
        status["acceptedNames"] = names
        self._set(status, "NamesAccepted", *verdict)
        if not condition(definition, "Established"):
            established = ("True", "InitialNamesAccepted", "the initial names have been accepted")
            self._set(
                status,
                "Established",
                *(("False", "NotAccepted", "not all names are accepted") if reason else established),
            )
        return status

    def _taken(self, definition: Obj) -> tuple[set[str], set[str]]:
        """Resource names and kinds of the other definitions of the group."""
        resources: set[str] = set()
        kinds: set[str] = set()
        for other in self.client.list(_PLURAL):
            if other["spec"]["group"] == definition["spec"]["group"] and meta.name(other) != meta.name(definition):
                names = (other.get("status") or {}).get("acceptedNames") or {}
                resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
                kinds |= {names.get("kind", ""), names.get("listKind", "")}
        return resources - {""}, kinds - {""}

    def _set(self, status: Obj, kind: str, value: str, reason: str, message: str) -> None:
        new = {"type": kind, "status": value, "reason": reason, "message": message}
        listed = status.get("conditions") or []
        named = [one for one in listed if one.get("type")]
        status["conditions"] = meta.with_condition(named, new, self.now()) + [one for one in listed if one not in named]

    def _finalize(self, definition: Obj) -> None:
        """Delete every instance, and when none is left the mark that keeps the definition."""
        resource = meta.name(definition)
        established = condition(definition, "Established") and resource in {
            kind.resource for kind in self.client.custom
        }
        left = self.client.list(resource) if established else []
        if left:
            self._terminating(resource, _IN_PROGRESS)
            for obj in left:
                if not meta.is_terminating(obj):
                    self.client.delete(resource, meta.namespace(obj), meta.name(obj), uid=meta.uid(obj))
            if self.client.list(resource):
                return
        new = self._terminating(resource, _COMPLETED if established else _NEVER)
        new["metadata"]["finalizers"] = [one for one in new["metadata"]["finalizers"] if one != CLEANUP]
        self.client.update(_PLURAL, new)

    def _terminating(self, name: str, said: tuple[str, str, str]) -> Obj:
        new = meta.copy(self.client.get(_PLURAL, None, name))
        self._set(new["status"], "Terminating", *said)
        return meta.copy(self.client.update(_PLURAL, new, "status"))


def accept(wanted: Obj, accepted: Obj, resources: set[str], kinds: set[str]) -> tuple[Obj, str, str]:
    """The names a definition gets, and the reason and text of what it doesn't get."""
    names, reason, text = dict(accepted), "", ""
    for key, conflict in _CONFLICTS.items():
        name = wanted.get(key, "")
        if name != accepted.get(key) and name in (kinds if key in ("kind", "listKind") else resources):
            reason, text = conflict, f'"{name}" is already in use'
        else:
            names[key] = name
    short = wanted.get("shortNames") or []
    used = [name for name in short if name in resources and name not in (accepted.get("shortNames") or ())]
    if used:
        reason, text = "ShortNamesConflict", ", ".join(f'"{name}" is already in use' for name in used)
    for key, value in (
        ("shortNames", short if not used else accepted.get("shortNames")),
        ("categories", wanted.get("categories")),
    ):
        names.pop(key, None)
        if value:
            names[key] = value
    return names, reason, text
