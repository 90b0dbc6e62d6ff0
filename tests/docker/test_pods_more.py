"""Pods on a whole cluster: admission by the kubelet, debug containers, volumes of pods, the metrics API."""

from __future__ import annotations

import textwrap
from typing import Any

from kubelite.testing.namespace import Namespace

Obj = dict[str, Any]
TOOLS = "kubelite/tools:latest"
NODE = "/api/v1/nodes"


def node_name(kubelite: Namespace) -> str:
    return str(kubelite.client.items(NODE)[0]["metadata"]["name"])


def manifest(text: str, **values: str) -> str:
    text = textwrap.dedent(text)
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text.replace("<sleep>", '["sh", "-c", "trap \'exit 0\' TERM; sleep 600 & wait"]').replace("<tools>", TOOLS)


def pod(name: str, **spec: Any) -> Obj:
    container = {
        "name": "main",
        "image": TOOLS,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"],
        **spec.pop("container", {}),
    }
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [container], **spec}}


def create(kubelite: Namespace, made: Obj) -> Obj:
    path = f"/api/v1/namespaces/{kubelite.namespace}/pods"
    return kubelite.client.request("POST", path, {"apiVersion": "v1", "kind": "Pod", **made}) or {}


def test_stateful_pod_is_recreated_until_its_host_port_is_free(kubelite: Namespace) -> None:
    port = {"containerPort": 80, "hostPort": 21017}
    node = node_name(kubelite)
    create(kubelite, pod("holder", nodeName=node, container={"ports": [port]}))
    kubelite.wait("pods", "holder")
    kubelite.apply(
        manifest(
            """\
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: ss}
            spec:
              serviceName: ss
              selector: {matchLabels: {app: ss}}
              template:
                metadata: {labels: {app: ss}}
                spec:
                  nodeName: <node>
                  containers:
                  - {name: main, image: <tools>, imagePullPolicy: IfNotPresent, command: <sleep>, ports: [{containerPort: 80, hostPort: 21017}]}
            """,
            node=node,
        )
    )
    failed = kubelite.wait("pods", "ss-0", lambda p: p is not None and p["status"].get("phase") == "Failed")
    assert failed["status"]["reason"] == "NodePorts"
    assert failed["status"]["message"] == (
        "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    )
    uid = failed["metadata"]["uid"]
    kubelite.wait("pods", "ss-0", lambda p: p is not None and p["metadata"]["uid"] != uid)
    kubelite.delete("pods", "holder")
    kubelite.wait("pods", "ss-0")


def test_debug_container_sees_its_target_and_is_told_of_in_the_status(kubelite: Namespace) -> None:
    create(kubelite, pod("target", container={"command": ["sh", "-c", "sleep 654321 & wait"]}))
    kubelite.wait("pods", "target")
    said = kubelite.kubectl(
        *("debug", "target", f"--image={TOOLS}", "--image-pull-policy=IfNotPresent", "--target=main"),
        *("-c", "debugger", "-i", "--", "sh", "-c", "cat /proc/*/cmdline | tr '\\0' ' '; echo bye"),
        input="",
    ).stdout
    found = kubelite.wait(
        "pods", "target", lambda p: p is not None and "terminated" in _ephemeral(p).get("state", {}), 30
    )
    log = kubelite.logs("target", "debugger")
    assert "654321" in log, (said, log)
    assert _ephemeral(found)["state"]["terminated"]["exitCode"] == 0
    assert found["status"]["containerStatuses"][0]["ready"] is True
    assert found["spec"]["ephemeralContainers"][0]["targetContainerName"] == "main"
    assert "Ephemeral Containers:" in kubelite.kubectl("describe", "pod", "target").stdout


def _ephemeral(found: Obj) -> Obj:
    return dict((found["status"].get("ephemeralContainerStatuses") or [{}])[0])
