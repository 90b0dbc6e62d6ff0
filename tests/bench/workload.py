"""kubelite's side: workloads of httpd pods in the default namespace, timed until the API says Ready."""

from __future__ import annotations

import time
from typing import Any

from kubelite.cli.client import Client
from kubelite.cli.waiting import rolled_out
from tests.bench.bare import IMAGE
from tests.bench.rows import timed

PODS = "/api/v1/namespaces/default/pods"
PLURALS = {"StatefulSet": "statefulsets", "Deployment": "deployments"}

Object = dict[str, Any]


class Workload:
    """So many objects of a kind with so many replicas each; `spec` is what they ask for beside their pods."""

    def __init__(self, api: Client, kind: str, replicas: int, count: int = 1, **spec: Any) -> None:
        self._api = api
        self._path = f"/apis/apps/v1/namespaces/default/{PLURALS[kind]}"
        self._objects = [_object(kind, f"bench-{number}", replicas, spec) for number in range(count)]

    def create(self) -> float:
        def action() -> None:
            for one in self._objects:
                self._api.request("POST", self._path, one)
            self._wait_until_rolled_out()

        return timed(action)

    def restart(self) -> float:
        """As `kubectl rollout restart` does it; seconds until all pods are new and Ready."""
        annotations = {"kubectl.kubernetes.io/restartedAt": str(time.time())}
        patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}

        def action() -> None:
            for one in self._objects:
                path = f"{self._path}/{one['metadata']['name']}"
                self._api.request("PATCH", path, patch, content_type="application/merge-patch+json")
            self._wait_until_rolled_out()

        return timed(action)

    def _wait_until_rolled_out(self) -> None:
        waiting = {one["metadata"]["name"] for one in self._objects}
        for event in self._api.watch(self._path, {}, timeout=600):
            if rolled_out(event["object"]):
                waiting.discard(event["object"]["metadata"]["name"])
            else:
                waiting.add(event["object"]["metadata"]["name"])
            if not waiting:
                return

    def replace_pod(self) -> float:
        """Delete the first pod with grace 0; seconds until its successor is Ready."""
        name = f"{self._objects[0]['metadata']['name']}-0"
        old = self._api.get(f"{PODS}/{name}")["metadata"]["uid"]

        def action() -> None:
            self._api.request("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})
            for event in self._api.watch(PODS, {"fieldSelector": f"metadata.name={name}"}):
                conditions = event["object"].get("status", {}).get("conditions", ())
                ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
                if event["object"]["metadata"]["uid"] != old and ready:
                    return

        return timed(action)

    def delete(self) -> None:
        for one in self._objects:
            path = f"{self._path}/{one['metadata']['name']}"
            self._api.request("DELETE", path, {"propagationPolicy": "Background"})
        self._api.request("DELETE", PODS, {"gracePeriodSeconds": 0})
        while self._api.items(PODS):
            time.sleep(0.05)


def _object(kind: str, name: str, replicas: int, spec: Object) -> Object:
    labels = {"app": name}
    container = {"name": "httpd", "image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            **spec,
        },
    }
