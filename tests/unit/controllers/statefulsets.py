"""StatefulSets in tests: the object, and what tests do to it and ask of it."""

from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import Cluster, workload

CLAIM = {"metadata": {"name": "www", "labels": {"kind": "data"}}, "spec": {"accessModes": ["ReadWriteMany"]}}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}


def statefulset(**spec: Any) -> Obj:
    return workload(**({"serviceName": "svc", "updateStrategy": ROLLING, "podManagementPolicy": "OrderedReady"} | spec))


def start(cluster: Cluster, **spec: Any) -> None:
    cluster.create("statefulsets", statefulset(**spec))
    cluster.rest()


def change(cluster: Cluster, **spec: Any) -> None:
    cluster.patch("statefulsets", "default", "web", {"spec": spec})
    cluster.settle()


def status(cluster: Cluster) -> Obj:
    reported: Obj = cluster.get("statefulsets", "default", "web")["status"]
    return reported


def images(cluster: Cluster) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in cluster.pods()]


def step(cluster: Cluster) -> list[str]:
    """What the kubelet does once, and what follows; the pods after it, a `-` before terminating ones."""
    cluster.run_pods()
    cluster.settle()
    return [("-" if meta.is_terminating(pod) else "") + meta.name(pod) for pod in cluster.pods()]
