"""Namespaces, nodes, events, leases, service accounts, priority classes and RBAC."""

import pytest

from kubelite.errors import StatusError
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.event import EVENT
from kubelite.registry.kinds.lease import LEASE
from kubelite.registry.kinds.namespace import NAMESPACE
from kubelite.registry.kinds.node import NODE
from kubelite.registry.kinds.priorityclass import PRIORITY_CLASS
from kubelite.registry.kinds.rbac import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from kubelite.registry.kinds.serviceaccount import SERVICE_ACCOUNT

GROUP = "rbac.authorization.k8s.io"

# namespaces


def test_namespace_is_active_labelled_and_held(cluster, now) -> None:
    made = cluster.create(NAMESPACE, {"metadata": {"name": "ns1", "labels": {"a": "b"}}})
    assert made["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "ns1"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert NAMESPACE.row(made, now) == ["ns1", "Active", "10s"]
    assert NAMESPACE.fields["status.phase"](made) == "Active"


def test_namespace_finalizers_change_only_through_finalize(cluster) -> None:
    old = cluster.create(NAMESPACE, {})
    new = cluster.update(NAMESPACE, old, lambda new: new.update(spec={"finalizers": []}))
    assert new["spec"] == {"finalizers": ["kubernetes"]}


# nodes

STATUS = {
    "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
    "addresses": [{"type": "Hostname", "address": "vm"}, {"type": "InternalIP", "address": "172.30.0.1"}],
    "nodeInfo": {
        "kubeletVersion": "v1.20.2",
        "osImage": "Debian GNU/Linux 12 (bookworm)",
        "kernelVersion": "6.18.44-fc-v657",
        "containerRuntimeVersion": "docker://20.10.24+dfsg1",
    },
}


def test_node_row_has_the_recorded_cells(cluster, now) -> None:
    made = cluster.create(NODE, {"metadata": {"name": "vm"}, "status": STATUS})
    assert made["spec"] == {}
    assert NODE.row(made, now) == [
        *("vm", "Ready", "<none>", "10s", "v1.20.2", "172.30.0.1", "<none>"),
        *("Debian GNU/Linux 12 (bookworm)", "6.18.44-fc-v657", "docker://20.10.24+dfsg1"),
    ]


@pytest.mark.parametrize(
    ("conditions", "spec", "shown"),
    [
        ([], {}, "Unknown"),
        ([{"type": "Ready", "status": "False"}], {}, "NotReady"),
        ([{"type": "Ready", "status": "Unknown"}], {}, "NotReady"),
        ([{"type": "Ready", "status": "True"}], {"unschedulable": True}, "Ready,SchedulingDisabled"),
    ],
)
def test_node_status_names_readiness_and_scheduling(cluster, now, conditions, spec: Obj, shown: str) -> None:
    made = cluster.create(NODE, {"spec": spec, "status": {"conditions": conditions}})
    assert NODE.row(made, now)[1] == shown
    assert NODE.fields["spec.unschedulable"](made) == ("true" if spec else "false")


def test_node_roles_come_from_labels(cluster, now) -> None:
    labels = {
        "node-role.kubernetes.io/worker": "",
        "node-role.kubernetes.io/control-plane": "",
        "kubernetes.io/role": "x",
    }
    made = cluster.create(NODE, {"metadata": {"labels": labels}})
    assert NODE.row(made, now)[2] == "control-plane,worker,x"


def test_node_taints_are_checked(cluster, refused) -> None:
    taint = {"key": "a", "effect": "NoRun"}
    assert refused(lambda: cluster.create(NODE, {"spec": {"taints": [taint]}})) == [
        'metadata.taints[0].effect: Unsupported value: "NoRun": '
        'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'
    ]


def test_node_keeps_its_pod_range(cluster, refused) -> None:
    old = cluster.create(NODE, {"spec": {"podCIDR": "172.30.0.0/16"}})
    assert refused(lambda: cluster.update(NODE, old, lambda new: new["spec"].update(podCIDR="10.0.0.0/8"))) == [
        'spec.podCIDR: Forbidden: node updates may not change podCIDR except from "" to valid'
    ]


# events


def event(**fields) -> Obj:
    return {
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web-0", "fieldPath": "spec.containers{c}"},
        "type": "Normal",
        "reason": "Pulled",
        "message": "Container image already present on machine\n",
        "source": {"component": "kubelet", "host": "vm"},
        "firstTimestamp": "2026-11-23T11:59:10Z",
        "lastTimestamp": "2026-11-23T12:00:05Z",
        "count": 3,
    } | fields


def test_event_row_has_the_recorded_cells(cluster, now) -> None:
    made = cluster.create(EVENT, event())
    assert EVENT.row(made, now) == [
        *("5s", "Normal", "Pulled", "pod/web-0", "spec.containers{c}", "kubelet, vm"),
        *("Container image already present on machine", "60s", 3, "x"),
    ]


def test_event_row_of_a_series_uses_its_time_and_count(cluster, now) -> None:
    made = cluster.create(
        EVENT,
        event(
            firstTimestamp=None,
            lastTimestamp=None,
            count=None,
            source={},
            eventTime="2026-11-23T11:58:10.000000Z",
            series={"count": 7, "lastObservedTime": "2026-11-23T12:00:00.000000Z"},
            action="Pull",
            reportingComponent="kubelite.io/kubelet",
            reportingInstance="vm",
        ),
    )
    row = EVENT.row(made, now)
    assert (row[0], row[7], row[8]) == ("10s", "2m", 7)
    assert row[5] == "kubelite.io/kubelet, vm"


def test_event_fields_can_be_selected(cluster) -> None:
    made = cluster.create(EVENT, event())
    read = {
        path: EVENT.fields[path](made) for path in ("involvedObject.name", "involvedObject.uid", "source", "reason")
    }
    assert read == {"involvedObject.name": "web-0", "involvedObject.uid": "", "source": "kubelet", "reason": "Pulled"}


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        (
            {"involvedObject": {"kind": "Pod", "namespace": "other", "name": "x"}},
            ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
        ),
        ({"involvedObject": {"kind": "Node", "name": "vm"}}, []),
        (
            {"eventTime": "2026-11-23T11:58:10.000000Z", "reportingComponent": "a", "reportingInstance": "b"},
            ["action: Required value"],
        ),
    ],
)
def test_event_is_about_an_object_of_its_namespace(cluster, refused, fields: Obj, messages: list[str]) -> None:
    assert refused(lambda: cluster.create(EVENT, event(**fields))) == messages


# the small ones


def test_lease_row_shows_the_holder(cluster, now, refused) -> None:
    made = cluster.create(LEASE, {"spec": {"holderIdentity": "vm", "leaseDurationSeconds": 40}})
    assert LEASE.row(made, now) == ["x", "vm", "10s"]
    assert refused(lambda: cluster.create(LEASE, {"spec": {"leaseDurationSeconds": 0}})) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"
    ]


def test_service_account_row_counts_secrets(cluster, now) -> None:
    assert SERVICE_ACCOUNT.row(cluster.create(SERVICE_ACCOUNT, {}), now) == ["x", 0, "10s"]


def test_priority_class_row_and_limits(cluster, now, refused) -> None:
    made = cluster.create(PRIORITY_CLASS, {"value": 10, "globalDefault": True})
    assert PRIORITY_CLASS.row(made, now) == ["x", 10, True, "10s", "PreemptLowerPriority"]
    assert refused(lambda: cluster.create(PRIORITY_CLASS, {"value": 2_000_000_000})) == [
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"
    ]
    system = {"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}
    assert cluster.create(PRIORITY_CLASS, system)
    assert refused(lambda: cluster.create(PRIORITY_CLASS, system | {"value": 1})) == [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only"
    ]


def test_only_one_priority_class_is_the_default(cluster) -> None:
    first = cluster.create(PRIORITY_CLASS, {"metadata": {"name": "first"}, "value": 10, "globalDefault": True})
    cluster.update(PRIORITY_CLASS, first, lambda obj: obj.update(description="still the default"))
    told = "PriorityClass first is already marked as default. Only one default can exist"
    with pytest.raises(StatusError, match=told):
        cluster.create(PRIORITY_CLASS, {"metadata": {"name": "second"}, "value": 20, "globalDefault": True})
    second = cluster.create(PRIORITY_CLASS, {"metadata": {"name": "second"}, "value": 20})
    with pytest.raises(StatusError, match=told):
        cluster.update(PRIORITY_CLASS, second, lambda obj: obj.update(globalDefault=True))


RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("kind", "rule", "messages"),
    [
        (ROLE, {}, []),
        (ROLE, {"verbs": []}, ["rules[0].verbs: Required value: verbs must contain at least one value"]),
        (
            ROLE,
            {"apiGroups": None},
            ["rules[0].apiGroups: Required value: resource rules must supply at least one api group"],
        ),
        (
            ROLE,
            {"nonResourceURLs": ["/x"]},
            ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
        ),
        (CLUSTER_ROLE, {"nonResourceURLs": ["/x"], "apiGroups": None, "resources": None}, []),
    ],
)
def test_role_rules_are_complete(cluster, refused, kind, rule: Obj, messages: list[str]) -> None:
    assert refused(lambda: cluster.create(kind, {"rules": [RULE | rule]})) == messages


def binding(kind: str = "Role", **fields) -> Obj:
    subjects = [
        {"kind": "User", "name": "ann"},
        {"kind": "Group", "name": "devs"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "web"},
    ]
    return {"roleRef": {"kind": kind, "name": "reader"}, "subjects": subjects} | fields


def test_binding_row_shows_role_and_subjects(cluster, now) -> None:
    made = cluster.create(ROLE_BINDING, binding())
    assert made["roleRef"]["apiGroup"] == made["subjects"][0]["apiGroup"] == GROUP
    assert ROLE_BINDING.row(made, now) == ["x", "Role/reader", "10s", "ann", "devs", "web/default"]


def test_wrong_binding_is_refused(cluster, refused) -> None:
    assert refused(
        lambda: cluster.create(CLUSTER_ROLE_BINDING, binding(subjects=[{"kind": "Robot", "name": "r"}]))
    ) == [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    ]


def test_binding_keeps_its_role(cluster, refused) -> None:
    old = cluster.create(ROLE_BINDING, binding())
    assert refused(lambda: cluster.update(ROLE_BINDING, old, lambda new: new["roleRef"].update(name="writer"))) == [
        f'roleRef: Invalid value: rbac.RoleRef{{APIGroup:"{GROUP}", Kind:"Role", Name:"writer"}}: cannot change roleRef'
    ]
