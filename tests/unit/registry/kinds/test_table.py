"""The table of kinds itself, against what the recorded discovery says."""

import pytest

from kubelite.registry.kinds import KINDS, by_kind, by_plural

RBAC = "rbac.authorization.k8s.io/v1"
RECORDED = [
    ("v1", "ConfigMap", "configmaps", ("cm",), True, set()),
    ("v1", "Endpoints", "endpoints", ("ep",), True, set()),
    ("v1", "Event", "events", ("ev",), True, set()),
    ("v1", "Namespace", "namespaces", ("ns",), False, {"finalize", "status"}),
    ("v1", "Node", "nodes", ("no",), False, {"proxy", "status"}),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", ("pvc",), True, {"status"}),
    ("v1", "PersistentVolume", "persistentvolumes", ("pv",), False, {"status"}),
    (
        "v1",
        "Pod",
        "pods",
        ("po",),
        True,
        {"attach", "binding", "ephemeralcontainers", "eviction", "exec", "log", "portforward", "proxy", "status"},
    ),
    ("v1", "PodTemplate", "podtemplates", (), True, set()),
    ("v1", "ReplicationController", "replicationcontrollers", ("rc",), True, {"scale", "status"}),
    ("v1", "Secret", "secrets", (), True, set()),
    ("v1", "ServiceAccount", "serviceaccounts", ("sa",), True, {"token"}),
    ("v1", "Service", "services", ("svc",), True, {"proxy", "status"}),
    ("apps/v1", "ControllerRevision", "controllerrevisions", (), True, set()),
    ("apps/v1", "DaemonSet", "daemonsets", ("ds",), True, {"status"}),
    ("apps/v1", "Deployment", "deployments", ("deploy",), True, {"scale", "status"}),
    ("apps/v1", "ReplicaSet", "replicasets", ("rs",), True, {"scale", "status"}),
    ("apps/v1", "StatefulSet", "statefulsets", ("sts",), True, {"scale", "status"}),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ("hpa",), True, {"status"}),
    ("coordination.k8s.io/v1", "Lease", "leases", (), True, set()),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", (), True, set()),
    (RBAC, "ClusterRoleBinding", "clusterrolebindings", (), False, set()),
    (RBAC, "ClusterRole", "clusterroles", (), False, set()),
    (RBAC, "RoleBinding", "rolebindings", (), True, set()),
    (RBAC, "Role", "roles", (), True, set()),
    ("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", (), False, set()),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", ("pc",), False, set()),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", ("sc",), False, set()),
]


@pytest.mark.parametrize(("api_version", "kind", "plural", "short_names", "namespaced", "subresources"), RECORDED)
def test_kind_is_declared_as_upstream_serves_it(
    api_version: str, kind: str, plural: str, short_names: tuple[str, ...], namespaced: bool, subresources: set[str]
) -> None:
    declared = by_kind(api_version, kind)
    assert declared is not None
    assert (declared.plural, tuple(declared.short_names)) == (plural, short_names)
    assert (declared.namespaced, declared.subresources) == (namespaced, subresources)
    assert declared is by_plural(plural, declared.group)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_first_columns_are_names_as_kubectl_expects(kind) -> None:
    formats = [column.format for column in kind.columns]
    assert "name" in formats
    assert kind.singular == kind.kind.lower()


def test_get_all_shows_pods_services_and_workloads() -> None:
    shown = {kind.plural for kind in KINDS if "all" in kind.categories}
    workloads = {
        "daemonsets",
        "deployments",
        "replicasets",
        "replicationcontrollers",
        "horizontalpodautoscalers",
        "statefulsets",
        "jobs",
        "cronjobs",
    }
    assert shown == {"pods", "services", *workloads}


def test_namespaces_are_deleted_one_by_one() -> None:
    namespaces = by_plural("namespaces")
    assert namespaces is not None
    assert "deletecollection" not in namespaces.verbs


def test_unknown_kind_is_not_in_the_table() -> None:
    assert by_plural("gadgets") is by_kind("v1", "Gadget") is by_plural("pods", "apps") is None


@pytest.mark.parametrize("plural", ["limitranges", "roles", "clusterroles", "customresourcedefinitions"])
def test_kinds_without_columns_of_their_own_show_when_they_were_created(plural: str) -> None:
    (kind,) = (kind for kind in KINDS if kind.plural == plural)
    assert [(column.name, column.type) for column in kind.columns] == [("Name", "string"), ("Created At", "date")]
    assert kind.row is None
