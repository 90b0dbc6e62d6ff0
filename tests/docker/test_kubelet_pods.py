"""Pods on the real engine: what their containers find, files, environment, volumes, rights."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kubelite.objects import meta
from tests.docker.kubelet_node import SLEEP, Node, running_node

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    async with running_node(tmp_path_factory.mktemp("home")) as node:
        yield node


async def test_pod_turns_ready_with_everything_clients_read_in_its_status(node: Node) -> None:
    node.create("plain")
    await node.ready("plain")
    status = node.status("plain")
    assert status["phase"] == "Running"
    assert [entry["type"] for entry in status["conditions"]] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["hostIP"] == str(node.settings.gateway)
    web = node.container("plain")
    assert web["containerID"].startswith("docker://")
    assert (web["ready"], web["started"]) == (True, True)
    assert "running" in web["state"]
    assert [e.split(" ", 2)[1] for e in node.events("plain")] == ["Pulled", "Created", "Started"]
    names = {name for row in node.containers() for name in row["Names"]}
    assert {f"/{node.settings.name}_default_plain_{part}_0" for part in ("POD", "web")} <= names


async def test_pod_sees_its_own_names_and_the_cluster_resolver(node: Node) -> None:
    node.create(
        "files", SLEEP, hostname="db", subdomain="headless", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["x"]}]
    )
    await node.ready("files")
    assert (await node.run("files", "hostname")).strip() == "db"
    resolv = await node.run("files", "cat", "/etc/resolv.conf")
    assert f"nameserver {node.settings.dns_pod_address}\n" in resolv
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in resolv
    hosts = await node.run("files", "cat", "/etc/hosts")
    assert f"{node.status('files')['podIP']}\tdb.headless.default.svc.cluster.local\tdb\n" in hosts
    assert f"{node.settings.gateway}\thost.docker.internal" in hosts
    assert "1.2.3.4\tx\n" in hosts


async def test_environment_has_fields_keys_and_references(node: Node) -> None:
    node.configmap("settings", {"color": "blue"})
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}},
        {"name": "BOTH", "value": "$(POD)-$(COLOR)-$$(X)-$(UNKNOWN)"},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    node.create("env", {**SLEEP, "env": env, "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}}})
    await node.ready("env")
    lines = (await node.run("env", "env")).splitlines()
    assert {"POD=env", "COLOR=blue", "BOTH=env-blue-$(X)-$(UNKNOWN)", "LIMIT=64"} <= set(lines)
    assert f"IP={node.status('env')['podIP']}" in lines


async def test_missing_configmap_key_waits_and_starts_when_it_appears(node: Node) -> None:
    ref = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "x"}}}
    node.create("waits", {**SLEEP, "env": [ref]})
    await node.until(lambda: "waiting" in node.container("waits").get("state", {}) and node.events("waits"))
    await node.until(
        lambda: (
            node.container("waits")["state"]["waiting"]
            == {"reason": "CreateContainerConfigError", "message": 'configmap "late" not found'}
        )
    )
    node.configmap("late", {"x": "1"})
    await node.ready("waits")
    assert 'Warning Failed Error: configmap "late" not found' in node.events("waits")


async def test_missing_volume_source_keeps_container_creating_until_it_appears(node: Node) -> None:
    volume = {"name": "v", "configMap": {"name": "files-cm"}}
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    node.create("mounts", {**SLEEP, **mount}, volumes=[volume])
    message = 'MountVolume.SetUp failed for volume "v" : configmap "files-cm" not found'
    await node.until(lambda: f"Warning FailedMount {message}" in node.events("mounts"))
    assert node.container("mounts")["state"]["waiting"]["reason"] == "ContainerCreating"
    node.configmap("files-cm", {"a": "1"})
    await node.ready("mounts")
    assert await node.run("mounts", "cat", "/v/a") == "1"

    changed = meta.copy(node.registry.get("configmaps", "default", "files-cm"))
    changed["data"] = {"a": "2", "b": "3"}
    node.registry.update("configmaps", changed)
    for _ in range(100):
        if await node.run("mounts", "sh", "-c", "cat /v/a /v/b") == "23":
            break
        await asyncio.sleep(0.02)
    assert await node.run("mounts", "sh", "-c", "cat /v/a /v/b") == "23"


async def test_volumes_of_every_local_kind(node: Node, tmp_path: Path) -> None:
    (tmp_path / "claim").mkdir()
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "f").write_text("from host")
    _bound_claim(node, "data", tmp_path / "claim")
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "host", "hostPath": {"path": str(tmp_path / "host"), "type": "Directory"}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "info", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    mounts = [
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "memory", "mountPath": "/memory"},
        {"name": "host", "mountPath": "/host", "readOnly": True},
        {"name": "claim", "mountPath": "/claim"},
        {"name": "claim", "mountPath": "/sub", "subPathExpr": "of-$(POD)"},
        {"name": "info", "mountPath": "/info"},
    ]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    metadata = {"labels": {"app": "v"}}
    node.create("volumes", {**SLEEP, "volumeMounts": mounts, "env": env}, volumes=volumes, metadata=metadata)
    await node.ready("volumes")
    assert await node.run("volumes", "cat", "/host/f") == "from host"
    assert await node.run("volumes", "cat", "/info/l") == 'app="v"'
    assert "tmpfs" in await node.run("volumes", "sh", "-c", "grep ' /memory ' /proc/mounts")
    assert "Read-only" in await node.run("volumes", "sh", "-c", "touch /host/x 2>&1")
    await node.run("volumes", "sh", "-c", "touch /claim/t1 /sub/t2 /scratch/t3")
    assert (tmp_path / "claim" / "t1").exists()
    assert (tmp_path / "claim" / "of-volumes" / "t2").exists()
    pod = node.pod("volumes")
    assert pod is not None
    directory = node.settings.pods / meta.uid(pod)
    node.delete("volumes", 0)
    await _until(lambda: not directory.exists())
    assert (tmp_path / "claim" / "t1").exists()


def _bound_claim(node: Node, name: str, path: Path) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "x"}
    node.registry.create(
        "persistentvolumes",
        {
            "metadata": {"name": f"pv-{name}"},
            "spec": {**spec, "capacity": {"storage": "1Mi"}, "nfs": {"server": "127.0.0.1", "path": str(path)}},
        },
    )
    claim = node.registry.create(
        "persistentvolumeclaims",
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {**spec, "volumeName": f"pv-{name}", "resources": {"requests": {"storage": "1Mi"}}},
        },
    )
    node.registry.update("persistentvolumeclaims", {**claim, "status": {"phase": "Bound"}}, "status")


async def _until(holds: object, seconds: float = 20) -> None:
    """For what no object tells."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_security_context_reaches_the_process(node: Node) -> None:
    context = {"runAsUser": 1234, "runAsGroup": 2345, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    node.create("secure", {**SLEEP, "securityContext": context}, securityContext={"fsGroup": 3456})
    await node.ready("secure")
    assert "uid=1234 gid=2345 groups=2345,3456" in await node.run("secure", "id")
    status = await node.run("secure", "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status


async def test_root_image_is_refused_when_it_must_not_be_root(node: Node) -> None:
    node.create("nonroot", {**SLEEP, "securityContext": {"runAsNonRoot": True}})
    await node.until(
        lambda: (
            node.container("nonroot").get("state", {}).get("waiting", {}).get("reason") == "CreateContainerConfigError"
        )
    )
    message = node.container("nonroot")["state"]["waiting"]["message"]
    assert message.startswith("container has runAsNonRoot and image will run as root")


async def test_containers_of_a_pod_share_network_and_may_share_processes(node: Node) -> None:
    containers = [{"name": "web", "image": "httpd:2.4"}, {"name": "peer", **SLEEP}]
    pod = node.registry.create(
        "pods",
        {
            "metadata": {"name": "shared", "namespace": "default"},
            "spec": {"containers": containers, "shareProcessNamespace": True},
        },
    )
    node.registry.bind(pod, node.settings.node_name)
    await node.ready("shared")
    assert "pause" in await node.run("shared", "cat", "/proc/1/comm", container="peer")
    same = [await node.run("shared", "readlink", "/proc/self/ns/net", container=name) for name in ("web", "peer")]
    assert same[0] == same[1]


async def test_host_network_pod_has_the_hosts_address(node: Node) -> None:
    node.create("onhost", SLEEP, hostNetwork=True)
    await node.ready("onhost")
    assert node.status("onhost")["podIP"] == node.status("onhost")["hostIP"]
