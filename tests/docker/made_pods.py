"""Pods by their parts, other objects by their content, and what was told of them: for tests in one's own namespace."""

from __future__ import annotations

import json
from typing import Any

from kubelite.objects.meta import Obj
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import APP

STAYS = "; trap 'exit 0' TERM; sleep 600 & wait"


def container(name: str, script: str = ":", **fields: Any) -> Obj:
    """It runs the script, then stays."""
    command = ["sh", "-c", script + STAYS]
    return {"name": name, "image": APP, "imagePullPolicy": "IfNotPresent", "command": command, **fields}


def create(kubelite: Namespace, name: str, *containers: Obj, annotations: Obj | None = None, **spec: Any) -> None:
    whole = {"terminationGracePeriodSeconds": 1, "containers": list(containers), **spec}
    metadata = {"name": name, "labels": {"app": name[:63]}, "annotations": annotations or {}}
    kubelite.apply(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole}))


def made(kubelite: Namespace, plural: str, kind: str, name: str, **content: Any) -> None:
    path = f"/api/v1/namespaces/{kubelite.namespace}/{plural}"
    kubelite.client.request("POST", path, {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content})


def statuses(pod: Obj) -> dict[str, Obj]:
    return {entry["name"]: entry for entry in pod["status"].get("containerStatuses") or ()}


def told(kubelite: Namespace, name: str) -> set[str]:
    """`<reason> <message>` of the pod's events."""
    path = f"/api/v1/namespaces/{kubelite.namespace}/events"
    found = kubelite.client.items(path, {"fieldSelector": f"involvedObject.name={name}"})
    return {f"{event['reason']} {event['message']}" for event in found}
