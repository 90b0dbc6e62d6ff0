"""The kubelet and its engine: order of calls, engine and network lost and found, adoption, addresses."""

from __future__ import annotations

import pytest

from kubelite.node import node_health
from kubelite.node.node_status import register_node
from kubelite.node.runtime import SANDBOX
from kubelite.objects import meta
from tests.unit.conftest import Clock
from tests.unit.node.fake_node import Node
from tests.unit.node.pods import container

PULLED = ("Pulled", 'Container image "httpd:2.4" already present on machine')


async def test_pod_starts_with_four_calls_and_three_events(node: Node) -> None:
    node.create()
    await node.ready()
    assert sorted(node.runtime.calls[:3]) == ["create POD", "create web", "start POD"]
    assert node.runtime.calls[0] == "create POD"
    assert node.runtime.calls[3:] == ["start web"]
    assert node.recorded.events == [
        PULLED,
        ("Created", "Created container: web"),
        ("Started", "Started container web"),
    ]


async def test_engine_that_was_away_is_found_again(node: Node) -> None:
    node.create()
    await node.ready()
    address = node.status()["podIP"]
    node.runtime.gone = True
    for name in ("web", SANDBOX):
        node.runtime.end(node.runtime.named(name)[0], 137)
    node.create("web-1")
    node.runtime.gone = False
    node.runtime.resync()
    await node.until(lambda: node.status()["containerStatuses"][0]["restartCount"] == 1)
    await node.ready()
    await node.ready("web-1")
    assert node.status()["podIP"] == address
    assert "SandboxChanged" in node.recorded.reasons
    assert node.status("web-1")["podIP"] != address


async def test_node_is_not_ready_as_soon_as_the_engine_is_lost(
    node: Node, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_health, "SETTLE", 0.0)
    name = node.registry.settings.node_name
    register_node(node.registry, node.registry.settings, await node.runtime.info(), "v1.32.0", clock())

    def is_ready() -> bool:
        return meta.condition_is_true(node.registry.get("nodes", None, name)["status"]["conditions"], "Ready")

    node.runtime.lose()
    await node.until(lambda: not is_ready())
    node.runtime.gone = False
    node.runtime.resync()
    await node.until(is_ready)


async def test_pods_get_new_sandboxes_when_their_network_was_removed(node: Node, clock: Clock) -> None:
    register_node(node.registry, node.registry.settings, await node.runtime.info(), "v1.32.0", clock())
    node.create()
    await node.ready()
    address = node.status()["podIP"]
    node.runtime.network_missing = True
    node.runtime.resync()
    await node.until(lambda: node.status()["containerStatuses"][0]["restartCount"] == 1)
    await node.ready()
    assert node.status()["podIP"] == address
    assert "SandboxChanged" in node.recorded.reasons


async def test_restarted_kubelet_adopts_and_removes_what_is_nobodys(node: Node) -> None:
    node.create()
    node.create("web-1")
    await node.ready()
    await node.ready("web-1")
    calls = len(node.runtime.calls)
    await node.stop()
    node.delete("web-1", 0)
    await node.restart()
    await node.until(lambda: len(node.runtime.found) == 2)
    assert set(node.runtime.calls[calls:]) == {"remove POD", "remove web"}
    assert {c.pod_name for c in node.runtime.found.values()} == {"web-0"}
    directories = {path.name for path in node.registry.settings.pods.iterdir()}
    assert directories == {meta.uid(node.pod() or {})}


async def test_restarted_kubelet_counts_a_probes_delay_from_the_containers_start(node: Node) -> None:
    probe = {"exec": {"command": ["check"]}, "initialDelaySeconds": 3600}
    node.create("web-0", container(readinessProbe=probe))
    await node.until(lambda: node.status().get("phase") == "Running")
    node.advance(3600)
    await node.restart()
    await node.ready()


async def test_pod_whose_containers_were_removed_comes_back_with_its_address(node: Node) -> None:
    node.create("web-0")
    node.create("web-1")
    await node.ready("web-0")
    await node.ready("web-1")
    addresses = [node.status(name)["podIP"] for name in ("web-0", "web-1")]
    await node.stop()
    node.runtime.found.clear()
    await node.restart()
    await node.until(lambda: len(node.runtime.found) == 4)
    await node.ready("web-0")
    await node.ready("web-1")
    assert [node.status(name)["podIP"] for name in ("web-0", "web-1")] == addresses
    assert node.status()["containerStatuses"][0]["restartCount"] == 1


async def test_address_in_use_is_waited_for(node: Node) -> None:
    pinned = {"metadata": {"annotations": {"kubelite.io/ip": "172.30.0.2"}}}
    node.create("dns-a", **pinned)
    await node.ready("dns-a")
    node.create("dns-b", **pinned)
    await node.until(lambda: "FailedCreatePodSandBox" in node.recorded.reasons)
    node.delete("dns-a")
    await node.gone("dns-a")
    await node.until(lambda: {c.pod_name for c in node.runtime.found.values()} <= {"dns-b"})
    node.advance(10)
    await node.ready("dns-b")
    assert node.status("dns-b")["podIP"] == "172.30.0.2"
