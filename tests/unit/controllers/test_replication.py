"""ReplicationControllers, on a registry: what differs from ReplicaSets, and what has to be the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubelite.controllers.replicaset import ReplicationManager
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded

PLURAL = "replicationcontrollers"
SPEC = {"containers": [{"name": "web", "image": "httpd"}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": SPEC}


def rc(**spec: Any) -> Obj:
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"template": TEMPLATE} | spec}


@pytest.fixture
def create(registry: Registry, recorded: Recorded, clock: Clock) -> Callable[..., Obj]:
    controllers = Controllers(registry, ReplicationManager(registry, recorded, clock))

    def create(**spec: Any) -> Obj:
        registry.create(PLURAL, rc(**spec))
        controllers.settle()
        return registry.get(PLURAL, "default", "web")

    return create


def test_selector_and_labels_come_from_the_template(create: Callable[..., Obj]) -> None:
    made = create()
    assert (made["spec"]["replicas"], made["spec"]["selector"]) == (1, {"app": "web"})
    assert (meta.labels(made), made["metadata"]["generation"]) == ({"app": "web"}, 1)


def test_keeps_its_pods_and_counts_them(create: Callable[..., Obj], registry: Registry, recorded: Recorded) -> None:
    made = create(replicas=2)
    owners = [meta.controller_of(pod) for pod in registry.list("pods", "default")]
    assert [(ref and ref["kind"], ref and ref["uid"]) for ref in owners] == [
        ("ReplicationController", meta.uid(made))
    ] * 2
    assert made["status"] == {"replicas": 2, "fullyLabeledReplicas": 2, "observedGeneration": 1}
    assert recorded.reasons == ["SuccessfulCreate"] * 2


def test_adopts_orphans_and_releases_what_no_longer_matches(
    registry: Registry, recorded: Recorded, clock: Clock
) -> None:
    orphan = {"metadata": {"name": "orphan", "namespace": "default", "labels": {"app": "web"}}}
    registry.create("pods", orphan | {"spec": SPEC})
    registry.create(PLURAL, rc())
    controllers = Controllers(registry, ReplicationManager(registry, recorded, clock))
    controllers.settle()
    assert [meta.name(pod) for pod in registry.list("pods", "default")] == ["orphan"]
    registry.patch("pods", "default", "orphan", {"metadata": {"labels": {"app": "other"}}})
    controllers.settle()
    kept = {meta.name(pod): meta.controller_of(pod) is not None for pod in registry.list("pods", "default")}
    assert kept.pop("orphan") is False
    assert list(kept.values()) == [True]


def test_refused_pods_are_a_condition(create: Callable[..., Obj], registry: Registry) -> None:
    registry.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    with pytest.raises(StatusError):
        create(replicas=2)
    status = registry.get(PLURAL, "default", "web")["status"]
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("ReplicaFailure", "True", "FailedCreate")
    assert "exceeded quota: q" in condition["message"]


def test_a_deletion_that_says_nothing_leaves_the_pods_behind(create: Callable[..., Obj], registry: Registry) -> None:
    create()
    registry.delete(PLURAL, "default", "web")
    assert registry.get(PLURAL, "default", "web")["metadata"]["finalizers"] == ["orphan"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"template": None}, "spec.template: Required value"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"selector": {"app": "other"}},
            'spec.template.metadata.labels: Invalid value: map[string]string{"app":"web"}: `selector` does not match template `labels`',
        ),
        ({"template": {"spec": SPEC}}, "spec.selector: Required value"),
        (
            {"template": {**TEMPLATE, "spec": {**SPEC, "restartPolicy": "Never"}}},
            'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ),
    ],
)
def test_a_wrong_one_is_refused(registry: Registry, spec: Obj, message: str) -> None:
    with pytest.raises(StatusError, match="is invalid") as refused:
        registry.create(PLURAL, rc(**spec))
    assert message in refused.value.message
