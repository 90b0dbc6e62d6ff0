"""What goes wrong beneath a pod's worker (a full disk, a bug) costs time and no second container."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kubelite.errors import internal_error
from kubelite.node import kubelet, pod_worker
from kubelite.node.runtime import SANDBOX
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded
from tests.unit.node.fake_node import Node


@pytest.fixture
async def node(
    registry: Registry, recorded: Recorded, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Node]:
    monkeypatch.setattr(kubelet, "WORKER_RETRY", 0.01)
    monkeypatch.setattr(pod_worker, "WRITE_RETRY", 0.01)
    node = Node(registry, recorded, clock)
    await node.start()
    yield node
    await node.stop()


async def test_failed_worker_is_replaced_by_one_that_adopts_what_runs(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.create()
    await node.ready()
    failures = iter([True])

    def publish(self: pod_worker.PodWorker, *, terminated: bool = False) -> None:
        if next(failures, False):
            raise RuntimeError("a bug")
        original(self, terminated=terminated)

    original = pod_worker.PodWorker.publish
    monkeypatch.setattr(pod_worker.PodWorker, "publish", publish)
    worker = next(iter(node.kubelet._workers.values()))
    node.advance(1)
    await node.until(lambda: worker not in node.kubelet._workers.values())
    assert (len(node.runtime.found), len(node.kubelet._workers)) == (2, 1)
    node.runtime.end(node.runtime.named("web")[0], 1)
    await node.until(lambda: node.status()["containerStatuses"][0]["restartCount"] == 1)
    await node.ready()
    assert len([c for c in node.runtime.named("web") if c.state == "running"]) == 1


async def test_status_that_could_not_be_written_is_written_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.create()
    await node.ready()
    with monkeypatch.context() as full_disk:
        full_disk.setattr(node.registry.store, "_insert", _full)
        node.runtime.end(node.runtime.named("web")[0], 1)
        await node.until(lambda: len([c for c in node.runtime.named("web") if c.state == "running"]) == 1)
    await node.until(lambda: node.status()["containerStatuses"][0]["restartCount"] == 1)
    assert len(node.runtime.named("web")) == 2


async def test_pod_that_could_not_be_removed_goes_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.create()
    await node.ready()
    node.delete()
    with monkeypatch.context() as full_disk:
        full_disk.setattr(node.registry.store, "_insert", _full)
        await node.until(lambda: all(c.state == "exited" for c in node.runtime.named("web")))
        assert node.pod() is not None
    await node.gone()
    await node.until(lambda: not node.runtime.found)


async def test_container_that_failed_in_a_dying_sandbox_starts_at_once_in_the_next(node: Node) -> None:
    node.create()
    await node.ready()
    node.runtime.start_errors["web"] = "cannot join network of a non running container"
    node.runtime.end(node.runtime.named("web")[0], 0)
    await node.until(lambda: node.waiting() == "RunContainerError")
    del node.runtime.start_errors["web"]
    node.runtime.end(node.runtime.named(SANDBOX)[0], 0)
    await node.ready()


def _full(*row: object) -> None:
    raise internal_error("the state can't be written: database or disk is full")
