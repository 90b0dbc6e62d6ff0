"""Keeps the mandatory and suggested FlowSchemas and PriorityLevelConfigurations, and tells of each FlowSchema whether
its level exists. After kube-apiserver's `registry/flowcontrol/ensurer` and apiserver's `util/flowcontrol`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Event
from kubelite.registry.kinds.flowcontrol_objects import AUTO_UPDATE, LEVELS, SCHEMAS

_LEVELS, _SCHEMAS = "prioritylevelconfigurations", "flowschemas"
_ALL: Key = (None, "all")


class FlowControl(Controller):
    """There are few of them: all are looked at when one changes."""

    name = "priority-and-fairness-config"

    def watches(self) -> Mapping[str, Mapper]:
        return {_LEVELS: _all, _SCHEMAS: _all}

    def initial(self) -> Iterable[Key]:
        return [_ALL]

    def reconcile(self, key: Key) -> None:
        for plural, specs in ((_LEVELS, LEVELS), (_SCHEMAS, SCHEMAS)):
            for name, spec in specs.items():
                self._ensure(plural, name, spec)
        for schema in self.client.list(_SCHEMAS):
            self._tell(schema)

    def _ensure(self, plural: str, name: str, spec: Obj) -> None:
        """Made anew when it is gone, put right unless its users have taken it over."""
        present = self.client.find(plural, None, name)
        if present is None:
            self.client.create(plural, {"metadata": {"name": name, "annotations": {AUTO_UPDATE: "true"}}, "spec": spec})
        elif _is_ours(present) and present["spec"] != spec:
            self.client.update(plural, {**meta.copy(present), "spec": spec})

    def _tell(self, schema: Obj) -> None:
        level = schema["spec"]["priorityLevelConfiguration"]["name"]
        known = self.client.find(_LEVELS, None, level) is not None
        about = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
        told = {
            "type": "Dangling",
            "status": "False" if known else "True",
            "reason": "Found" if known else "NotFound",
            "message": f"{about} and it exists" if known else f"{about} but there is no such object",
        }
        before = (schema.get("status") or {}).get("conditions")
        conditions = meta.with_condition(before, told, self.now())
        if conditions != before:
            status = {**(schema.get("status") or {}), "conditions": conditions}
            self.client.update(_SCHEMAS, {**meta.copy(schema), "status": status}, "status")


def _all(event: Event) -> Iterable[Key]:
    return [_ALL]


def _is_ours(obj: Obj) -> bool:
    """By the annotation; without one, as long as nobody has changed the spec."""
    said = meta.annotations(obj).get(AUTO_UPDATE)
    return said == "true" if said is not None else obj["metadata"].get("generation") == 1
