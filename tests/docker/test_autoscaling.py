"""A ReplicationController and the autoscaler above it, on the engine."""

from __future__ import annotations

import json

from kubelite.objects.meta import Obj
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import APP, eventually

BUSY = {
    "name": "main",
    "image": APP,
    "imagePullPolicy": "IfNotPresent",
    "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do :; done"],
    "resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "50m"}},
}
POD = {"terminationGracePeriodSeconds": 1, "containers": [BUSY]}
CONTROLLER = {
    "apiVersion": "v1",
    "kind": "ReplicationController",
    "metadata": {"name": "busy"},
    "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "busy"}}, "spec": POD}},
}


def test_busy_pods_of_a_replication_controller_get_company(kubelite: Namespace) -> None:
    kubelite.apply(json.dumps(CONTROLLER))
    kubelite.wait("replicationcontrollers", "busy", "ready")
    kubelite.kubectl("autoscale", "rc", "busy", "--max=2", "--cpu-percent=50")

    def grown() -> Obj | None:
        found = kubelite.get("replicationcontrollers", "busy")
        return found if found["status"].get("readyReplicas") == 2 else None

    eventually(grown, told=lambda: kubelite.kubectl("describe", "hpa", "busy").stdout)
    header, row = kubelite.kubectl("get", "hpa").stdout.splitlines()
    assert header.split() == ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]
    assert row.split()[:3] == ["busy", "ReplicationController/busy", "cpu:"]
    described = kubelite.kubectl("describe", "hpa", "busy").stdout
    assert "New size: 2; reason: cpu resource utilization (percentage of request) above target" in described
    kubelite.kubectl("delete", "hpa/busy", "rc/busy")
    eventually(lambda: not kubelite.list("pods", "app=busy"))
