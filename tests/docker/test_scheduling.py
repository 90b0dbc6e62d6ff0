"""Pods that wait for their node or make room for others, what the node itself refuses, tokens as a pod uses them."""

from __future__ import annotations

from kubelite.testing.namespace import Namespace
from tests.docker.test_pods_more import NODE, Obj, create, node_name, pod

RESOURCE = "example.com/seats"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
API = "https://kubernetes.default.svc.cluster.local"


def seats(kubelite: Namespace, count: int | None) -> None:
    """What the node offers."""
    offered = {RESOURCE: count and str(count)}
    status = {"status": {"capacity": offered, "allocatable": offered}}
    path = f"{NODE}/{node_name(kubelite)}/status"
    kubelite.client.request("PATCH", path, status, content_type="application/merge-patch+json")


def taking(name: str, count: int, priority_class: str) -> Obj:
    resources = {"requests": {RESOURCE: str(count)}, "limits": {RESOURCE: str(count)}}
    return pod(name, container={"resources": resources}, priorityClassName=priority_class)


def test_an_important_pod_takes_the_place_of_the_least_important(kubelite: Namespace) -> None:
    classes = {name: f"{name}-{kubelite.namespace}" for name in ("low", "high")}
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    for value, name in enumerate(classes.values(), 1):
        kubelite.client.request("POST", path, {"metadata": {"name": name}, "value": value})
    seats(kubelite, 5)
    try:
        for name, count in (("small", 2), ("large", 3)):
            create(kubelite, taking(name, count, classes["low"]))
            kubelite.wait("pods", name)
        create(kubelite, taking("important", 3, classes["high"]))
        victim = kubelite.wait("pods", "large", lambda p: p is None or "deletionTimestamp" in p["metadata"])
        conditions = (victim or {}).get("status", {}).get("conditions", [])
        assert "PreemptionByScheduler" in {condition.get("reason") for condition in conditions}
        kubelite.wait("pods", "important")
        kubelite.wait("pods", "small")
    finally:
        seats(kubelite, None)
        for name in classes.values():
            kubelite.client.request("DELETE", f"{path}/{name}")


def test_pods_wait_for_a_node_that_takes_them_and_say_why(kubelite: Namespace) -> None:
    node = node_name(kubelite)
    taint = f"{kubelite.namespace}=x:NoSchedule"
    tolerating = {"tolerations": [{"key": kubelite.namespace, "operator": "Exists"}]}
    port = {"ports": [{"containerPort": 80, "hostPort": 21018}]}
    create(kubelite, pod("holder", container=port))
    kubelite.wait("pods", "holder")
    create(kubelite, pod("selecting", nodeSelector={"x": "y"}))
    create(kubelite, pod("large", container={"resources": {"requests": {"cpu": "100", "memory": "1Pi"}}}))
    create(kubelite, pod("port", container=port))
    try:
        kubelite.kubectl("cordon", node)
        create(kubelite, pod("cordoned", **tolerating))
        _waits(kubelite, "cordoned", "1 node(s) were unschedulable", USELESS)
        kubelite.kubectl("taint", "node", node, taint)
        kubelite.kubectl("uncordon", node)
        kubelite.wait("pods", "cordoned")
        create(kubelite, pod("tainted"))
        _waits(kubelite, "tainted", f"1 node(s) had untolerated taint {{{kubelite.namespace}: x}}", USELESS)
    finally:
        kubelite.kubectl("uncordon", node)
        kubelite.kubectl("taint", "node", node, f"{kubelite.namespace}-", check=False)
    kubelite.wait("pods", "tainted")
    _waits(kubelite, "selecting", "1 node(s) didn't match Pod's node affinity/selector", USELESS)
    _waits(kubelite, "large", "1 Insufficient cpu, 1 Insufficient memory", NO_VICTIMS)
    _waits(kubelite, "port", "1 node(s) didn't have free ports for the requested pod ports", NO_VICTIMS)
    kubelite.kubectl("delete", "pod", "holder", "--now")
    kubelite.wait("pods", "port")


USELESS = "1 Preemption is not helpful for scheduling."
NO_VICTIMS = "1 No preemption victims found for incoming pod."


def _waits(kubelite: Namespace, name: str, why: str, preemption: str) -> None:
    message = f"0/1 nodes are available: {why}. preemption: 0/1 nodes are available: {preemption}"
    told = [("False", "Unschedulable", message)]
    kubelite.wait("pods", name, lambda found: [_scheduled(entry) for entry in _conditions(found)] == told)
    _wait_for_event(kubelite, name, "FailedScheduling", message)


def _conditions(found: Obj | None) -> list[Obj]:
    return list((found or {}).get("status", {}).get("conditions", []))


def _scheduled(entry: Obj) -> tuple[str, str, str]:
    return entry["status"], entry.get("reason", ""), entry.get("message", "")


def test_pods_bound_by_hand_fail_where_the_node_does_not_take_them(kubelite: Namespace) -> None:
    requests = {"OutOfcpu": {"cpu": "100"}, "OutOfmemory": {"memory": "1Pi"}}
    asked: dict[str, Obj] = {name: {"container": {"resources": {"requests": it}}} for name, it in requests.items()}
    messages = {
        "OutOfcpu": "Node didn't have enough resource: cpu, requested: 100000, used: ",
        "OutOfmemory": "Node didn't have enough resource: memory, requested: 1125899906842624, used: ",
        "NodeAffinity": "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    }
    asked["NodeAffinity"] = {"nodeSelector": {"x": "y"}}
    for reason, spec in asked.items():
        create(kubelite, pod(reason.lower(), nodeName=node_name(kubelite), **spec))
        found = kubelite.wait("pods", reason.lower(), lambda p: (p or {}).get("status", {}).get("phase") == "Failed")
        assert found["status"]["reason"] == reason
        assert found["status"]["message"].startswith(f"Pod was rejected: {messages[reason]}")
        assert "containerStatuses" not in found["status"]
        _wait_for_event(kubelite, reason.lower(), reason, messages[reason])


def test_the_node_itself_keeps_a_volume_for_one_pod_and_a_sub_path_inside(kubelite: Namespace) -> None:
    spec = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Mi"}}}
    claims = f"/api/v1/namespaces/{kubelite.namespace}/persistentvolumeclaims"
    kubelite.client.request("POST", claims, {"metadata": {"name": "alone"}, "spec": spec})
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "alone"}}]
    mounts = [{"name": "v", "mountPath": "/v"}]
    create(kubelite, pod("first", container={"volumeMounts": mounts}, volumes=volumes))
    kubelite.wait("pods", "first")
    assert kubelite.exec("first", "ln", "-s", "/etc", "/v/out") == ""
    create(kubelite, pod("second", container={"volumeMounts": mounts}, volumes=volumes, nodeName=node_name(kubelite)))
    told = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
    _wait_for_event(kubelite, "second", "FailedMount", told)
    kubelite.kubectl("delete", "pod", "first", "--grace-period=0", "--force")
    kubelite.wait("pods", "second")
    kubelite.kubectl("delete", "pod", "second", "--grace-period=0", "--force")
    leading_out = {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "out"}]}
    create(kubelite, pod("third", container=leading_out, volumes=volumes))
    _wait_for_event(kubelite, "third", "Failed", 'failed to prepare subPath for volumeMount "v" of container "main"')


def _wait_for_event(kubelite: Namespace, name: str, reason: str, text: str) -> None:
    path = f"/api/v1/namespaces/{kubelite.namespace}/events"
    query = {"fieldSelector": f"involvedObject.name={name},reason={reason}"}
    changes = kubelite.client.watch(path, query)
    assert any(text in change["object"].get("message", "") for change in changes)


def test_a_pod_checks_its_token_by_what_the_cluster_publishes(kubelite: Namespace) -> None:
    create(kubelite, pod("client"))
    kubelite.wait("pods", "client")
    curl = f'curl -s --cacert {ACCOUNT}/ca.crt -H "Authorization: Bearer $(cat {ACCOUNT}/token)"'
    found = kubelite.exec("client", "sh", "-c", f"{curl} {API}/.well-known/openid-configuration")
    assert f'"issuer":"{API}"' in found
    keys = found.split('"jwks_uri":"')[1].split('"')[0]
    assert '"kid"' in kubelite.exec("client", "sh", "-c", f"{curl} {keys}")
