"""metrics.k8s.io: what `kubectl top` reads."""

from __future__ import annotations

from datetime import timedelta

from kubelite.objects import meta
from tests.unit.api.caller import CORE, Caller

SEVEN = timedelta(seconds=7)
GROUP = "/apis/metrics.k8s.io/v1beta1"


async def _pod(call: Caller, name: str) -> None:
    spec = {"containers": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}], "nodeName": "node"}
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
    assert (await call.post(f"{CORE}/pods", made)).status == 201


async def test_pods_show_each_container(call: Caller) -> None:
    await _pod(call, "web")
    await _pod(call, "db")
    (found,) = (await call.get(f"{GROUP}/namespaces/default/pods?labelSelector=app%3Dweb")).json["items"]
    assert (found["kind"], found["metadata"]["name"], found["metadata"]["namespace"]) == (
        "PodMetrics",
        "web",
        "default",
    )
    usage = {"cpu": "250000000n", "memory": "3072Ki"}
    assert found["window"] == "15.02s"
    assert meta.parse_time(found["timestamp"]) == meta.parse_time(found["metadata"]["creationTimestamp"]) - SEVEN
    assert found["containers"] == [{"name": "a", "usage": usage}, {"name": "b", "usage": usage}]
    assert len((await call.get(f"{GROUP}/pods")).json["items"]) == 2
    assert (await call.get(f"{GROUP}/namespaces/default/pods/web")).json["containers"] == found["containers"]
    assert (await call.get(f"{GROUP}/namespaces/default/pods/other")).status == 404


async def test_node_uses_what_its_pods_use(call: Caller) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}}
    await call.post("/api/v1/nodes", node)
    await _pod(call, "web")
    answer = (await call.get(f"{GROUP}/nodes")).json
    assert answer["kind"] == "NodeMetricsList"
    assert answer["items"][0]["usage"] == {"cpu": "500000000n", "memory": "6144Ki"}


async def test_what_is_not_measured_is_named_as_the_metrics_server_does(call: Caller) -> None:
    missing = await call.get(f"{GROUP}/namespaces/default/pods/none")
    assert (missing.status, missing.message) == (404, 'podmetrics.metrics.k8s.io "default/none" not found')
    assert (await call.get(f"{GROUP}/nodes/none")).message == 'nodemetrics.metrics.k8s.io "none" not found'


async def test_tables_add_up_containers(call: Caller) -> None:
    await _pod(call, "web")
    answer = await call.get(f"{GROUP}/pods", Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert [column["name"] for column in answer.json["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert answer.json["rows"][0]["cells"] == ["web", "500000000n", "6144Ki", "15.02s"]


async def test_discovery_lists_what_kubectl_looks_for(call: Caller) -> None:
    listed = (await call.get(GROUP)).json["resources"]
    assert [(one["name"], one["kind"], one["namespaced"]) for one in listed] == [
        ("nodes", "NodeMetrics", False),
        ("pods", "PodMetrics", True),
    ]
    assert (await call.get(f"{GROUP}/others")).status == 404
    assert (await call.post(f"{GROUP}/nodes", {})).status == 405
