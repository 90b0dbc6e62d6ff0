"""The engine goes and comes back, or somebody meddles with it by hand: pods return with their names and addresses.

On an engine of its own, without rules that would get in the way of the machine's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import pytest

from kubelite import lifecycle
from kubelite.engine import daemon, images
from kubelite.engine.daemon import Daemon
from kubelite.engine.find import connect, find
from tests.docker.running_cluster import Cluster, Obj, deleted_after, eventually, new_cluster, whose

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def scratch(bridge: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """With the machine's images of kubelite."""
    directory = tmp_path_factory.mktemp("engine")
    with TemporaryDirectory(prefix="kubelite-test-", dir="/run") as run:  # containerd's sockets need a short path
        made = Daemon(
            data_root=directory / "data",
            run=Path(run),
            log=directory / "engine.log",
            sockets=(Path(run) / "engine.sock",),
            options=(f"--bridge={bridge}", "--iptables=false", "--ip-masq=false"),
        )
        try:
            save_images(directory)
            load_images(made)
            yield made
        finally:
            daemon.stop(daemon=made)


def save_images(directory: Path) -> None:
    source = find()
    assert source is not None
    with contextlib.closing(connect(source)) as engine:
        for reference in (images.PAUSE, images.KUBELITE, images.TOOLS):
            with (directory / f"{reference.replace('/', '-')}.tar").open("wb") as file:
                file.writelines(engine.images.get(reference).save(named=reference))


def load_images(engine: Daemon) -> None:
    with contextlib.closing(connect(daemon.start(daemon=engine))) as client:
        for path in engine.log.parent.glob("*.tar"):
            with path.open("rb") as file:
                client.images.load(file)


@pytest.fixture
def cluster(scratch: Daemon, tmp_path: Path) -> Iterator[Cluster]:
    daemon.start(daemon=scratch)
    environment = {"DOCKER_HOST": f"unix://{scratch.sockets[0]}"}
    with deleted_after(new_cluster(tmp_path, environment=environment)) as cluster:
        cluster.up()
        cluster.create_set("web", 2)
        cluster.settled("web", 2)
        yield cluster


def addresses(cluster: Cluster) -> dict[str, str]:
    return {name: pod["status"]["podIP"] for name, pod in cluster.pods().items()}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_pods_come_back_with_the_engine(scratch: Daemon, cluster: Cluster, how: signal.Signals) -> None:
    control_plane, before = cluster.pid, addresses(cluster)
    pid = scratch.pid()
    assert pid is not None
    os.kill(pid, how)
    eventually(lambda: scratch.pid() is None)
    daemon.start(daemon=scratch)
    eventually(lambda: [cluster.restarts(name) for name in before] == [1, 1], told=cluster.pods)
    cluster.settled("web", 2)
    assert cluster.pid == control_plane
    assert addresses(cluster) == before
    assert cluster.execute("web-0", "cat", "/data/lives") == "web-0\nweb-0\n"
    eventually(lambda: cluster.command("status").returncode == 0)


def test_node_is_not_ready_while_the_engine_is_away(scratch: Daemon, cluster: Cluster) -> None:
    before = {name: pod["metadata"]["uid"] for name, pod in cluster.pods().items()}
    daemon.stop(daemon=scratch)
    eventually(lambda: not lifecycle.status(cluster.settings).ready)
    eventually(lambda: ready_condition(cluster)["status"] == "False", told=lambda: ready_condition(cluster))
    assert ready_condition(cluster)["reason"] == "KubeletNotReady"
    assert ready_condition(cluster)["message"] == "container runtime is down"
    eventually(lambda: taints(cluster) == {("not-ready", "NoSchedule")})
    assert "container runtime is down" in str(lifecycle.status(cluster.settings).failing)
    told = cluster.command("status")
    assert told.returncode == 1
    assert "NotReady" in told.stdout
    assert f"none answers at unix://{scratch.sockets[0]}" in told.stdout or "where none answers" in told.stdout
    assert "where none answers" in cluster.command("up").stderr
    assert "doesn't answer, so the containers of cluster" in cluster.command("delete").stderr
    daemon.start(daemon=scratch)
    eventually(lambda: ready_condition(cluster)["status"] == "True")
    eventually(lambda: taints(cluster) == set())
    cluster.settled("web", 2)
    assert {name: pod["metadata"]["uid"] for name, pod in cluster.pods().items()} == before
    eventually(lambda: cluster.command("status").returncode == 0)


def node(cluster: Cluster) -> Obj:
    return cluster.client.get(f"/api/v1/nodes/{cluster.settings.node_name}")


def ready_condition(cluster: Cluster) -> Obj:
    return next(one for one in node(cluster)["status"]["conditions"] if one["type"] == "Ready")


def taints(cluster: Cluster) -> set[tuple[str, str]]:
    found = node(cluster)["spec"].get("taints") or ()
    return {(taint["key"].removeprefix("node.kubernetes.io/"), taint["effect"]) for taint in found}


def test_cluster_stays_on_its_engine(scratch: Daemon, cluster: Cluster) -> None:
    """Whatever the environment names, and though another engine answers."""
    other = find()
    assert other is not None
    elsewhere = Cluster(cluster.settings, {"DOCKER_HOST": other.url})
    refused = elsewhere.command("up")
    assert refused.returncode == 1
    assert f"lives on the container engine at unix://{scratch.sockets[0]}" in refused.stderr
    assert other.url in refused.stderr
    unnamed = Cluster(cluster.settings, {"DOCKER_HOST": ""})
    assert "is up already" in unnamed.run("up")
    assert "is down" in unnamed.run("down")
    assert cluster.containers(everything=False) == []
    assert "is up" in elsewhere.run("up", "--move")
    cluster.hang_up()
    cluster.settled("web", 2)
    assert cluster.execute("web-0", "cat", "/data/lives") == "web-0\nweb-0\n"
    assert cluster.containers() == []
    assert [whose(row)[1:] for row in elsewhere.containers()].count(("web-1", "app")) == 1


def test_engine_whose_data_were_wiped_gets_the_pods_anew(scratch: Daemon, cluster: Cluster) -> None:
    lives = cluster.execute("web-0", "cat", "/data/lives")
    cluster.run("down")
    daemon.stop(daemon=scratch)
    shutil.rmtree(scratch.data_root)
    load_images(scratch)
    refused = cluster.command("up")
    assert f"its range {cluster.settings.pod_cidr} is taken by br-" in refused.stderr
    subprocess.run(refused.stderr.partition("engine: ")[2].splitlines()[0].split(), check=True)
    cluster.up()
    cluster.settled("web", 2)
    assert cluster.execute("web-0", "cat", "/data/lives") == f"{lives}web-0\n"


def test_containers_stopped_by_hand_come_back(cluster: Cluster) -> None:
    before = addresses(cluster)
    with contextlib.closing(cluster.engine) as engine:
        for row in cluster.containers(everything=False):
            stop(engine, row["Id"])
    eventually(lambda: all(cluster.restarts(name) >= 1 for name in before), told=cluster.pods)
    cluster.settled("web", 2)
    assert addresses(cluster) == before


def test_containers_removed_by_hand_come_back(cluster: Cluster) -> None:
    before = addresses(cluster)
    with contextlib.closing(cluster.engine) as engine:
        engine.remove_container(cluster.container("web-0", "app")["Id"], force=True)
        engine.remove_container(cluster.container("web-1", "POD")["Id"], force=True)
    eventually(lambda: [cluster.restarts(name) for name in before] == [1, 1], told=cluster.pods)
    cluster.settled("web", 2)
    assert addresses(cluster) == before


def stop(engine: docker.APIClient, container: str) -> None:
    with contextlib.suppress(docker.errors.NotFound):
        engine.stop(container, timeout=2)
