"""Aggregated ClusterRoles."""

from __future__ import annotations

from kubelite.controllers.aggregation import RoleAggregation
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


def rule(*verbs: str) -> Obj:
    return {"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}


def role(registry: Registry, name: str, *rules: Obj, **labels: str) -> Obj:
    return registry.create("clusterroles", {"metadata": {"name": name, "labels": labels}, "rules": list(rules)})


def test_a_role_is_the_sum_of_those_that_it_chooses(registry: Registry, recorded: Recorded) -> None:
    controllers = Controllers(registry, RoleAggregation(registry, recorded))
    selectors = [{"matchLabels": {"to": "view"}}, {"matchLabels": {"to": "edit"}}]
    registry.create(
        "clusterroles", {"metadata": {"name": "sum"}, "aggregationRule": {"clusterRoleSelectors": selectors}}
    )
    role(registry, "b", rule("get"), rule("list"), to="view")
    role(registry, "a", rule("get"), to="view")
    role(registry, "c", rule("delete"), to="edit")
    role(registry, "d", rule("watch"))
    controllers.settle()
    assert registry.get("clusterroles", None, "sum")["rules"] == [rule("get"), rule("list"), rule("delete")]
    registry.delete("clusterroles", None, "b")
    controllers.settle()
    assert registry.get("clusterroles", None, "sum")["rules"] == [rule("get"), rule("delete")]
