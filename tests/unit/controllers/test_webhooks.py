"""Controllers' writes are asked about like a client's, and wait for the answer without doing anything twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from kubelite.controllers.replicaset.controller import ReplicaSetController
from kubelite.controllers.runtime import Manager
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Recorded
from tests.unit.webhooks import MUTATING, VALIDATING, Hooks, configuration, denied, patch, rule, webhook


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


@pytest.fixture
async def running(registry: Registry, recorded: Recorded, hooks: Hooks) -> AsyncIterator[None]:
    controller = ReplicaSetController(registry, recorded)
    task = asyncio.create_task(Manager(registry, [controller], hooks).run())
    yield
    task.cancel()
    await asyncio.wait([task])


def replica_set(replicas: int) -> Obj:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "httpd:2.4"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}


async def until(registry: Registry, count: int) -> list[Obj]:
    async with asyncio.timeout(10):
        async for _ in registry.watch(["pods"]):
            if len(pods := registry.list("pods", "default")) == count:
                return pods
    raise AssertionError("the watch ended")


async def test_every_pod_is_asked_about_once(
    registry: Registry, hooks: Hooks, running: None, recorded: Recorded
) -> None:
    registry.create(MUTATING, configuration(webhook("m.m.m", rule("pods", operations=("CREATE",)))))
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("pods", operations=("CREATE",)))))
    sidecar = {"name": "sidecar", "image": "httpd:2.4"}
    hooks.says["m.m.m"] = lambda request: patch({"op": "add", "path": "/spec/containers/-", "value": sidecar})
    registry.create("replicasets", replica_set(3))
    pods = await until(registry, 3)
    assert [len(pod["spec"]["containers"]) for pod in pods] == [2, 2, 2]
    assert sorted(hooks.names) == ["m.m.m"] * 3 + ["v.v.v"] * 3
    shown = {request["object"]["metadata"]["name"] for name, request in hooks.asked if name == "v.v.v"}
    assert shown == {meta.name(pod) for pod in pods}
    assert recorded.reasons == ["SuccessfulCreate"] * 3
    assert hooks.asked[0][1]["userInfo"]["username"] == "system:serviceaccount:kube-system:replicaset-controller"


async def test_a_refusal_is_an_event(registry: Registry, hooks: Hooks, running: None, recorded: Recorded) -> None:
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("pods"))))
    hooks.says["v.v.v"] = lambda request: denied("no")
    changes = registry.watch(["replicasets"])
    registry.create("replicasets", replica_set(1))
    async with asyncio.timeout(10):
        while not recorded.events:
            await anext(changes)
    reason, message = recorded.events[0]
    assert (reason, 'admission webhook "v.v.v" denied the request: no' in message) == ("FailedCreate", True)
    assert registry.list("pods", "default") == []
