"""PodDisruptionBudgets: their counts, and evictions that go by them."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.api import eviction
from kubelite.controllers.customresources import CustomResourceController
from kubelite.controllers.disruption import DisruptionController, StaleDisruptions
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded

NAMESPACE = "default"
LABELS = {"app": "web"}
SCALE = {"scale": {"specReplicasPath": ".spec.members", "statusReplicasPath": ".status.members"}}
CANNOT = "Cannot evict pod as it would violate the pod's disruption budget."


class Budgets:
    """A ReplicaSet, its pods, and one budget over them."""

    def __init__(self, registry: Registry, clock: Clock, recorded: Recorded) -> None:
        self.registry, self.clock = registry, clock
        controllers = DisruptionController(registry, recorded, clock), StaleDisruptions(registry, recorded, clock)
        self.settle = Controllers(registry, *controllers).settle

    def replica_set(self, replicas: int) -> Obj:
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "a", "image": "b"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
        return self.registry.create("replicasets", {"metadata": {"name": "web", "namespace": NAMESPACE}, "spec": spec})

    def pods(self, count: int, owner: Obj | None, ready: int | None = None) -> None:
        for number in range(count):
            metadata: Obj = {"name": f"web-{number}", "namespace": NAMESPACE, "labels": LABELS}
            if owner is not None:
                metadata["ownerReferences"] = [meta.owner_reference(owner)]
            spec = {"containers": [{"name": "a", "image": "b"}]}
            pod = self.registry.bind(self.registry.create("pods", {"metadata": metadata, "spec": spec}), "node")
            self.report(pod, ready=ready is None or number < ready)

    def report(self, pod: Obj, *, ready: bool) -> None:
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status = pod["status"] | {"phase": "Running", "conditions": conditions}
        self.registry.update("pods", pod | {"status": status}, "status")

    def budget(self, **spec: Any) -> None:
        metadata = {"name": "web", "namespace": NAMESPACE}
        new = {"metadata": metadata, "spec": {"selector": {"matchLabels": LABELS}} | spec}
        self.registry.create("poddisruptionbudgets", new)
        self.settle()

    @property
    def status(self) -> Obj:
        status: Obj = self.registry.get("poddisruptionbudgets", NAMESPACE, "web")["status"]
        return status

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Expected, desired, healthy, allowed."""
        status = self.status
        names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
        return tuple(status[name] for name in names)

    def condition(self) -> tuple[str, str]:
        (found,) = self.status["conditions"]
        return found["status"], found["reason"]

    def pod(self, number: int) -> Obj:
        return self.registry.get("pods", NAMESPACE, f"web-{number}")

    def evict(self, number: int, *, dry_run: bool = False) -> None:
        eviction.spend_budget(self.registry, self.pod(number), dry_run=dry_run)
        self.settle()


@pytest.fixture
def budgets(registry: Registry, clock: Clock, recorded: Recorded) -> Budgets:
    return Budgets(registry, clock, recorded)


@pytest.mark.parametrize(
    ("spec", "ready", "counts"),
    [
        ({"minAvailable": 2}, 4, (4, 2, 4, 2)),
        ({"minAvailable": 2}, 2, (4, 2, 2, 0)),
        ({"minAvailable": 9}, 4, (4, 9, 4, 0)),
        ({"minAvailable": "50%"}, 4, (5, 3, 4, 1)),
        ({"maxUnavailable": 1}, 4, (5, 4, 4, 0)),
        ({"maxUnavailable": "25%"}, 4, (5, 3, 4, 1)),
        ({"maxUnavailable": "100%"}, 1, (5, 0, 1, 1)),
    ],
)
def test_counts_follow_the_pods_and_what_their_controller_wants(
    budgets: Budgets, spec: Obj, ready: int, counts: tuple[int, ...]
) -> None:
    budgets.pods(4, budgets.replica_set(5), ready)
    budgets.budget(**spec)
    assert budgets.counts == counts
    assert budgets.condition() == (("True", "SufficientPods") if counts[-1] else ("False", "InsufficientPods"))
    assert budgets.status["observedGeneration"] == 1


def test_a_budget_without_pods_allows_nothing(budgets: Budgets, recorded: Recorded) -> None:
    budgets.budget(minAvailable=0)
    assert budgets.counts == (0, 0, 0, 0)
    assert ("NoPods", "No matching pods found") in recorded.events


def test_pods_without_a_controller_are_told(budgets: Budgets, recorded: Recorded) -> None:
    budgets.pods(1, None)
    budgets.budget(maxUnavailable=1)
    assert "UnmanagedPods" in recorded.reasons


def test_a_controller_without_scale_makes_the_counts_unknown(budgets: Budgets, recorded: Recorded) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "sum", "uid": "u"}}
    budgets.pods(1, job)
    budgets.budget(maxUnavailable=1)
    message = "jobs.batch does not implement the scale subresource"
    assert budgets.condition() == ("False", "SyncFailed")
    assert budgets.status["conditions"][0]["message"] == message
    event = f"Failed to calculate the number of expected pods: {message}"
    assert ("CalculateExpectedPodCountFailed", event) in recorded.events


def test_evictions_use_up_the_budget(budgets: Budgets) -> None:
    budgets.pods(3, budgets.replica_set(3))
    budgets.budget(minAvailable=2)
    budgets.evict(0, dry_run=True)
    budgets.evict(0)
    assert budgets.counts == (3, 2, 2, 0)
    assert list(budgets.status["disruptedPods"]) == ["web-0"]
    with pytest.raises(StatusError) as caught:
        budgets.evict(1)
    assert (caught.value.code, caught.value.reason, caught.value.message) == (429, "TooManyRequests", CANNOT)
    message = "The disruption budget web needs 2 healthy pods and has 2 currently"
    assert caught.value.details == {"causes": [{"reason": "DisruptionBudget", "message": message}]}


def test_a_deleted_pod_leaves_the_list_of_disrupted_ones(budgets: Budgets) -> None:
    budgets.pods(3, budgets.replica_set(3))
    budgets.budget(minAvailable=2)
    budgets.evict(0)
    budgets.registry.delete("pods", NAMESPACE, "web-0")
    budgets.settle()
    assert "disruptedPods" not in budgets.status


def test_an_eviction_that_comes_to_nothing_is_forgotten(budgets: Budgets, recorded: Recorded) -> None:
    budgets.pods(3, budgets.replica_set(3))
    budgets.budget(minAvailable=2)
    budgets.evict(0)
    budgets.clock.advance(121)
    budgets.settle()
    assert budgets.counts == (3, 2, 3, 1)
    assert "NotDeleted" in recorded.reasons


@pytest.mark.parametrize(
    ("policy", "ready", "evicted"),
    [(None, 2, True), (None, 1, False), ("IfHealthyBudget", 1, False), ("AlwaysAllow", 1, True)],
)
def test_unhealthy_pods_are_evicted_as_the_policy_says(
    budgets: Budgets, policy: str | None, ready: int, evicted: bool
) -> None:
    budgets.pods(3, budgets.replica_set(3), ready)
    budgets.budget(minAvailable=2, **({"unhealthyPodEvictionPolicy": policy} if policy else {}))
    if evicted:
        budgets.evict(2)
        assert "disruptedPods" not in budgets.status
    else:
        with pytest.raises(StatusError, match="Cannot evict"):
            budgets.evict(2)


def test_finished_pods_need_no_budget(budgets: Budgets) -> None:
    budgets.pods(1, None)
    budgets.budget(minAvailable=1)
    pod = budgets.pod(0)
    budgets.registry.update("pods", pod | {"status": pod["status"] | {"phase": "Failed"}}, "status")
    budgets.evict(0)


def test_a_budget_that_was_just_changed_is_waited_for(budgets: Budgets) -> None:
    budgets.pods(1, None)
    budgets.budget(minAvailable=0)
    budgets.registry.patch("poddisruptionbudgets", NAMESPACE, "web", {"spec": {"minAvailable": 1}})
    with pytest.raises(StatusError) as caught:
        eviction.spend_budget(budgets.registry, budgets.pod(0), dry_run=False)
    assert caught.value.details["retryAfterSeconds"] == 10


def test_two_budgets_over_one_pod_are_refused(budgets: Budgets) -> None:
    budgets.pods(1, None)
    budgets.budget(minAvailable=0)
    other = {"metadata": {"name": "other", "namespace": NAMESPACE}, "spec": {"selector": {}}}
    budgets.registry.create("poddisruptionbudgets", other)
    with pytest.raises(StatusError, match="more than one PodDisruptionBudget"):
        budgets.evict(0)


def test_a_stale_disruption_condition_is_taken_back(budgets: Budgets) -> None:
    budgets.pods(1, None)
    pod = budgets.pod(0)
    target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    conditions = meta.with_condition(pod["status"]["conditions"], target, budgets.clock())
    budgets.registry.update("pods", pod | {"status": pod["status"] | {"conditions": conditions}}, "status")
    budgets.clock.advance(119)
    budgets.settle()
    assert meta.condition_is_true(budgets.pod(0)["status"]["conditions"], "DisruptionTarget")
    budgets.clock.advance(2)
    budgets.settle()
    assert not meta.condition_is_true(budgets.pod(0)["status"]["conditions"], "DisruptionTarget")


def test_a_disruption_condition_without_a_time_is_taken_back_at_once(budgets: Budgets) -> None:
    budgets.pods(1, None)
    pod = budgets.pod(0)
    conditions = [*pod["status"]["conditions"], {"type": "DisruptionTarget", "status": "True"}]
    budgets.registry.update("pods", pod | {"status": pod["status"] | {"conditions": conditions}}, "status")
    budgets.settle()
    assert not meta.condition_is_true(budgets.pod(0)["status"]["conditions"], "DisruptionTarget")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"minAvailable": 1, "maxUnavailable": 1}, "minAvailable and maxUnavailable cannot be both set"),
        ({"minAvailable": -1}, "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"maxUnavailable": "101%"},
            'Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:"101%"}: must not be greater than 100%',
        ),
        ({"unhealthyPodEvictionPolicy": "No"}, 'supported values: "AlwaysAllow", "IfHealthyBudget"'),
    ],
)
def test_a_wrong_budget_is_refused(budgets: Budgets, spec: Obj, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        budgets.budget(**spec)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("request_body", "reason"),
    [
        ({"metadata": {"name": "other"}}, "BadRequest"),
        ({}, "BadRequest"),
        ({"metadata": {"name": "web-0"}, "deleteOptions": {"preconditions": {"resourceVersion": "1"}}}, "Conflict"),
    ],
)
def test_an_eviction_of_something_else_is_refused(budgets: Budgets, request_body: Obj, reason: str) -> None:
    budgets.pods(1, None)
    with pytest.raises(StatusError) as caught:
        eviction.check_request(request_body, budgets.pod(0))
    assert caught.value.reason == reason


def test_a_replica_set_counts_itself_whoever_owns_it_but_a_deployment(budgets: Budgets) -> None:
    """Operators own the sets that they make."""
    owner = budgets.replica_set(3)
    above = {"apiVersion": "example.com/v1", "kind": "Database", "name": "d", "uid": "u", "controller": True}
    budgets.registry.patch("replicasets", NAMESPACE, "web", {"metadata": {"ownerReferences": [above]}})
    budgets.pods(3, owner)
    budgets.budget(maxUnavailable=1)
    assert budgets.counts == (3, 2, 3, 1)


@pytest.mark.parametrize(
    ("kind", "subresources", "reason"),
    [("Database", {}, "SyncFailed"), ("Database", SCALE, "SufficientPods"), ("StatefulSet", SCALE, "SufficientPods")],
)
def test_a_custom_controller_counts_by_its_scale(
    budgets: Budgets, recorded: Recorded, kind: str, subresources: Obj, reason: str
) -> None:
    names = {"plural": "databases", "singular": "database", "kind": kind, "listKind": f"{kind}List"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": subresources}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"metadata": {"name": "databases.example.com"}, "spec": spec}
    budgets.registry.create("customresourcedefinitions", definition)
    Controllers(budgets.registry, CustomResourceController(budgets.registry, recorded)).settle()
    new = {"metadata": {"name": "d", "namespace": NAMESPACE}, "spec": {"members": 4}}
    budgets.pods(4, budgets.registry.create("databases.example.com", new))
    budgets.budget(minAvailable="50%")
    assert budgets.condition()[1] == reason
    assert (reason == "SyncFailed") == ("CalculateExpectedPodCountFailed" in recorded.reasons)
