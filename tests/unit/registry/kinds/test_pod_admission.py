"""What admission adds to pods, and which pods it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"


def account(name: str = "default", **fields: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "default"}, **fields}


def pod(**spec: Any) -> Obj:
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "web", "image": "httpd:2.4"}]} | spec}


@pytest.fixture
def admitted(cluster):
    """A function that creates a pod in a namespace with a default service account."""
    cluster.objects["serviceaccounts"] = [account(), account("robot", imagePullSecrets=[{"name": "pull"}])]
    return lambda **spec: cluster.create(POD, pod(**spec))


def mounts(container: Obj) -> list[tuple[str, str]]:
    return [(mount["name"], mount["mountPath"]) for mount in container.get("volumeMounts", [])]


def test_pod_gets_account_priority_and_tolerations(admitted) -> None:
    spec = admitted()["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert spec["tolerations"] == [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in (NOT_READY, UNREACHABLE)
    ]


def test_token_volume_is_mounted_in_every_container(admitted) -> None:
    spec = admitted(initContainers=[{"name": "i", "image": "i"}])["spec"]
    (volume,) = spec["volumes"]
    assert re.fullmatch("kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}", volume["name"])
    assert volume["projected"] == {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ],
    }
    for container in [*spec["containers"], *spec["initContainers"]]:
        assert container["volumeMounts"] == [{"name": volume["name"], "readOnly": True, "mountPath": TOKEN_PATH}]


def test_token_stays_away_where_something_is_mounted(admitted) -> None:
    own = {"name": "web", "image": "i", "volumeMounts": [{"name": "v", "mountPath": TOKEN_PATH}]}
    spec = admitted(containers=[own], volumes=[{"name": "v"}])["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["v"]
    assert mounts(spec["containers"][0]) == [("v", TOKEN_PATH)]


@pytest.mark.parametrize(
    ("of_pod", "of_account", "mounted"),
    [(None, None, True), (None, False, False), (False, None, False), (True, False, True), (False, True, False)],
)
def test_token_is_mounted_unless_pod_or_account_says_no(cluster, of_pod, of_account, mounted) -> None:
    fields = {} if of_account is None else {"automountServiceAccountToken": of_account}
    cluster.objects["serviceaccounts"] = [account(**fields)]
    wish = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
    assert bool(cluster.create(POD, pod(**wish))["spec"].get("volumes")) is mounted


def test_pull_secrets_come_from_the_account_unless_the_pod_has_some(admitted) -> None:
    assert admitted(serviceAccountName="robot")["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    own = [{"name": "mine"}]
    assert admitted(serviceAccountName="robot", imagePullSecrets=own)["spec"]["imagePullSecrets"] == own


def test_pod_without_its_account_is_refused(cluster) -> None:
    with pytest.raises(StatusError) as caught:
        cluster.create(POD, pod())
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")
    assert caught.value.message == (
        'pods "p" is forbidden: error looking up service account default/default: serviceaccount "default" not found'
    )


def test_own_tolerations_are_kept_and_completed(admitted) -> None:
    own = [{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]
    tolerations = admitted(tolerations=own)["spec"]["tolerations"]
    assert [(entry["key"], entry["tolerationSeconds"]) for entry in tolerations] == [(NOT_READY, 5), (UNREACHABLE, 300)]


def test_pod_that_tolerates_everything_gets_nothing_more(admitted) -> None:
    assert admitted(tolerations=[{"operator": "Exists"}])["spec"]["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.parametrize(
    ("name", "priority"),
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000), ("mine", 7)],
)
def test_priority_comes_from_the_class(cluster, admitted, name: str, priority: int) -> None:
    cluster.objects["priorityclasses"] = [{"metadata": {"name": "mine"}, "value": 7}]
    assert admitted(priorityClassName=name)["spec"]["priority"] == priority


def test_lowest_default_class_counts(cluster, admitted) -> None:
    cluster.objects["priorityclasses"] = [
        {"metadata": {"name": "high"}, "value": 9, "globalDefault": True},
        {"metadata": {"name": "low"}, "value": 3, "globalDefault": True, "preemptionPolicy": "Never"},
    ]
    spec = admitted()["spec"]
    assert (spec["priorityClassName"], spec["priority"], spec["preemptionPolicy"]) == ("low", 3, "Never")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        (
            {"priority": 5},
            "the integer value of priority (5) must not be provided in pod spec; "
            "priority admission controller computed 0 from the given PriorityClass name",
        ),
        (
            {"preemptionPolicy": "Never"},
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; "
            "priority admission controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
    ],
)
def test_priority_that_no_class_gives_is_refused(admitted, spec: Obj, why: str) -> None:
    with pytest.raises(StatusError) as caught:
        admitted(**spec)
    assert caught.value.message == f'pods "p" is forbidden: {why}'


def test_update_keeps_the_priority_that_was_computed(cluster, admitted) -> None:
    old = admitted()
    new = cluster.update(POD, old, lambda new: (new["spec"].pop("priority"), new["spec"].pop("preemptionPolicy")))
    assert (new["spec"]["priority"], new["spec"]["preemptionPolicy"]) == (0, "PreemptLowerPriority")


def test_admitted_pod_is_what_a_real_server_answers(admitted) -> None:
    spec = meta.copy(admitted()["spec"])
    name = spec["volumes"][0]["name"]
    del spec["volumes"]
    assert spec == {
        "containers": [
            {
                "name": "web",
                "image": "httpd:2.4",
                "resources": {},
                "volumeMounts": [{"name": name, "readOnly": True, "mountPath": TOKEN_PATH}],
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def runtime_class(**fields: Any) -> Obj:
    return {"metadata": {"name": "fast"}, "handler": "runc", **fields}


def test_pod_of_a_runtime_class_gets_its_overhead_and_place(cluster, admitted) -> None:
    toleration = {"key": "fast", "operator": "Exists"}
    scheduling = {"nodeSelector": {"kind": "fast"}, "tolerations": [toleration]}
    found = runtime_class(overhead={"podFixed": {"cpu": "10m"}}, scheduling=scheduling)
    cluster.objects["runtimeclasses"] = [found]
    spec = admitted(runtimeClassName="fast", nodeSelector={"a": "b"}, overhead={"cpu": "0.01"})["spec"]
    assert spec["overhead"] == {"cpu": "10m"}
    assert spec["nodeSelector"] == {"a": "b", "kind": "fast"}
    assert toleration in spec["tolerations"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "no"}, 'pod rejected: RuntimeClass "no" not found'),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "fast", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"runtimeClassName": "fast", "nodeSelector": {"kind": "slow"}},
            "conflict: runtimeClass.scheduling.nodeSelector[kind] = fast; pod.spec.nodeSelector[kind] = slow",
        ),
    ],
)
def test_pod_that_contradicts_its_runtime_class_is_refused(cluster, admitted, spec: Obj, why: str) -> None:
    found = runtime_class(overhead={"podFixed": {"cpu": "2"}}, scheduling={"nodeSelector": {"kind": "fast"}})
    cluster.objects["runtimeclasses"] = [found]
    with pytest.raises(StatusError) as refused:
        admitted(**spec)
    assert refused.value.code == 403
    assert str(refused.value).endswith(why)
