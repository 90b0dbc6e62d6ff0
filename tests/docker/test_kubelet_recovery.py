"""What survives: a restarted kubelet adopts what runs; what dies behind its back comes back as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubelite.config import LABEL_CLUSTER
from kubelite.engine.images import PAUSE
from kubelite.objects import meta
from tests.docker.kubelet_node import Node, running_node

SLEEP = {
    "image": "kubelite/tools:latest",
    "imagePullPolicy": "IfNotPresent",
    "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"],
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running_node(tmp_path) as node:
        yield node


def engine_id(node: Node, pod: str, container: str = "web") -> str:
    found = node.pod(pod)
    assert found is not None
    return node.kubelet.container_id(found, container)


async def engine(call: object, *args: object, **kwargs: object) -> None:
    assert callable(call)
    await asyncio.to_thread(call, *args, **kwargs)


async def test_restarted_kubelet_adopts_running_pods_untouched(node: Node) -> None:
    probe = {"readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}
    node.create("keep", {**SLEEP, **probe})
    await node.ready("keep")
    container, status = engine_id(node, "keep"), node.status("keep")
    await node.restart()
    assert node.status("keep") == status
    assert engine_id(node, "keep") == container
    node.create("next", SLEEP)
    await node.ready("next")
    assert node.status("next")["podIP"] != status["podIP"]
    assert node.status("keep") == status


async def test_pod_that_ended_while_no_kubelet_ran_is_seen_afterwards(node: Node) -> None:
    node.create("ends", SLEEP, restartPolicy="Never")
    node.create("restarts", SLEEP)
    await node.ready("ends", "restarts")
    ids = [engine_id(node, name) for name in ("ends", "restarts")]
    await node.stop()
    for container in ids:
        await engine(node.engine.kill, container, "TERM")
    await node.restart()
    await node.until(lambda: node.status("ends").get("phase") == "Succeeded")
    await node.until(lambda: node.container("restarts")["restartCount"] == 1)
    await node.ready("restarts")


async def test_pod_deleted_while_no_kubelet_ran_leaves_nothing(node: Node) -> None:
    node.create("deleted", SLEEP)
    node.create("forced", SLEEP)
    await node.ready("deleted", "forced")
    await node.stop()
    node.delete("deleted")
    node.delete("forced", 0)
    await node.restart()
    await node.gone("deleted")
    # The object goes first, then the containers, and only then the directory that they had mounted.
    await node.until(lambda: not list(node.settings.pods.iterdir()))
    assert await asyncio.to_thread(node.containers) == []


async def test_dead_sandbox_is_replaced_with_the_same_address(node: Node) -> None:
    node.create("moved", SLEEP)
    await node.ready("moved")
    address = node.status("moved")["podIP"]
    sandbox = next(row["Id"] for row in node.containers() if "_POD_" in row["Names"][0])
    await engine(node.engine.kill, sandbox, "KILL")
    await node.until(lambda: node.container("moved")["restartCount"] == 1)
    await node.ready("moved")
    assert node.status("moved")["podIP"] == address
    message = "Pod sandbox changed, it will be killed and re-created."
    assert f"Normal SandboxChanged {message}" in node.events("moved")


async def test_removed_container_comes_back_with_its_restart_counted(node: Node) -> None:
    node.create("removed", SLEEP)
    await node.ready("removed")
    await engine(node.engine.remove_container, engine_id(node, "removed"), force=True)
    await node.until(lambda: node.container("removed")["restartCount"] == 1)
    await node.ready("removed")


async def test_leftover_with_the_name_makes_way(node: Node) -> None:
    name = f"{node.settings.name}_default_taken_POD_0"
    labels = {LABEL_CLUSTER: node.settings.name}
    await engine(node.engine.create_container, PAUSE, name=name, labels=labels)
    node.create("taken", SLEEP)
    await node.ready("taken")


async def test_address_that_a_stranger_took_is_avoided(node: Node) -> None:
    address = str(node.settings.pod_cidr[16])
    config = {node.settings.network: node.engine.create_endpoint_config(ipv4_address=address)}
    stranger = await asyncio.to_thread(
        node.engine.create_container,
        PAUSE,
        labels={LABEL_CLUSTER: node.settings.name},
        networking_config=node.engine.create_networking_config(config),
        host_config=node.engine.create_host_config(network_mode=node.settings.network),
    )
    await engine(node.engine.start, stranger["Id"])
    node.create("elsewhere", SLEEP)
    await node.ready("elsewhere")
    assert node.status("elsewhere")["podIP"] != address
    assert node.status("elsewhere")["podIP"] in await node.run("elsewhere", "cat", "/etc/hosts")


async def test_pinned_address_is_given(node: Node) -> None:
    wanted = str(node.settings.dns_pod_address)
    node.create("dns", SLEEP, metadata={"annotations": {"kubelite.io/ip": wanted}})
    await node.ready("dns")
    assert node.status("dns")["podIP"] == wanted


async def test_back_off_outlives_the_kubelet(node: Node) -> None:
    node.create("crash", {**SLEEP, "command": ["false"]})

    def reason() -> object:
        return node.container("crash").get("state", {}).get("waiting", {}).get("reason")

    await node.until(lambda: reason() == "CrashLoopBackOff")
    count = node.container("crash")["restartCount"]
    await node.restart()
    assert reason() == "CrashLoopBackOff"
    assert node.container("crash")["restartCount"] == count


async def test_image_change_restarts_the_container(node: Node) -> None:
    node.create("updated", {"image": "httpd:2.4"}, terminationGracePeriodSeconds=1)
    await node.ready("updated")
    pod = meta.copy(node.pod("updated") or {})
    pod["spec"]["containers"][0]["image"] = "httpd:latest"
    node.registry.update("pods", pod)
    await node.until(lambda: node.container("updated")["restartCount"] == 1)
    await node.ready("updated")
    assert node.container("updated")["image"] == "httpd:latest"
    assert "Normal Killing Container web definition changed, will be restarted" in node.events("updated")


async def test_many_pods_come_and_go_together(node: Node) -> None:
    names = [f"many-{index}" for index in range(12)]
    for name in names:
        node.create(name, SLEEP)
    await node.ready(*names)
    addresses = {node.status(name)["podIP"] for name in names}
    assert len(addresses) == len(names)
    for name in names:
        node.delete(name)
    for name in names:
        await node.gone(name)
