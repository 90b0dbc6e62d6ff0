"""Which pods the kubelet turns away, in upstream's words, and what their status says."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.node.admission import Rejection, admit, rejected_status
from kubelite.objects.meta import Obj
from tests.unit.node.pods import NOW, container, pod


def node(**allocatable: str) -> Obj:
    offered = {"cpu": "2", "memory": "1Gi", "pods": "3", **allocatable}
    labels = {"kubernetes.io/hostname": "node", "kubernetes.io/os": "linux"}
    return {"metadata": {"name": "node", "labels": labels}, "spec": {}, "status": {"allocatable": offered}}


def asking(name: str = "web", **requests: str) -> Obj:
    return container(name, resources={"requests": requests})


def publishing(port: int, **more: Any) -> Obj:
    return container(ports=[{"containerPort": 80, "hostPort": port, **more}])


def test_pod_that_fits_is_taken() -> None:
    assert admit(pod(asking(cpu="500m")), node(), [pod(asking(cpu="1500m"))]) is None


@pytest.mark.parametrize(
    ("asked", "others", "rejection"),
    [
        (
            pod(publishing(8080)),
            [pod(publishing(8080, hostIP="127.0.0.1"))],
            Rejection(
                "NodePorts",
                "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
            ),
        ),
        (
            pod(publishing(8080)),
            [pod(initContainers=[publishing(8080) | {"restartPolicy": "Always"}])],
            Rejection(
                "NodePorts",
                "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
            ),
        ),
        (
            pod(asking(cpu="1")),
            [pod(asking(cpu="1500m"))],
            Rejection("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"),
        ),
        (
            pod(asking(memory="2Gi")),
            [],
            Rejection(
                "OutOfmemory",
                "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
            ),
        ),
        (
            pod(),
            [pod(), pod(), pod()],
            Rejection("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"),
        ),
        (
            pod(securityContext={"sysctls": [{"name": "kernel/shm_rmid_forced"}, {"name": "kernel.msgmax"}]}),
            [],
            Rejection("SysctlForbidden", 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
        ),
        (
            pod(nodeSelector={"disk": "ssd"}),
            [],
            Rejection(
                "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
            ),
        ),
    ],
)
def test_first_problem_is_told(asked: Obj, others: list[Obj], rejection: Rejection) -> None:
    assert admit(asked, node(), others) == rejection


def test_only_no_execute_taints_count() -> None:
    tainted = node()
    tainted["spec"]["taints"] = [{"key": "a", "effect": "NoSchedule"}]
    assert admit(pod(), tainted, []) is None
    tainted["spec"]["taints"] = [{"key": "a", "effect": "NoExecute"}]
    found = admit(pod(), tainted, [])
    assert found is not None
    assert found.reason == "TaintToleration"
    assert admit(pod(tolerations=[{"operator": "Exists"}]), tainted, []) is None


def test_extended_resource_that_the_node_does_not_know_is_ignored() -> None:
    assert admit(pod(asking(**{"example.com/gpu": "1"})), node(), []) is None


def test_rejected_status_says_only_why() -> None:
    assert rejected_status(pod(), Rejection("NodePorts", "why"), NOW) == {
        "qosClass": "BestEffort",
        "startTime": "2026-01-02T03:04:05Z",
        "phase": "Failed",
        "reason": "NodePorts",
        "message": "Pod was rejected: why",
    }
