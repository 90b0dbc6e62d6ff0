"""ClusterRoles that are the sum of others (upstream's `clusterroleaggregation`).

Roles are stored data here, but what an aggregated one says is read by people and by tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.client import Event


class RoleAggregation(Controller):
    name = "clusterrole-aggregation-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"clusterroles": self._sums}

    def _sums(self, event: Event) -> Iterable[Key]:
        """Any role may be part of any sum."""
        return [key_of(role) for role in self.client.list("clusterroles") if role.get("aggregationRule")]

    def reconcile(self, key: Key) -> None:
        role = self.client.find("clusterroles", *key)
        if role is None or not role.get("aggregationRule"):
            return
        rules = self._rules(role)
        if rules != (role.get("rules") or []):
            self.client.update("clusterroles", {**meta.copy(role), "rules": rules})

    def _rules(self, role: Obj) -> list[Obj]:
        """Of the chosen roles by name, each rule once."""
        rules: list[Obj] = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
            wanted = from_label_selector(selector)
            for other in self.client.list("clusterroles"):
                if meta.name(other) != meta.name(role) and wanted.matches(meta.labels(other)):
                    rules += [meta.copy(rule) for rule in other.get("rules") or () if rule not in rules]
        return rules
