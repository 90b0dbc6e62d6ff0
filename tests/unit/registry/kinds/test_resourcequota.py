"""ResourceQuotas: their rules, what they refuse, and what their status says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kubelite.controllers.customresources import CustomResourceController
from kubelite.controllers.resourcequota import ResourceQuotaController
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.resource_amounts import Amount, total
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded
from tests.unit.customresources import RESOURCE, definition

NAMESPACE = "default"


class Quotas:
    """A namespace with one quota."""

    def __init__(self, registry: Registry, clock: Clock, recorded: Recorded) -> None:
        self.registry = registry
        controller = ResourceQuotaController(registry, recorded, registry.kinds, clock)
        self.settle = Controllers(registry, controller).settle

    def limit(self, hard: Obj, **spec: Any) -> None:
        metadata = {"name": "quota", "namespace": NAMESPACE}
        self.registry.create("resourcequotas", {"metadata": metadata, "spec": {"hard": hard} | spec})
        self.settle()

    def used(self) -> Obj:
        self.settle()
        used: Obj = self.registry.get("resourcequotas", NAMESPACE, "quota")["status"]["used"]
        return used

    def pod(self, name: str = "web", resources: Obj | None = None, **spec: Any) -> Obj:
        containers = [{"name": "main", "image": "i", "resources": resources or {}}]
        new = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"containers": containers} | spec}
        return self.registry.create("pods", new)

    def create(self, plural: str, name: str, **fields: Any) -> Obj:
        return self.registry.create(plural, {"metadata": {"name": name, "namespace": NAMESPACE}} | fields)

    def claim(self, name: str, storage: str, storage_class: str) -> Obj:
        resources = {"requests": {"storage": storage}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": storage_class}
        return self.create("persistentvolumeclaims", name, spec=spec)


@pytest.fixture
def quotas(registry: Registry, clock: Clock, recorded: Recorded) -> Quotas:
    return Quotas(registry, clock, recorded)


NEEDS = {"requests": {"cpu": "300m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}


def test_the_status_shows_what_pods_use(quotas: Quotas) -> None:
    hard = {"pods": "4", "cpu": "2", "requests.memory": "2Gi", "limits.memory": "4Gi", "limits.cpu": "4"}
    quotas.limit(hard)
    assert quotas.used() == dict.fromkeys(hard, "0")
    for name in ("a", "b"):
        quotas.pod(name, NEEDS)
    used = {"pods": "2", "cpu": "600m", "requests.memory": "1Gi", "limits.memory": "2Gi", "limits.cpu": "2"}
    assert quotas.used() == used
    pod = quotas.registry.get("pods", NAMESPACE, "a")
    quotas.registry.update("pods", pod | {"status": pod["status"] | {"phase": "Succeeded"}}, "status")
    assert quotas.used()["pods"] == "1"
    quotas.registry.delete("pods", NAMESPACE, "b", grace=0)
    assert quotas.used()["pods"] == "0"


def test_what_exceeds_the_quota_is_refused(quotas: Quotas) -> None:
    quotas.limit({"pods": "1", "requests.cpu": "500m", "limits.cpu": "9"})
    quotas.pod("a", NEEDS)
    with pytest.raises(StatusError) as caught:
        quotas.pod("b", NEEDS)
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
    assert caught.value.message == (
        'pods "b" is forbidden: exceeded quota: quota, requested: pods=1,requests.cpu=300m, '
        "used: pods=1,requests.cpu=300m, limited: pods=1,requests.cpu=500m"
    )


def test_a_refused_object_uses_nothing(quotas: Quotas) -> None:
    quotas.limit({"pods": "1"})
    with pytest.raises(StatusError):
        quotas.pod("a", NEEDS, nodeSelector={"bad key": ""})
    quotas.pod("a")


def test_a_quota_of_compute_wants_containers_to_say_what_they_need(quotas: Quotas) -> None:
    quotas.limit({"cpu": "1", "limits.memory": "1Gi"})
    with pytest.raises(StatusError) as caught:
        quotas.pod(initContainers=[{"name": "init", "image": "i", "resources": NEEDS}])
    why = "failed quota: quota: must specify cpu for: main; limits.memory for: main"
    assert caught.value.message == f'pods "web" is forbidden: {why}'


@pytest.mark.parametrize(
    ("plural", "fields"),
    [
        ("configmaps", {}),
        ("secrets", {}),
        ("services", {"spec": {"ports": [{"port": 80}]}}),
        ("resourcequotas", {"spec": {}}),
    ],
)
def test_objects_are_counted_by_name(quotas: Quotas, plural: str, fields: Obj) -> None:
    present = len(quotas.registry.list(plural, NAMESPACE)) + (plural == "resourcequotas")
    quotas.limit({plural: str(present), f"count/{plural}": "9"})
    with pytest.raises(StatusError) as caught:
        quotas.create(plural, "one-more", **fields)
    numbers = f"requested: {plural}=1, used: {plural}={present}, limited: {plural}={present}"
    assert caught.value.message == f'{plural} "one-more" is forbidden: exceeded quota: quota, {numbers}'


def test_any_object_can_be_counted(quotas: Quotas) -> None:
    quotas.limit({"count/jobs.batch": "0", "count/widgets.example.com": "5"})
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}
    with pytest.raises(StatusError) as caught:
        quotas.create("jobs", "sum", spec={"template": template})
    numbers = "requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0"
    assert caught.value.message == f'jobs.batch "sum" is forbidden: exceeded quota: quota, {numbers}'
    assert quotas.used() == {"count/jobs.batch": "0"}  # there are no widgets


def test_huge_pages_are_counted(quotas: Quotas) -> None:
    quotas.limit({"requests.hugepages-2Mi": "2Mi"})
    needs = {"requests": {"cpu": "100m", "hugepages-2Mi": "2Mi"}, "limits": {"hugepages-2Mi": "2Mi"}}
    quotas.pod("a", needs)
    assert quotas.used() == {"requests.hugepages-2Mi": "2Mi"}
    with pytest.raises(StatusError, match=r"exceeded quota: quota, requested: requests\.hugepages-2Mi=2Mi"):
        quotas.pod("b", needs)


@pytest.mark.parametrize(
    "name",
    [
        "example.com/dongle",
        "limits.example.com/dongle",
        "count/events",
        "gold.storage.k8s.io/requests.storage",
        "requests.kubernetes.io/odd",
    ],
)
def test_names_that_count_nothing_have_no_usage(quotas: Quotas, name: str) -> None:
    quotas.limit({name: "1", "pods": "5"})
    for pod in ("a", "b"):
        quotas.pod(pod, {"limits": {"example.com/dongle": "1"}})
    assert quotas.used() == {"pods": "2"}


def test_custom_resources_are_counted(quotas: Quotas) -> None:
    registry = quotas.registry
    quotas.limit({f"count/{RESOURCE}": "1"})
    assert quotas.used() == {}
    registry.create("customresourcedefinitions", definition())
    Controllers(registry, CustomResourceController(registry, Recorded())).settle()
    assert quotas.used() == {f"count/{RESOURCE}": "0"}
    quotas.create(RESOURCE, "one")
    assert quotas.used() == {f"count/{RESOURCE}": "1"}
    with pytest.raises(StatusError, match=f"exceeded quota: quota, requested: count/{RESOURCE}=1"):
        quotas.create(RESOURCE, "two")
    registry.delete(RESOURCE, NAMESPACE, "one")
    assert quotas.used() == {f"count/{RESOURCE}": "0"}


def test_node_ports_and_load_balancers_are_counted_also_on_update(quotas: Quotas) -> None:
    quotas.limit({"services.nodeports": "1", "services.loadbalancers": "0"})
    service = quotas.create("services", "web", spec={"type": "NodePort", "ports": [{"port": 80}]})
    assert quotas.used() == {"services.nodeports": "1", "services.loadbalancers": "0"}
    with pytest.raises(StatusError, match=r"exceeded quota: quota, requested: services.loadbalancers=1"):
        quotas.registry.update("services", service | {"spec": service["spec"] | {"type": "LoadBalancer"}})


def test_storage_is_counted_by_class(quotas: Quotas) -> None:
    gold = "gold.storageclass.storage.k8s.io"
    quotas.limit({"requests.storage": "9Gi", f"{gold}/requests.storage": "2Gi", "persistentvolumeclaims": "9"})
    quotas.claim("a", "1Gi", "gold")
    quotas.claim("b", "3Gi", "iron")
    used = {"requests.storage": "4Gi", f"{gold}/requests.storage": "1Gi", "persistentvolumeclaims": "2"}
    assert quotas.used() == used
    with pytest.raises(StatusError) as caught:
        quotas.claim("c", "1.5Gi", "gold")
    why = f"requested: {gold}/requests.storage=1536Mi, used: {gold}/requests.storage=1Gi, limited: {gold}/"
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("asked", "status", "counted"),
    [
        ("1500m", {}, "2"),
        ("1Gi", {"allocatedResources": {"storage": "3Gi"}}, "3Gi"),
        ("2Gi", {"allocatedResources": {"storage": "1Gi"}}, "2Gi"),
        ("1Gi", {"allocatedResources": {}}, "1Gi"),
    ],
)
def test_storage_is_counted_in_whole_bytes_and_with_what_was_set_aside(
    quotas: Quotas, asked: str, status: Obj, counted: str
) -> None:
    quotas.limit({"requests.storage": "9Gi"})
    claim = quotas.claim("a", asked, "gold")
    quotas.registry.update("persistentvolumeclaims", claim | {"status": claim["status"] | status}, "status")
    assert quotas.used() == {"requests.storage": counted}


@pytest.mark.parametrize(
    ("spec", "pod", "counted"),
    [
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["NotBestEffort"]}, {}, False),
        ({"scopes": ["NotBestEffort"]}, {"resources": NEEDS}, True),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True),
        ({"scopes": ["NotTerminating"]}, {"activeDeadlineSeconds": 5}, False),
        (
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}},
            {"priorityClassName": "system-node-critical"},
            True,
        ),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                }
            },
            {},
            False,
        ),
        ({"scopes": ["CrossNamespacePodAffinity"]}, {}, False),
    ],
)
def test_scopes_choose_the_pods_that_count(quotas: Quotas, spec: Obj, pod: Obj, counted: bool) -> None:
    quotas.limit({"pods": "5"}, **spec)
    quotas.pod("web", **pod)
    assert quotas.used() == {"pods": "1" if counted else "0"}


@pytest.mark.parametrize(
    ("hard", "spec", "message"),
    [
        ({"disk": "1"}, {}, "must be a standard resource type or fully qualified"),
        ({"storage": "1"}, {}, "must be a standard resource for quota"),
        ({"pods": "1500m"}, {}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'),
        ({"cpu": "-1"}, {}, "must be greater than or equal to 0"),
        ({"pods": "1"}, {"scopes": ["Loud"]}, "unsupported scope"),
        ({"cpu": "1"}, {"scopes": ["BestEffort"]}, "unsupported scope applied to resource"),
        ({"pods": "1"}, {"scopes": ["BestEffort", "NotBestEffort"]}, "conflicting scopes"),
        (
            {"pods": "1"},
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
    ],
)
def test_a_wrong_quota_is_refused(quotas: Quotas, hard: Obj, spec: Obj, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        quotas.limit(hard, **spec)
    assert message in caught.value.message


def test_scopes_can_not_change(quotas: Quotas) -> None:
    quotas.limit({"pods": "1"}, scopes=["BestEffort"])
    shown = re.escape('spec.scopes: Invalid value: []core.ResourceQuotaScope{"NotBestEffort"}: field is immutable')
    with pytest.raises(StatusError, match=shown):
        quotas.registry.patch("resourcequotas", NAMESPACE, "quota", {"spec": {"scopes": ["NotBestEffort"]}})


@pytest.mark.parametrize(
    ("parts", "sum_"),
    [
        (["512Mi", "512Mi"], "1Gi"),
        (["1Gi", "1"], "1073741825"),
        (["0", "1Gi"], "1Gi"),
        (["100m", "900m"], "1"),
        (["1G", "500M"], "1500M"),
        (["512"], "512"),
        (["1536Mi", "512Ki"], "1573376Ki"),
    ],
)
def test_sums_keep_the_notation(parts: list[str], sum_: str) -> None:
    assert str(total(map(Amount.of, parts))) == sum_


def test_the_row_tells_requests_from_limits(quotas: Quotas, registry: Registry, clock: Clock) -> None:
    quotas.limit({"requests.cpu": "1", "limits.cpu": "2", "pods": "3"})
    kind = registry.kind("resourcequotas")
    assert kind.row is not None
    quota = registry.get("resourcequotas", NAMESPACE, "quota")
    assert kind.row(quota, clock()) == ["quota", "0s", "pods: 0/3, requests.cpu: 0/1", "limits.cpu: 0/2"]
    assert meta.name(quota) == "quota"
