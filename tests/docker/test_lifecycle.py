"""up, down and delete, in every order in which people type them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kubelite import lifecycle
from kubelite.config import LABEL_CLUSTER
from kubelite.engine.images import PAUSE
from tests.docker.running_cluster import PATIENCE, Cluster, container, deleted_after, eventually, new_cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Not up yet."""
    with deleted_after(new_cluster(tmp_path / "a home")) as cluster:
        yield cluster


def networks(cluster: Cluster) -> list[str]:
    with contextlib.closing(cluster.engine) as engine:
        found = engine.networks(filters={"label": f"{LABEL_CLUSTER}={cluster.settings.name}"})
    return [network["Name"] for network in found]


def assert_nothing_is_left(cluster: Cluster) -> None:
    assert cluster.containers() == []
    assert networks(cluster) == []
    assert list(cluster.settings.home.iterdir()) == []


def test_every_command_may_be_repeated(cluster: Cluster) -> None:
    assert cluster.command("status").returncode == 1
    assert "was down already" in cluster.run("down")
    assert "there is no cluster" in cluster.run("delete")
    cluster.up()
    pid = cluster.pid
    assert "is up already" in cluster.run("up")
    assert cluster.pid == pid
    assert cluster.command("status").returncode == 0
    assert "is down" in cluster.run("down")
    assert cluster.containers(everything=False) == []
    assert "was down already" in cluster.run("down")
    assert cluster.command("status").returncode == 1
    assert "is deleted" in cluster.run("delete")
    assert "there is no cluster" in cluster.run("delete")
    assert_nothing_is_left(cluster)


def test_two_ups_at_once_bring_up_one_cluster(cluster: Cluster) -> None:
    with ThreadPoolExecutor() as threads:
        ups = [threads.submit(cluster.command, "up", *cluster.options, timeout=60) for _ in range(2)]
        told = [up.result() for up in ups]
    assert [one.returncode for one in told] == [0, 0], told
    assert sorted("already" in one.stdout for one in told) == [False, True]


def test_up_whose_command_was_killed_leaves_no_lock_behind(cluster: Cluster) -> None:
    cluster.up()
    cluster.run("down")
    with cluster.begun("up") as command:
        eventually(lambda: lifecycle.running_pid(cluster.settings))
        command.kill()
    cluster.up()
    cluster.run("delete")


def test_up_waits_for_a_down_that_is_at_work(cluster: Cluster) -> None:
    cluster.up()
    script = "trap 'sleep 2; exit' TERM; sleep 3600 & wait"
    cluster.create_pod("slow", containers=[container(script)])
    cluster.ready("slow")
    cluster.hang_up()
    before = cluster.pid
    with cluster.begun("down") as down:
        eventually(lambda: any("shutting down" in line for line in lifecycle.status(cluster.settings).failing))
        cluster.up()
        assert down.wait(PATIENCE) == 0
    assert cluster.pid != before
    cluster.ready("slow")
    assert lifecycle.status(cluster.settings).ready


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell has what it starts in the background ignore SIGINT, tests and the commands they start included."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_up_that_is_interrupted_or_loses_its_control_plane_says_so(cluster: Cluster) -> None:
    with cluster.begun("up", *cluster.options) as interrupted:
        eventually(lambda: lifecycle.running_pid(cluster.settings))
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(PATIENCE) == 130
        assert interrupted.communicate()[1].endswith("interrupted\n")
    assert lifecycle.running_pid(cluster.settings) is None
    with cluster.begun("up") as orphaned:
        os.kill(eventually(lambda: lifecycle.running_pid(cluster.settings)), signal.SIGKILL)
        assert orphaned.wait(PATIENCE) == 1
        assert "did not start: it ended before it was ready" in orphaned.communicate()[1]
    cluster.up()


def test_up_of_a_running_cluster_waits_until_it_is_ready(cluster: Cluster) -> None:
    cluster.up()
    pid = cluster.pid
    scale_dns(cluster, 0)
    eventually(lambda: not lifecycle.status(cluster.settings).ready)
    with cluster.begun("up") as command:
        assert command.stderr is not None
        assert "waiting: dns" in command.stderr.readline()
        scale_dns(cluster, 1)
        assert command.wait(PATIENCE) == 0
        assert "is up (" in command.communicate()[0]
    assert cluster.pid == pid
    assert lifecycle.status(cluster.settings).ready


def scale_dns(cluster: Cluster, replicas: int) -> None:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/kube-dns"
    patch = {"spec": {"replicas": replicas}}
    cluster.client.request("PATCH", path, patch, content_type="application/merge-patch+json")


def test_delete_of_a_running_cluster_leaves_nothing(cluster: Cluster) -> None:
    cluster.up()
    cluster.create_set("web", 1)
    cluster.settled("web", 1)
    cluster.hang_up()
    cluster.run("delete")
    assert_nothing_is_left(cluster)


def test_delete_without_the_directory_removes_what_the_engine_has(cluster: Cluster) -> None:
    cluster.up()
    cluster.kill()
    shutil.rmtree(cluster.settings.directory)
    assert "is deleted" in cluster.run("delete")
    assert_nothing_is_left(cluster)


def test_delete_without_containers_and_network_removes_the_directory(cluster: Cluster) -> None:
    cluster.up()
    cluster.kill()
    clear_engine(cluster)
    assert "is deleted" in cluster.run("delete")
    assert_nothing_is_left(cluster)


def test_up_makes_anew_what_somebody_cleared_from_the_engine(cluster: Cluster) -> None:
    cluster.up()
    cluster.create_set("web", 2)
    cluster.settled("web", 2)
    cluster.kill()
    clear_engine(cluster)
    cluster.up()
    cluster.settled("web", 2)
    assert cluster.restarts("web-0") == 1


def test_kept_volumes_stay_and_a_new_cluster_of_the_name_leaves_them_alone(cluster: Cluster) -> None:
    cluster.up()
    cluster.create_set("web", 1)
    cluster.settled("web", 1)
    cluster.hang_up()
    assert str(cluster.settings.volumes) in cluster.run("delete", "--keep-volumes")
    (kept,) = cluster.settings.volumes.iterdir()
    assert list(cluster.settings.directory.iterdir()) == [cluster.settings.volumes]
    assert cluster.containers() == []
    cluster.up()
    cluster.create_set("web", 1)
    cluster.settled("web", 1)
    assert (kept / "lives").read_text() == "web-0\n"
    assert len(list(cluster.settings.volumes.iterdir())) == 2


def test_strangers_of_the_same_names_are_left_alone(cluster: Cluster) -> None:
    name = f"{cluster.settings.name}_default_mine_app_0"
    with contextlib.closing(cluster.engine) as engine:
        stranger = engine.create_container(PAUSE, name=name)["Id"]
        network = engine.create_network(cluster.settings.network)["Id"]
        try:
            failed = cluster.command("up", *cluster.options)
            assert failed.returncode == 1
            assert f"network {cluster.settings.network}" in failed.stderr
            assert "Traceback" not in failed.stderr
            engine.remove_network(network)
            cluster.up()
            cluster.create_pod("mine")
            cluster.ready("mine")
            cluster.hang_up()
            cluster.run("delete")
            assert engine.inspect_container(stranger)["Name"] == f"/{name}"
        finally:
            engine.remove_container(stranger, force=True)
            with contextlib.suppress(Exception):
                engine.remove_network(network)


def test_two_clusters_live_side_by_side_and_end_apart(cluster: Cluster) -> None:
    with deleted_after(new_cluster(cluster.settings.home)) as other:
        for one in (cluster, other):
            one.up()
            one.create_set("web", 1)
        for one in (cluster, other):
            one.settled("web", 1)
        mine, its = cluster.settings, other.settings
        assert not mine.pod_cidr.overlaps(its.pod_cidr)
        assert not mine.service_cidr.overlaps(its.service_cidr)
        assert mine.api_port != its.api_port
        before = other.running()
        cluster.hang_up()
        cluster.run("delete")
        assert other.running() == before
        assert other.command("status").returncode == 0
        assert other.execute("web-0", "cat", "/data/lives") == "web-0\n"
        assert networks(other) == [its.network]


def test_down_ends_containers_while_their_network_is_there(cluster: Cluster) -> None:
    """What an application says when it is told to end still reaches others."""
    cluster.up()
    farewell = "trap 'sleep 1; ip=$(hostname -i); grep -q eth0 /proc/net/dev && echo $ip > /data/farewell; exit' TERM"
    hook = {"preStop": {"exec": {"command": ["touch", "/data/stopping"]}}}
    script = f"{farewell}; sleep 3600 & wait"
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    cluster.client.request("POST", claims, {"metadata": {"name": "data"}, "spec": claim})
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    mount = {"name": "data", "mountPath": "/data"}
    cluster.create_pod("last", containers=[container(script, volumeMounts=[mount], lifecycle=hook)], volumes=[volume])
    cluster.ready("last")
    address = cluster.status("last")["podIP"]
    cluster.hang_up()
    cluster.run("down")
    (directory,) = cluster.settings.volumes.iterdir()
    assert (directory / "farewell").read_text().strip() == address
    assert (directory / "stopping").exists()


def test_network_that_somebody_removed_is_made_anew(cluster: Cluster) -> None:
    cluster.up()
    cluster.create_set("web", 1)
    cluster.settled("web", 1)
    address = cluster.status("web-0")["podIP"]
    with contextlib.closing(cluster.engine) as engine:
        for attached in engine.inspect_network(cluster.settings.network)["Containers"]:
            engine.disconnect_container_from_network(attached, cluster.settings.network, force=True)
        engine.remove_network(cluster.settings.network)
    eventually(lambda: networks(cluster) == [cluster.settings.network])
    eventually(lambda: cluster.restarts("web-0") == 1, told=cluster.pods)
    cluster.settled("web", 1)
    assert cluster.status("web-0")["podIP"] == address
    eventually(lambda: lifecycle.status(cluster.settings).ready)
    cluster.hang_up()
    cluster.run("down")
    with contextlib.closing(cluster.engine) as engine:
        engine.remove_network(cluster.settings.network)
    cluster.up()
    cluster.settled("web", 1)


def clear_engine(cluster: Cluster) -> None:
    """As `docker rm` and `docker network rm` by hand."""
    with contextlib.closing(cluster.engine) as engine:
        for row in cluster.containers():
            engine.remove_container(row["Id"], force=True)
        engine.remove_network(cluster.settings.network)
