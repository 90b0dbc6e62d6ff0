"""Quorum software on a StatefulSet: three members of etcd find each other and keep their data whatever happens to pods."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from kubelite.engine.find import Endpoint
from kubelite.testing.namespace import Namespace
from tests.docker.replicated import ReplicatedSet, build_image

HERE = Path(__file__).parent
MEMBERS = ("etcd-0", "etcd-1", "etcd-2")


@pytest.fixture(scope="module")
def _image(container_engine: Endpoint) -> None:
    build_image(container_engine, HERE / "etcd", "kubelite/test-etcd:latest")


class Etcd:
    """The cluster, asked by etcdctl from inside of a member's pod."""

    def __init__(self, kubelite: Namespace) -> None:
        self._kubelite = kubelite
        self.written: dict[str, str] = {}

    def write(self, key: str) -> None:
        """Through the Service with an address, to whichever member it leads."""
        self.written[key] = f"value of {key}"
        assert self._ask("etcd-client:2379", "put", key, self.written[key]) == "OK"

    def assert_everything_is_everywhere(self) -> None:
        """Each member answers a linearizable read, so it has a quorum, and one of what is on its own disk."""
        for member in MEMBERS:
            for consistency in ("l", "s"):
                lines = self._ask(
                    f"{member}.etcd:2379", "get", f"--consistency={consistency}", "--prefix", ""
                ).splitlines()
                assert dict(zip(lines[::2], lines[1::2], strict=True)) == self.written, member

    def members(self) -> list[str]:
        rows = [row.split(", ") for row in self._ask("etcd:2379", "member", "list").splitlines()]
        return sorted(name for _, status, name, *_ in rows if status == "started")

    def _ask(self, endpoint: str, *command: str) -> str:
        return self._kubelite.exec(MEMBERS[1], "etcdctl", f"--endpoints=http://{endpoint}", *command).strip()


def evict(kubelite: Namespace, pod: str) -> CompletedProcess[str]:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{kubelite.namespace}/pods/{pod}/eviction"
    return kubelite.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction), check=False)


@pytest.mark.usefixtures("_image")
def test_etcd_keeps_its_quorum_and_its_data(kubelite: Namespace) -> None:
    kubelite.apply(HERE / "etcd.yaml")
    replicated = ReplicatedSet(kubelite, "etcd")
    replicated.wait()
    etcd = Etcd(kubelite)
    assert etcd.members() == list(MEMBERS)
    etcd.write("at-first")
    etcd.assert_everything_is_everywhere()
    bound = replicated.volumes()

    before = replicated.pods()
    assert evict(kubelite, "etcd-0").returncode == 0
    assert "violate the pod's disruption budget" in evict(kubelite, "etcd-1").stderr
    replicated.wait_replaced(before, "etcd-0")
    etcd.write("after an eviction")
    etcd.assert_everything_is_everywhere()

    before = replicated.pods()
    kubelite.kubectl("delete", "pod", *MEMBERS)
    replicated.wait_replaced(before, *MEMBERS)
    etcd.write("after all pods were deleted at once")
    etcd.assert_everything_is_everywhere()

    replicated.restart()
    etcd.write("after a rolling update")
    etcd.assert_everything_is_everywhere()

    replicated.scale_to_none()
    replicated.scale_back()
    etcd.write("after none was left")
    etcd.assert_everything_is_everywhere()
    assert etcd.members() == list(MEMBERS)
    assert replicated.volumes() == bound
    assert replicated.restarts() == [0, 0, 0]
