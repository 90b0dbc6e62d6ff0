"""How pods end: deleted, finished, with their node."""

from __future__ import annotations

import asyncio

import pytest

from kubelite.node.runtime import SANDBOX, Image
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.node.fake_node import Node
from tests.unit.node.pods import container


async def test_graceful_delete_terminates_then_lets_the_object_go(node: Node) -> None:
    node.create()
    await node.ready()
    node.delete()
    await node.gone()
    await node.until(lambda: not node.runtime.found)
    assert "SIGTERM web" in node.runtime.calls
    assert "SIGKILL web" not in node.runtime.calls
    assert ("Killing", "Stopping container web") in node.recorded.events


async def test_deaf_container_is_killed_when_the_grace_is_over(node: Node) -> None:
    node.runtime.deaf = {"web"}
    node.create()
    await node.ready()
    node.delete(grace=5)
    await node.until(lambda: "SIGTERM web" in node.runtime.calls)
    assert node.pod() is not None
    node.advance(6)
    await node.gone()
    assert "SIGKILL web" in node.runtime.calls


async def test_forced_delete_kills_at_once_without_asking(node: Node) -> None:
    node.runtime.deaf = {"web"}
    node.create()
    await node.ready()
    node.delete(grace=0)
    assert node.pod() is None
    await node.until(lambda: not node.runtime.found)
    assert "SIGTERM web" not in node.runtime.calls


async def test_forced_delete_cuts_a_graceful_one_short(node: Node) -> None:
    node.runtime.deaf = {"web"}
    node.create()
    await node.ready()
    node.delete(grace=60)
    await node.until(lambda: "SIGTERM web" in node.runtime.calls)
    node.delete(grace=0)
    await node.until(lambda: not node.runtime.found)


async def test_pod_that_is_going_is_asked_whether_it_is_ready_and_no_more_whether_it_is_alive(node: Node) -> None:
    def probe(command: str) -> Obj:
        return {"exec": {"command": [command]}, "periodSeconds": 1, "failureThreshold": 1}

    node.runtime.deaf = {"web"}
    node.create("web-0", container(readinessProbe=probe("ready"), livenessProbe=probe("alive")))
    await node.ready()
    await node.until(lambda: "exec alive" in node.runtime.calls)
    node.delete(grace=60)
    await node.until(lambda: "SIGTERM web" in node.runtime.calls)
    asked = node.runtime.calls.count("exec alive")
    node.runtime.exec_codes |= {"ready": 1, "alive": 1}
    await node.until(lambda: not meta.condition_is_true(node.status()["conditions"], "Ready"))
    assert node.runtime.calls.count("exec alive") == asked
    node.delete(grace=0)


async def test_what_still_runs_of_a_pod_that_is_going_turns_unready_though_others_have_ended(node: Node) -> None:
    node.runtime.deaf = {"side"}
    probe = {"exec": {"command": ["ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    side = container("side", readinessProbe=probe, restartPolicy="Always")
    node.create("web-0", initContainers=[side])
    await node.ready()
    node.delete(grace=60)
    await node.until(lambda: "SIGTERM side" in node.runtime.calls)
    await asyncio.sleep(0.01)
    assert meta.condition_is_true(node.status()["conditions"], "Ready")
    node.runtime.exec_codes["ready"] = 1
    await node.until(lambda: not meta.condition_is_true(node.status()["conditions"], "Ready"))
    assert node.status()["phase"] == "Running"
    (web,) = node.status()["containerStatuses"]
    assert (list(web["state"]), web["ready"]) == (["running"], True)
    node.delete(grace=0)


async def test_deletion_cuts_short_the_grace_that_a_failed_probe_left(node: Node) -> None:
    node.runtime.deaf = {"web"}
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 1}
    node.create("web-0", container(livenessProbe={**probe, "terminationGracePeriodSeconds": 600}))
    await node.ready()
    node.runtime.exec_codes["check"] = 1
    await node.until(lambda: "SIGTERM web" in node.runtime.calls)
    node.delete(grace=5)
    node.advance(6)
    await node.gone()
    assert "SIGKILL web" in node.runtime.calls


async def test_pod_is_not_started_while_its_predecessor_runs(node: Node) -> None:
    node.runtime.deaf = {"web"}
    node.create()
    await node.ready()
    (old,) = node.runtime.named("web")
    node.delete(grace=0)
    node.create()
    await node.ready()
    calls = node.runtime.calls
    assert calls.index("SIGKILL web") < len(calls) - 1 - calls[::-1].index("start web")
    assert [c.state for c in node.runtime.named("web") if c.id != old.id] == ["running"]


async def test_pre_stop_hook_runs_before_the_signal(node: Node) -> None:
    hook = {"preStop": {"exec": {"command": ["bye"]}}}
    node.create("web-0", container(lifecycle=hook))
    await node.ready()
    node.runtime.exec_codes["bye"] = 1
    node.delete()
    await node.gone()
    calls = node.runtime.calls
    assert calls.index("exec bye") < calls.index("SIGTERM web")
    assert ("FailedPreStopHook", "PreStopHook failed") in node.recorded.events


async def test_sidecars_end_last_and_in_reverse(node: Node) -> None:
    sidecars = [container(name, restartPolicy="Always") for name in ("one", "two")]
    node.create("web-0", container(), initContainers=sidecars)
    await node.ready()
    node.delete()
    await node.gone()
    ends = [call for call in node.runtime.calls if call.startswith("SIGTERM")]
    assert ends == ["SIGTERM web", "SIGTERM two", "SIGTERM one"]


async def test_sidecar_does_not_wait_for_an_init_container_to_end(node: Node) -> None:
    node.runtime.deaf = {"init"}
    node.create("web-0", initContainers=[container("side", restartPolicy="Always"), container("init")])
    await node.until(lambda: "start init" in node.runtime.calls)
    node.delete(grace=5)
    await node.until(lambda: "SIGTERM side" in node.runtime.calls)
    assert "SIGKILL init" not in node.runtime.calls
    node.advance(6)
    await node.gone()


async def test_deleted_pod_does_not_wait_for_its_pull(node: Node) -> None:
    async def endless(*args: object) -> Image:
        await asyncio.sleep(3600)
        raise AssertionError

    node.runtime.pull = endless  # type: ignore[method-assign,assignment]
    node.create("web-0", container(image="other:1"))
    await node.until(lambda: "Pulling" in node.recorded.reasons)
    node.delete()
    await node.gone()
    await node.until(lambda: not node.runtime.found)


async def test_sidecar_that_is_being_restarted_when_its_pod_is_done_is_ended_as_one_that_runs(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, gate = node.runtime.start, asyncio.Event()

    async def slow(container_id: str) -> None:
        if node.runtime.found[container_id].attempt:
            await gate.wait()
        await start(container_id)

    monkeypatch.setattr(node.runtime, "start", slow)
    node.create("web-0", initContainers=[container("side", restartPolicy="Always")], restartPolicy="Never")
    await node.ready()
    node.runtime.end(node.runtime.named("side")[0], 0)
    await node.until(lambda: len(node.runtime.named("side")) == 2)
    node.runtime.end(node.runtime.named("web")[0], 0)
    await asyncio.sleep(0.01)
    assert node.runtime.named(SANDBOX)
    gate.set()
    await node.until(lambda: node.status()["phase"] == "Succeeded" and not node.runtime.named(SANDBOX))
    assert "SIGTERM side" in node.runtime.calls


async def test_finished_pod_loses_its_sandbox_and_keeps_its_containers(node: Node) -> None:
    node.create(restartPolicy="Never")
    await node.ready()
    node.runtime.end(node.runtime.named("web")[0], 0)
    await node.until(lambda: node.status().get("phase") == "Succeeded")
    await node.until(lambda: not node.runtime.named(SANDBOX))
    assert len(node.runtime.named("web")) == 1
    node.delete()
    await node.gone()
    await node.until(lambda: not node.runtime.found)


async def test_finished_pod_keeps_its_address_in_the_status_alone(node: Node) -> None:
    node.create("web-0", restartPolicy="Never")
    await node.ready()
    address = node.status()["podIP"]
    (web,) = node.runtime.named("web")
    node.runtime.end(web, 0)
    await node.until(lambda: not node.runtime.named(SANDBOX))
    node.create("web-1", metadata={"annotations": {"kubelite.io/ip": address}})
    await node.ready("web-1")
    assert node.status("web-0")["podIP"] == node.status("web-1")["podIP"] == address


async def test_shutdown_ends_pods_as_they_ask_and_leaves_their_objects(node: Node, registry: Registry) -> None:
    hook = {"lifecycle": {"preStop": {"exec": {"command": ["bye"]}}}}
    critical = {"priority": 2_000_000_000, "priorityClassName": "system-cluster-critical"}
    node.create("web-0", container(**hook))
    node.create("dns", container("dns"), **critical)
    await node.ready("web-0")
    await node.ready("dns")
    before = {name: node.pod(name) for name in ("web-0", "dns")}
    calls = len(node.runtime.calls)
    await node.kubelet.shut_down()
    assert [found.name for found in node.runtime.found.values() if found.state == "running"] == []
    assert {name: node.pod(name) for name in before} == before
    assert node.runtime.calls[calls:] == ["exec bye", "SIGTERM web", "SIGKILL POD", "SIGTERM dns", "SIGKILL POD"]
    node.create("late")
    await asyncio.sleep(0.01)
    assert node.runtime.named("web", "late") == []
    await node.restart()
    await node.until(lambda: node.status("web-0")["containerStatuses"][0]["restartCount"] == 1)


async def test_shutdown_waits_for_nobody_longer_than_ten_seconds(node: Node) -> None:
    node.runtime.deaf = {"web"}
    node.create("web-0", terminationGracePeriodSeconds=300)
    await node.ready("web-0")
    work = asyncio.ensure_future(node.kubelet.shut_down())
    await node.until(lambda: "SIGTERM web" in node.runtime.calls)
    node.advance(9)
    await asyncio.sleep(0.01)
    assert not work.done()
    node.advance(1)
    await work
    assert node.runtime.calls[-2:] == ["SIGKILL web", "SIGKILL POD"]
