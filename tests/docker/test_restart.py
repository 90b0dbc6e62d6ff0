"""The control plane goes and comes back while pods run: they are adopted, and what happened meanwhile is caught up."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from kubelite.engine.images import KUBELITE
from tests.docker.running_cluster import Cluster, Obj, container, eventually, running_cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as cluster:
        yield cluster


def seen(cluster: Cluster) -> dict[str, Obj]:
    """What a restart of the control plane leaves as it was."""
    return {name: summary(pod) for name, pod in cluster.pods().items()}


def summary(pod: Obj) -> Obj:
    status, keys = pod["status"], ("containerID", "restartCount", "ready", "started", "lastState")
    containers = [{key: entry[key] for key in keys} for entry in status["containerStatuses"]]
    return {
        "uid": pod["metadata"]["uid"],
        "podIP": status["podIP"],
        "phase": status["phase"],
        "conditions": status["conditions"],
        "containers": containers,
    }


@pytest.mark.parametrize("way", ["down", "SIGTERM", "SIGKILL"])
def test_running_pods_are_adopted_untouched(cluster: Cluster, way: str) -> None:
    cluster.create_set("web", 2)
    cluster.settled("web", 2)
    containers, pods = cluster.running(), seen(cluster)
    if way == "down":
        cluster.run("down", "--keep-pods")
    else:
        cluster.signal(signal.Signals[way])
    assert cluster.running() == containers
    cluster.up()
    assert cluster.running() == containers
    assert seen(cluster) == pods
    assert cluster.execute("web-0", "hostname") == "web-0\n"
    assert cluster.client.text("/api/v1/namespaces/default/pods/web-1/log") == "up\n"


def test_probes_go_on(cluster: Cluster) -> None:
    cluster.create_set("web", 1)
    cluster.settled("web", 1)
    cluster.kill()
    cluster.up()
    cluster.execute("web-0", "sh", "-c", "mv /data/lives /data/gone")
    eventually(lambda: not cluster.is_ready("web-0"))
    cluster.execute("web-0", "mv", "/data/gone", "/data/lives")
    cluster.ready("web-0")


def test_what_died_meanwhile_comes_back_once(cluster: Cluster) -> None:
    cluster.create_set("web", 3)
    cluster.settled("web", 3)
    before = seen(cluster)
    doomed = [cluster.container("web-0", "app"), cluster.container("web-1", "app"), cluster.container("web-2", "POD")]
    cluster.kill()
    with contextlib.closing(cluster.engine) as engine:
        engine.kill(doomed[0]["Id"])
        engine.remove_container(doomed[1]["Id"], force=True)
        engine.kill(doomed[2]["Id"])
    cluster.up()
    eventually(lambda: [cluster.restarts(f"web-{ordinal}") for ordinal in range(3)] == [1, 1, 1], told=cluster.pods)
    cluster.settled("web", 3)
    after = seen(cluster)
    for name, pod in before.items():
        assert (after[name]["uid"], after[name]["podIP"]) == (pod["uid"], pod["podIP"])
    assert "SandboxChanged" in cluster.reasons("web-2")


def test_delete_of_the_last_moment_is_finished(cluster: Cluster) -> None:
    cluster.create_pod("last")
    cluster.create_pod("forced")
    cluster.ready("last", "forced")
    cluster.delete_pod("last")
    cluster.delete_pod("forced", 0)
    cluster.kill()
    cluster.up()
    eventually(lambda: not cluster.pods())
    eventually(lambda: not cluster.running(), told=cluster.running)


def test_unfinished_beginnings_are_finished_or_cleared(cluster: Cluster) -> None:
    """As if the kill had come between two of the engine's calls."""
    for name in ("only-sandbox", "nothing-started", "not-started"):
        cluster.create_pod(name)
    cluster.ready("only-sandbox", "nothing-started", "not-started")
    cluster.kill()
    with contextlib.closing(cluster.engine) as engine:
        engine.remove_container(cluster.container("only-sandbox", "app")["Id"], force=True)
        for pod, name in (("nothing-started", "app"), ("nothing-started", "POD"), ("not-started", "app")):
            recreate(engine, cluster.container(pod, name)["Id"])
    cluster.up()
    names = ("only-sandbox", "nothing-started", "not-started")
    eventually(lambda: all(cluster.restarts(name) == 1 for name in names), told=cluster.pods)
    cluster.ready(*names)
    rows = [row for row in cluster.containers() if row["State"] != "running"]
    eventually(lambda: not [row for row in cluster.containers() if row["State"] == "created"], told=lambda: rows)
    assert len(cluster.running()) == 6


def recreate(engine: docker.APIClient, container_id: str) -> None:
    """Put a container that was never started in the place of one that runs."""
    found = engine.inspect_container(container_id)
    engine.remove_container(container_id, force=True)
    config = found["Config"]
    engine.create_container(
        config["Image"], command=config["Cmd"], name=found["Name"].lstrip("/"), labels=config["Labels"]
    )


def test_down_and_up_bring_back_the_same_pods(cluster: Cluster) -> None:
    cluster.create_set("web", 2)
    cluster.settled("web", 2)
    before = seen(cluster)
    cluster.run("down")
    assert cluster.containers(everything=False) == []
    cluster.up()
    eventually(lambda: [cluster.restarts(f"web-{ordinal}") for ordinal in range(2)] == [1, 1], told=cluster.pods)
    cluster.settled("web", 2)
    after = seen(cluster)
    for name, pod in before.items():
        assert (after[name]["uid"], after[name]["podIP"]) == (pod["uid"], pod["podIP"])
        assert "SandboxChanged" in cluster.reasons(name)
        assert cluster.execute(name, "cat", "/data/lives") == f"{name}\n{name}\n"
    assert before["web-0"]["podIP"] in cluster.execute("web-1", "nslookup", "web-0.web")


@pytest.mark.root
def test_port_forward_reaches_a_server_that_listens_on_localhost_alone(cluster: Cluster) -> None:
    script = "from http.server import *; HTTPServer(('127.0.0.1', 8080), SimpleHTTPRequestHandler).serve_forever()"
    server = container(command=["python3", "-c", script], image=KUBELITE)
    probe = {"exec": {"command": ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]}}
    cluster.create_pod("local", containers=[{**server, "readinessProbe": probe | {"timeoutSeconds": 20}}])
    cluster.ready("local")
    command = ["kubectl", "--kubeconfig", str(cluster.settings.kubeconfig), "port-forward", "pod/local", ":8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        assert forward.stdout is not None
        try:
            port = int(forward.stdout.readline().split(":")[1].split()[0])
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                assert connection.recv(12) == b"HTTP/1.0 200"
        finally:
            forward.terminate()
