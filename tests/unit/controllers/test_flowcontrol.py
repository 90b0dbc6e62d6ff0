"""The API server's own FlowSchemas and PriorityLevelConfigurations."""

from __future__ import annotations

from kubelite.controllers.flowcontrol import FlowControl
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.flowcontrol_objects import AUTO_UPDATE, LEVELS, SCHEMAS
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded


def settled(registry: Registry, recorded: Recorded) -> Controllers:
    controllers = Controllers(registry, FlowControl(registry, recorded))
    controllers.settle()
    return controllers


def dangling(schema: Obj) -> tuple[str, str]:
    condition = meta.condition(schema["status"]["conditions"], "Dangling") or {}
    return condition["status"], condition["reason"]


def test_they_are_there_and_come_back(registry: Registry, recorded: Recorded) -> None:
    controllers = settled(registry, recorded)
    assert {meta.name(one) for one in registry.list("flowschemas")} == set(SCHEMAS)
    assert {meta.name(one) for one in registry.list("prioritylevelconfigurations")} == set(LEVELS)
    assert {dangling(one) for one in registry.list("flowschemas")} == {("False", "Found")}
    registry.delete("flowschemas", None, "exempt")
    registry.delete("prioritylevelconfigurations", None, "workload-low")
    controllers.settle()
    assert registry.get("flowschemas", None, "exempt")["spec"] == SCHEMAS["exempt"]
    assert registry.get("prioritylevelconfigurations", None, "workload-low")["spec"] == LEVELS["workload-low"]


def test_they_are_put_right_until_somebody_takes_them_over(registry: Registry, recorded: Recorded) -> None:
    controllers = settled(registry, recorded)
    change = {"spec": {"matchingPrecedence": 77}}
    registry.patch("flowschemas", None, "probes", change)
    controllers.settle()
    assert registry.get("flowschemas", None, "probes")["spec"] == SCHEMAS["probes"]
    registry.patch("flowschemas", None, "probes", {**change, "metadata": {"annotations": {AUTO_UPDATE: "false"}}})
    controllers.settle()
    assert registry.get("flowschemas", None, "probes")["spec"]["matchingPrecedence"] == 77
    registry.patch("flowschemas", None, "probes", {"metadata": {"annotations": {AUTO_UPDATE: None}}})
    controllers.settle()
    assert registry.get("flowschemas", None, "probes")["spec"]["matchingPrecedence"] == 77


def test_a_schema_without_its_level_says_so(registry: Registry, recorded: Recorded) -> None:
    controllers = settled(registry, recorded)
    rules = SCHEMAS["global-default"]["rules"]
    spec = {"priorityLevelConfiguration": {"name": "later"}, "rules": rules}
    registry.create("flowschemas", {"metadata": {"name": "mine"}, "spec": spec})
    controllers.settle()
    assert dangling(registry.get("flowschemas", None, "mine")) == ("True", "NotFound")
    registry.create("prioritylevelconfigurations", {"metadata": {"name": "later"}, "spec": LEVELS["system"]})
    controllers.settle()
    assert dangling(registry.get("flowschemas", None, "mine")) == ("False", "Found")
