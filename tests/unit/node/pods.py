"""Pods, containers and views as the tests of the kubelet's pure parts write them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from kubelite.node import labels
from kubelite.node.runtime import SANDBOX, Container
from kubelite.node.view import Health, View
from kubelite.objects.meta import Obj

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UID = "u-1"
READY = Health(started=True, ready=True)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def pod(*containers: Obj, status: Obj | None = None, **spec: Any) -> Obj:
    """A pod `web-0` with one container `web` unless others are given."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "default", "uid": UID, **spec.pop("metadata", {})},
        "spec": {"containers": list(containers) or [container()], "nodeName": "node", **spec},
        "status": status or {"phase": "Pending", "qosClass": "BestEffort"},
    }


def container(name: str = "web", **fields: Any) -> Obj:
    return {"name": name, "image": "httpd:2.4", **fields}


def sandbox(**fields: Any) -> Container:
    made = Container(id="sandbox", name=SANDBOX, pod_uid=UID, pod_name="web-0", namespace="default", state="running")
    return replace(made, address="172.30.0.16", created_at=ago(100), **fields)


def running(name: str = "web", attempt: int = 0, **fields: Any) -> Container:
    made = Container(
        id=f"{name}-{attempt}",
        name=name,
        pod_uid=UID,
        pod_name="web-0",
        namespace="default",
        state="running",
        attempt=attempt,
        image="httpd:2.4",
        hash=labels.container_hash(container(name)),
        sandbox_id="sandbox",
        started_at=ago(60),
        created_at=ago(61),
    )
    return replace(made, **fields)


def exited(name: str = "web", code: int = 0, attempt: int = 0, **fields: Any) -> Container:
    defaults: dict[str, Any] = {"state": "exited", "exit_code": code, "finished_at": ago(1)}
    return running(name, attempt, **{**defaults, **fields})


def view(of: Obj, *containers: Container, **fields: Any) -> View:
    """With a running sandbox unless one is given; `health` defaults to all well."""
    by_name: dict[str, tuple[Container, ...]] = {}
    for found in sorted((c for c in containers if not c.is_sandbox), key=lambda c: -c.attempt):
        by_name[found.name] = (*by_name.get(found.name, ()), found)
    boxes = tuple(c for c in containers if c.is_sandbox) or (sandbox(),)
    defaults: dict[str, Any] = {
        "sandboxes": boxes,
        "containers": by_name,
        "health": {c.id: READY for c in containers if c.state == "running"},
        "volumes_ready": True,
        "address": "172.30.0.16",
        "host_address": "172.30.0.1",
    }
    return View(pod=of, **{**defaults, **fields})
