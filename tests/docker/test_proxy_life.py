"""The rules' life: there while the cluster is up, gone with it, kept while the proxy is away, leftovers swept."""

from __future__ import annotations

import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from kubelite.engine.images import KUBELITE
from kubelite.testing.cluster import Cluster as SessionCluster
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import Cluster, deleted_after, eventually, new_cluster
from tests.docker.serving import fetch, names, service, web

LEFT = "table ip kubelite-left { set gateway { type ipv4_addr; elements = { 192.0.2.123 }; }; }; table ip mine { }"


REPLICAS = 10


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with deleted_after(new_cluster(tmp_path)) as cluster:
        yield cluster


def on_host(*command: str) -> str:
    """In the network of the engine's machine."""
    with closing(docker.from_env()) as client:
        output: bytes = client.containers.run(
            KUBELITE, list(command), network_mode="host", cap_add=["NET_ADMIN"], remove=True
        )
    return output.decode()


def tables() -> list[str]:
    return [line.split()[-1] for line in on_host("nft", "list", "tables", "ip").splitlines()]


def passages() -> list[str]:
    """The comments of the rules in Docker's chain for rules of others."""
    chain = on_host("nft", "list", "chain", "ip", "filter", "DOCKER-USER")
    return re.findall(r'comment "([^"]+)"', chain)


def left(cluster: Cluster) -> set[str]:
    return {cluster.settings.network} & {*tables(), *passages()}


def test_rules_come_with_up_and_go_with_down_and_delete(cluster: Cluster) -> None:
    cluster.up()
    assert cluster.settings.network in tables()
    assert cluster.settings.network in passages()
    cluster.hang_up()
    cluster.run("down")
    assert not left(cluster)
    cluster.up()
    assert cluster.settings.network in tables()
    assert cluster.settings.network in passages()
    cluster.run("delete")
    assert not left(cluster)


def test_delete_removes_the_rules_of_a_cluster_that_was_killed(cluster: Cluster) -> None:
    cluster.up()
    cluster.kill()
    with closing(cluster.engine) as engine:
        for row in cluster.containers():
            engine.remove_container(row["Id"], force=True)
    assert cluster.settings.network in tables()
    cluster.run("delete")
    assert not left(cluster)


def test_next_up_sweeps_what_clusters_left_that_are_gone(cluster: Cluster) -> None:
    on_host("nft", LEFT)
    try:
        cluster.up()
        eventually(lambda: "kubelite-left" not in tables())
        assert {"mine", cluster.settings.network} <= set(tables())
    finally:
        on_host("sh", "-c", "nft delete table ip mine; nft delete table ip kubelite-left; true")


@pytest.fixture(scope="module")
def view(kubelite_cluster: SessionCluster) -> Iterator[Namespace]:
    with kubelite_cluster.fresh_namespace("rules") as view:
        yield view


def test_rules_hold_while_the_proxy_is_away_and_it_comes_back(view: Namespace) -> None:
    view.apply(web("steady", 2))
    view.apply(service("steady"))
    view.wait("deployments", "steady")
    address = view.get("services", "steady")["spec"]["clusterIP"]
    eventually(lambda: fetch(address, 80))
    pod = view.client.items("/api/v1/namespaces/kube-system/pods", {"labelSelector": "k8s-app=kube-proxy"})[0]
    with closing(docker.from_env()) as client:
        (container,) = client.containers.list(
            filters={
                "label": [f"io.kubernetes.pod.uid={pod['metadata']['uid']}", "io.kubernetes.container.name=kube-proxy"]
            }
        )
        container.kill(signal.SIGKILL)
    assert all(fetch(address, 80) for _ in range(20))
    view.apply(service("later", selector={"app": "steady"}))
    later = view.get("services", "later")["spec"]["clusterIP"]
    assert eventually(lambda: fetch(later, 80)) in names(view, "steady")


def test_rolling_restart_under_load_loses_no_request(view: Namespace) -> None:
    hook = {"preStop": {"sleep": {"seconds": 1}}}
    view.apply(web("rolling", REPLICAS, lifecycle=hook))
    view.apply(service("rolling"))
    view.wait("deployments", "rolling")
    address = view.get("services", "rolling")["spec"]["clusterIP"]
    eventually(lambda: fetch(address, 80))
    before, answers, over = names(view, "rolling"), Counter[str](), threading.Event()

    def load() -> None:
        while not over.is_set():
            answers[fetch(address, 80)] += 1

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        view.kubectl("rollout", "restart", "deployment/rolling")
        view.kubectl("rollout", "status", "deployment/rolling", "--timeout=90s")
        for pod in before:
            view.wait("pods", pod, "deleted")
    finally:
        over.set()
        for client in clients:
            client.join()
    assert answers[""] == 0, answers
    assert len(answers.keys() - before) == REPLICAS


def test_killed_pod_loses_no_connection_once_its_endpoint_is_gone(view: Namespace) -> None:
    view.apply(web("victim", 2))
    view.apply(service("victim"))
    view.wait("deployments", "victim")
    address = view.get("services", "victim")["spec"]["clusterIP"]
    eventually(lambda: fetch(address, 80))
    victim = sorted(names(view, "victim"))[0]
    ip = view.get("pods", victim)["status"]["podIP"]
    view.client.request("DELETE", f"/api/v1/namespaces/{view.namespace}/pods/{victim}", {"gracePeriodSeconds": 0})
    table = f"nft list chain ip {view.settings.network} service/{view.namespace}/victim/tcp/80"
    eventually(lambda: ip not in on_host(*table.split()))
    assert all(fetch(address, 80) not in ("", victim) for _ in range(300))
