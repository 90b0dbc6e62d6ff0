"""The scheduler: what pods have to say of each other, and the less important that make room."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.controllers.scheduler.controller import Scheduler
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Controllers, Recorded

HOST = "kubernetes.io/hostname"
NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
NOT_HELPFUL = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


@pytest.fixture
def controllers(registry: Registry, recorded: Recorded) -> Controllers:
    for name, value in (("low", 10), ("high", 1000)):
        registry.create("priorityclasses", {"metadata": {"name": name}, "value": value})
    return Controllers(registry, Scheduler(registry, recorded))


def node(registry: Registry, name: str = "node", **labels: str) -> None:
    created = registry.create("nodes", {"metadata": {"name": name, "labels": {HOST: name, **labels}}, "spec": {}})
    status = {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "110"}}
    registry.update("nodes", {**created, "status": status}, "status")


def pod(registry: Registry, name: str, cpu: str = "0", labels: dict[str, str] | None = None, **spec: Any) -> Obj:
    container = {"name": "c", "image": "httpd", "resources": {"requests": {"cpu": cpu}}}
    metadata = {"name": name, "namespace": "default", "labels": labels or {}}
    return registry.create("pods", {"metadata": metadata, "spec": {"containers": [container], **spec}})


def where(registry: Registry, name: str) -> str:
    return str(registry.get("pods", "default", name)["spec"].get("nodeName", ""))


def message(registry: Registry, name: str) -> str:
    condition = meta.condition(registry.get("pods", "default", name)["status"]["conditions"], "PodScheduled")
    return str((condition or {})["message"])


def term(**labels: str) -> Obj:
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": HOST}


def required(kind: str, **labels: str) -> Obj:
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term(**labels)]}}


# --- affinity between pods -------------------------------------------------------------------------------------------


def test_affinity_waits_for_company(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, "web", affinity=required("podAffinity", app="db"))
    controllers.settle()
    text = "0/1 nodes are available: 1 node(s) didn't match pod affinity rules."
    assert message(registry, "web") == f"{text} {NOT_HELPFUL}"
    pod(registry, "db", labels={"app": "db"})
    controllers.settle()
    assert where(registry, "web") == "node"


def test_the_first_of_a_group_that_wants_to_be_together_is_placed(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, "web-0", labels={"app": "web"}, affinity=required("podAffinity", app="web"))
    controllers.settle()
    assert where(registry, "web-0") == "node"


def test_anti_affinity_keeps_replicas_apart_until_one_goes(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    for name in ("a", "b"):
        pod(registry, name, labels={"app": "web"}, affinity=required("podAntiAffinity", app="web"))
    controllers.settle()
    placed = "a" if where(registry, "a") else "b"
    waiting = "b" if placed == "a" else "a"
    text = "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."
    assert message(registry, waiting) == f"{text} {NO_VICTIMS}"
    registry.delete("pods", "default", placed, grace=0)
    controllers.settle()
    assert where(registry, waiting) == "node"


def test_anti_affinity_of_a_running_pod_keeps_others_away(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, "loner", affinity=required("podAntiAffinity", app="web"))
    controllers.settle()
    pod(registry, "web", labels={"app": "web"})
    controllers.settle()
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules." in message(registry, "web")


def test_terms_look_into_other_namespaces_only_when_told_to(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    other = {"name": "c", "image": "httpd"}
    metadata = {"name": "db", "namespace": "kube-system", "labels": {"app": "db"}}
    registry.create("pods", {"metadata": metadata, "spec": {"containers": [other]}})
    pod(registry, "near", affinity=required("podAffinity", app="db"))
    for name, more in (("named", {"namespaces": ["kube-system"]}), ("selected", {"namespaceSelector": {}})):
        terms: list[Obj] = [term(app="db") | more]
        affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        pod(registry, name, affinity=affinity)
    controllers.settle()
    assert (where(registry, "near"), where(registry, "named"), where(registry, "selected")) == ("", "node", "node")


def test_label_keys_narrow_a_term_to_pods_like_this_one(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    terms: list[Obj] = [term(app="web") | {"matchLabelKeys": ["pod-template-hash"]}]
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    for name, revision in (("old", "1"), ("new", "2"), ("twin", "2")):
        pod(registry, name, labels={"app": "web", "pod-template-hash": revision}, affinity=affinity)
        controllers.settle()
    assert (where(registry, "old"), where(registry, "new"), where(registry, "twin")) == ("node", "node", "")
    stored = registry.get("pods", "default", "new")["spec"]["affinity"]["podAntiAffinity"]
    (found,) = stored["requiredDuringSchedulingIgnoredDuringExecution"]
    assert found["labelSelector"]["matchExpressions"] == [
        {"key": "pod-template-hash", "operator": "In", "values": ["2"]}
    ]


# --- spreading -------------------------------------------------------------------------------------------------------


def spread(**more: Any) -> list[Obj]:
    selector = {"matchLabels": {"app": "web"}}
    constraint = {"maxSkew": 1, "topologyKey": HOST, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    return [constraint | more]


def test_one_node_takes_any_number_of_spread_pods(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    for number in range(3):
        pod(registry, f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=spread())
    controllers.settle()
    assert all(where(registry, f"web-{number}") for number in range(3))


def test_spread_pods_go_to_the_emptier_domain_and_wait_for_missing_ones(
    registry: Registry, controllers: Controllers
) -> None:
    node(registry, "a")
    node(registry, "b")
    for number in range(2):
        pod(registry, f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=spread())
        controllers.settle()
    assert {where(registry, "web-0"), where(registry, "web-1")} == {"a", "b"}
    pod(registry, "strict", labels={"app": "web"}, topologySpreadConstraints=spread(minDomains=3))
    controllers.settle()
    assert "2 node(s) didn't match pod topology spread constraints." in message(registry, "strict")
    pod(registry, "zoned", labels={"app": "web"}, topologySpreadConstraints=spread(topologyKey="zone"))
    controllers.settle()
    assert "topology spread constraints (missing required label)." in message(registry, "zoned")


# --- preemption ------------------------------------------------------------------------------------------------------


def test_the_least_important_pod_makes_room(registry: Registry, controllers: Controllers, recorded: Recorded) -> None:
    node(registry)
    pod(registry, "small", "500m", priorityClassName="low")
    pod(registry, "large", "1500m", priorityClassName="low")
    controllers.settle()
    important = pod(registry, "important", "1500m", priorityClassName="high")
    controllers.settle()
    victim = registry.get("pods", "default", "large")
    condition = meta.condition(victim["status"]["conditions"], "DisruptionTarget")
    assert condition is not None
    assert condition["reason"] == "PreemptionByScheduler"
    assert condition["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    assert meta.is_terminating(victim)
    assert not meta.is_terminating(registry.get("pods", "default", "small"))
    assert ("Preempted", f"Preempted by pod {meta.uid(important)} on node node") in recorded.events
    waiting = registry.get("pods", "default", "important")
    assert waiting["status"]["nominatedNodeName"] == "node"
    assert message(registry, "important").endswith("not eligible due to a terminating pod on the nominated node.")
    registry.delete("pods", "default", "large", grace=0)
    controllers.settle()
    assert where(registry, "important") == "node"


def test_a_promise_of_a_node_that_takes_no_pods_any_more_is_withdrawn(
    registry: Registry, controllers: Controllers
) -> None:
    node(registry)
    pod(registry, "old", "2", priorityClassName="low")
    controllers.settle()
    pod(registry, "important", "2", priorityClassName="high")
    controllers.settle()
    assert registry.get("pods", "default", "important")["status"]["nominatedNodeName"] == "node"
    cordoned = registry.get("nodes", None, "node")
    registry.update("nodes", {**cordoned, "spec": {**cordoned["spec"], "unschedulable": True}})
    controllers.settle()
    assert message(registry, "important").endswith(NOT_HELPFUL)
    assert "nominatedNodeName" not in registry.get("pods", "default", "important")["status"]


def test_pods_that_two_anti_affinities_forbid_make_room(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, "unwanted", labels={"app": "unwanted"}, priorityClassName="low")
    pod(registry, "unwilling", affinity=required("podAntiAffinity", app="important"), priorityClassName="low")
    pod(registry, "neutral", priorityClassName="low")
    controllers.settle()
    affinity = required("podAntiAffinity", app="unwanted")
    pod(registry, "important", labels={"app": "important"}, affinity=affinity, priorityClassName="high")
    controllers.settle()
    going = [meta.is_terminating(registry.get("pods", "default", n)) for n in ("unwanted", "unwilling", "neutral")]
    assert going == [True, True, False]


def test_promised_room_is_not_given_to_a_lesser_pod(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    pod(registry, "old", "2", priorityClassName="low")
    controllers.settle()
    pod(registry, "important", "2", priorityClassName="high")
    controllers.settle()
    pod(registry, "lesser", "1", priorityClassName="low")
    registry.delete("pods", "default", "old", grace=0)
    controllers.settle()
    assert (where(registry, "important"), where(registry, "lesser")) == ("node", "")


def test_nobody_is_pushed_away_for_a_pod_that_would_not_fit_all_the_same(
    registry: Registry, controllers: Controllers
) -> None:
    node(registry)
    pod(registry, "old", "2", priorityClassName="low")
    controllers.settle()
    pod(registry, "huge", "3", priorityClassName="high")
    pod(registry, "equal", "1", priorityClassName="low")
    pod(registry, "elsewhere", "1", priorityClassName="high", nodeSelector={"disk": "ssd"})
    controllers.settle()
    text = "0/1 nodes are available: 1 Insufficient cpu."
    assert message(registry, "huge") == f"{text} preemption: {text}"
    assert message(registry, "equal") == f"{text} {NO_VICTIMS}"
    assert message(registry, "elsewhere").endswith(NOT_HELPFUL)
    assert not meta.is_terminating(registry.get("pods", "default", "old"))


def test_a_class_that_never_preempts_waits(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    registry.create("priorityclasses", {"metadata": {"name": "polite"}, "value": 2000, "preemptionPolicy": "Never"})
    pod(registry, "old", "2", priorityClassName="low")
    controllers.settle()
    pod(registry, "polite", "2", priorityClassName="polite")
    controllers.settle()
    text = "0/1 nodes are available: 1 Insufficient cpu."
    assert message(registry, "polite") == f"{text} preemption: not eligible due to preemptionPolicy=Never."


def test_a_pod_that_a_budget_protects_is_spared_if_another_will_do(
    registry: Registry, controllers: Controllers
) -> None:
    node(registry)
    selector = {"matchLabels": {"app": "precious"}}
    budget = {"metadata": {"name": "b", "namespace": "default"}, "spec": {"minAvailable": 1, "selector": selector}}
    registry.create("poddisruptionbudgets", budget)
    pod(registry, "precious", "1", labels={"app": "precious"}, priorityClassName="low")
    pod(registry, "plain", "1", priorityClassName="low")
    controllers.settle()
    pod(registry, "important", "1", priorityClassName="high")
    controllers.settle()
    assert not meta.is_terminating(registry.get("pods", "default", "precious"))
    assert meta.is_terminating(registry.get("pods", "default", "plain"))


def test_a_host_port_is_taken_over_by_the_more_important(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    for name, level in (("old", "low"), ("important", "high")):
        container = {"name": "c", "image": "httpd", "ports": ports}
        spec = {"containers": [container], "priorityClassName": level}
        registry.create("pods", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
        controllers.settle()
    assert meta.is_terminating(registry.get("pods", "default", "old"))


def test_a_gated_pod_waits_until_its_gates_are_gone(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    gated = pod(registry, "gated", schedulingGates=[{"name": "example.com/quota"}])
    controllers.settle()
    assert message(registry, "gated") == "Scheduling is blocked due to non-empty scheduling gates"
    registry.update("pods", {**gated, "spec": {**gated["spec"], "schedulingGates": []}})
    controllers.settle()
    assert where(registry, "gated") == "node"


def test_nobody_binds_a_gated_pod(registry: Registry, controllers: Controllers) -> None:
    node(registry)
    gated = pod(registry, "gated", schedulingGates=[{"name": "example.com/quota"}])
    with pytest.raises(StatusError, match=r"pod gated has non-empty \.spec\.schedulingGates"):
        registry.bind(gated, "node")
