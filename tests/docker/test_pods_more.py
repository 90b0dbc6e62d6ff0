"""Pods on a whole cluster: admission by the kubelet, debug containers, volumes of pods, the metrics API."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
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
    kubelite.kubectl(
        *("debug", "target", "--copy-to=copy", "--share-processes", f"--image={TOOLS}"),
        *("--image-pull-policy=IfNotPresent", "-c", "beside", "--", "sleep", "600"),
    )
    copy = kubelite.wait("pods", "copy")
    assert [entry["name"] for entry in copy["spec"]["containers"]] == ["main", "beside"]
    assert copy["spec"]["shareProcessNamespace"] is True
    assert "labels" not in copy["metadata"]
    beside = kubelite.kubectl("exec", "copy", "-c", "beside", "--", "sh", "-c", "cat /proc/*/cmdline | tr '\\0' ' '")
    assert "654321" in beside.stdout


def test_debug_pod_of_the_node_sees_the_hosts_files(kubelite: Namespace) -> None:
    said = kubelite.kubectl(
        *("debug", f"node/{node_name(kubelite)}", f"--image={TOOLS}", "--image-pull-policy=IfNotPresent"),
        *("--", "test", "-d", "/host/etc"),
    ).stdout
    name = said.split()[said.split().index("pod") + 1]
    kubelite.wait("pods", name, lambda p: p is not None and p["status"].get("phase") == "Succeeded")


def _ephemeral(found: Obj) -> Obj:
    return dict((found["status"].get("ephemeralContainerStatuses") or [{}])[0])


CLAIM = """\
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: data}
    spec:
      accessModes: [<mode>]
      storageClassName: managed-nfs-storage
      resources: {requests: {storage: 10Mi}}
    """


def using(claim: str) -> Obj:
    return {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        "container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
    }


def test_ephemeral_volume_lives_as_long_as_its_pod(kubelite: Namespace) -> None:
    asked = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "managed-nfs-storage",
        "resources": {"requests": {"storage": "1Mi"}},
    }
    create(
        kubelite,
        pod(
            "scratcher",
            volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": asked}}}],
            container={"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
            terminationGracePeriodSeconds=1,
        ),
    )
    kubelite.wait("pods", "scratcher")
    kubelite.exec("scratcher", "sh", "-c", "echo hello > /scratch/file")
    (directory,) = kubelite.volumes.glob(f"{kubelite.namespace}-scratcher-scratch-*")
    assert (directory / "file").read_text() == "hello\n"
    kubelite.delete("pods", "scratcher")
    kubelite.wait("persistentvolumeclaims", "scratcher-scratch", "deleted")


def test_claim_in_use_grows_and_stays_until_its_pod_goes(kubelite: Namespace) -> None:
    kubelite.apply(manifest(CLAIM, mode="ReadWriteOncePod"))
    create(kubelite, pod("user", terminationGracePeriodSeconds=1, **using("data")))
    kubelite.wait("pods", "user")
    kubelite.kubectl("patch", "pvc", "data", "-p", '{"spec": {"resources": {"requests": {"storage": "20Mi"}}}}')
    kubelite.wait("persistentvolumeclaims", "data", lambda c: (c or {})["status"]["capacity"]["storage"] == "20Mi")
    create(kubelite, pod("second", terminationGracePeriodSeconds=1, **using("data")))
    waiting = kubelite.wait("pods", "second", lambda p: bool(p and p["status"].get("conditions")))
    assert "ReadWriteOncePod access mode" in waiting["status"]["conditions"][0]["message"]
    kubelite.kubectl("delete", "pod", "second")
    kubelite.kubectl("delete", "pvc", "data", "--wait=false")
    assert "Terminating" in kubelite.kubectl("get", "pvc", "data").stdout
    assert kubelite.exec("user", "ls", "/data") == ""
    kubelite.delete("pods", "user")
    kubelite.wait("persistentvolumeclaims", "data", "deleted")


def test_static_volumes_are_had_by_name_by_selector_and_on_their_node(kubelite: Namespace, tmp_path: Path) -> None:
    suffix = kubelite.namespace
    for name in ("host", "local"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    kubelite.apply(
        manifest(
            """\
            apiVersion: v1
            kind: PersistentVolume
            metadata: {name: host-<suffix>, labels: {of: <suffix>}}
            spec:
              capacity: {storage: 1Gi}
              accessModes: [ReadWriteOnce]
              persistentVolumeReclaimPolicy: Retain
              storageClassName: ""
              hostPath: {path: <path>/host}
            ---
            apiVersion: v1
            kind: PersistentVolume
            metadata: {name: local-<suffix>}
            spec:
              capacity: {storage: 1Gi}
              accessModes: [ReadWriteOnce]
              persistentVolumeReclaimPolicy: Retain
              storageClassName: ""
              local: {path: <path>/local}
              nodeAffinity:
                required:
                  nodeSelectorTerms:
                  - matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [<node>]}]
            ---
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: by-label}
            spec:
              accessModes: [ReadWriteOnce]
              storageClassName: ""
              selector: {matchLabels: {of: <suffix>}}
              resources: {requests: {storage: 10Mi}}
            ---
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: by-name}
            spec:
              accessModes: [ReadWriteOnce]
              storageClassName: ""
              volumeName: local-<suffix>
              resources: {requests: {storage: 10Mi}}
            """,
            suffix=suffix,
            path=str(tmp_path),
            node=node_name(kubelite),
        )
    )
    for claim, content in (("by-label", "host"), ("by-name", "local")):
        create(kubelite, pod(claim, **using(claim)))
        kubelite.wait("pods", claim)
        assert kubelite.exec(claim, "cat", "/data/file") == content
    kubelite.kubectl("delete", "pv", f"host-{suffix}", "--wait=false")
    assert "Terminating" in kubelite.kubectl("get", "pv", f"host-{suffix}").stdout
    kubelite.kubectl("delete", "pod", "by-label", "by-name", "--now")
    kubelite.kubectl("delete", "pvc", "by-label", "by-name")
    kubelite.wait("persistentvolumes", f"host-{suffix}", "deleted")
    left = kubelite.wait("persistentvolumes", f"local-{suffix}", lambda v: (v or {})["status"]["phase"] == "Released")
    assert left["spec"]["claimRef"]["name"] == "by-name"
    kubelite.kubectl(
        "patch", "pv", f"local-{suffix}", "--type=json", "-p", '[{"op": "remove", "path": "/spec/claimRef"}]'
    )
    kubelite.wait("persistentvolumes", f"local-{suffix}", lambda v: (v or {})["status"]["phase"] == "Available")
    kubelite.kubectl("delete", "pv", f"local-{suffix}")


def test_top_shows_what_containers_use(kubelite: Namespace) -> None:
    create(kubelite, pod("busy", container={"command": ["sh", "-c", "while :; do :; done"]}))
    kubelite.wait("pods", "busy")
    header, row = kubelite.kubectl("top", "pods", "--containers", "-l", "app=busy").stdout.splitlines()
    assert header.split() == ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]
    name, container, cpu, memory = row.split()
    assert (name, container) == ("busy", "main")
    assert int(cpu.removesuffix("m")) > 50
    assert memory.endswith("Mi")
    assert node_name(kubelite) in kubelite.kubectl("top", "nodes").stdout


def test_pod_past_its_deadline_fails(kubelite: Namespace) -> None:
    create(kubelite, pod("late", activeDeadlineSeconds=2, terminationGracePeriodSeconds=1))
    found = kubelite.wait("pods", "late", lambda p: p is not None and p["status"].get("phase") == "Failed")
    assert found["status"]["reason"] == "DeadlineExceeded"
    assert found["status"]["message"] == "Pod was active on the node longer than the specified deadline"
    assert "terminated" in _first(found)["state"]


def _first(found: Obj) -> Obj:
    return dict((found["status"].get("containerStatuses") or [{}])[0])


def test_pods_own_disk_and_memory_are_limited(kubelite: Namespace) -> None:
    full = "dd if=/dev/zero of=/scratch/file bs=1M count=3; df -k /scratch | tail -n 1; trap 'exit 0' TERM; sleep 600 & wait"
    for name, source in (("disk", {"sizeLimit": "1Mi"}), ("memory", {"sizeLimit": "2Mi", "medium": "Memory"})):
        mounted = {"volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}], "command": ["sh", "-c", full]}
        create(kubelite, pod(name, container=mounted, volumes=[{"name": "scratch", "emptyDir": source}]))
    failed = kubelite.wait("pods", "disk", lambda p: p is not None and p["status"].get("phase") == "Failed", 60)
    assert failed["status"]["reason"] == "Evicted"
    assert failed["status"]["message"] == 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
    if os.geteuid() == 0:  # others may not mount, there nothing but an eviction keeps the limit
        kubelite.wait("pods", "memory")
        assert "tmpfs 2048 2048 0 100%" in " ".join(kubelite.logs("memory").split())


def test_runtime_class_names_one_of_the_engines_runtimes(kubelite: Namespace) -> None:
    classes = "/apis/node.k8s.io/v1/runtimeclasses"
    names = {handler: f"{kubelite.namespace}-{handler}" for handler in ("runc", "nobody-has-it")}
    for handler, name in names.items():
        kubelite.client.request("POST", classes, {"metadata": {"name": name}, "handler": handler})
    try:
        create(kubelite, pod("waits", runtimeClassName=names["nobody-has-it"], activeDeadlineSeconds=5))
        create(kubelite, pod("runs", runtimeClassName=names["runc"]))
        kubelite.wait("pods", "runs")
        path = f"/api/v1/namespaces/{kubelite.namespace}/events"
        kubelite.wait(
            "pods",
            "waits",
            lambda _: any(event["reason"] == "FailedCreatePodSandBox" for event in kubelite.client.items(path)),
        )
    finally:
        for name in names.values():
            kubelite.client.request("DELETE", f"{classes}/{name}")
