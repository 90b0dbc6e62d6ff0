"""The kubelet over an engine in memory: order of the engine's calls, endings, failures, adoption."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kubelite.net.ipam import Allocator
from kubelite.node import node_health
from kubelite.node.kubelet import Kubelet
from kubelite.node.node_status import register_node
from kubelite.node.runtime import SANDBOX, Image
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded
from tests.unit.node.fake_runtime import FakeRuntime, refusing
from tests.unit.node.pods import container

PULLED = ("Pulled", 'Container image "httpd:2.4" already present on machine')


class Node:
    """A kubelet and levers; time stands still until it is advanced."""

    def __init__(self, registry: Registry, recorded: Recorded, clock: Clock) -> None:
        self.registry, self.recorded, self.clock = registry, recorded, clock
        self.runtime = FakeRuntime(clock)
        self._task: asyncio.Task[None] | None = None
        self.kubelet = self._kubelet()
        self._ticks = 0

    def _kubelet(self) -> Kubelet:
        return Kubelet(
            self.registry,
            self.recorded,
            self.runtime,
            self.registry.settings,
            pause_image="pause",
            cluster_dns=lambda: "172.30.0.2",
            token=lambda namespace, account, audience, expiration, pod: "token",
            addresses=Allocator(self.registry.settings.pod_cidr),
            now=self.clock,
        )

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.kubelet.run())
        await self.until(lambda: self.kubelet.ready)

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def restart(self) -> None:
        await self.stop()
        self.kubelet = self._kubelet()
        await self.start()

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 (the engine's side has no event to wait on)
                await asyncio.sleep(0.001)

    def create(self, name: str = "web-0", *containers: Obj, **spec: Any) -> Obj:
        pod = {
            "metadata": {"name": name, "namespace": "default", **spec.pop("metadata", {})},
            "spec": {
                "containers": list(containers) or [container()],
                "automountServiceAccountToken": False,
                **spec,
            },
        }
        return self.registry.bind(self.registry.create("pods", pod), self.registry.settings.node_name)

    def pod(self, name: str = "web-0") -> Obj | None:
        return self.registry.find("pods", "default", name)

    def status(self, name: str = "web-0") -> Obj:
        return (self.pod(name) or {}).get("status") or {}

    def state(self, name: str = "web-0") -> Obj:
        entries = self.status(name).get("containerStatuses") or [{"state": {}}]
        return dict(entries[0]["state"])

    def waiting(self, name: str = "web-0") -> str:
        return str((self.state(name).get("waiting") or {}).get("reason", ""))

    async def ready(self, name: str = "web-0") -> None:
        await self.until(lambda: meta.condition_is_true(self.status(name).get("conditions"), "Ready"))

    async def gone(self, name: str = "web-0") -> None:
        await self.until(lambda: self.pod(name) is None)

    def delete(self, name: str = "web-0", grace: int | None = None) -> None:
        self.registry.delete("pods", "default", name, grace=grace)

    def advance(self, seconds: float) -> None:
        """Move time, and have every worker look at the clock."""
        self.clock.advance(seconds)
        self._ticks += 1
        for pod in self.registry.list("pods"):
            note = {"metadata": {"annotations": {"tick": str(self._ticks)}}}
            self.registry.patch("pods", meta.namespace(pod), meta.name(pod), note)


@pytest.fixture
async def node(registry: Registry, recorded: Recorded, clock: Clock) -> AsyncIterator[Node]:
    node = Node(registry, recorded, clock)
    await node.start()
    yield node
    await node.stop()


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


async def test_crash_loop_backs_off_with_upstreams_words(node: Node) -> None:
    pod = node.create()
    await node.ready()
    node.runtime.end(node.runtime.named("web")[0], 1)
    await node.until(lambda: len(node.runtime.named("web")) == 2)
    await node.ready()
    node.runtime.end(node.runtime.named("web")[1], 1)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    who = f"web-0_default({meta.uid(pod)})"
    assert ("BackOff", f"Back-off restarting failed container web in pod {who}") in node.recorded.events
    node.advance(11)
    await node.until(lambda: node.status()["containerStatuses"][0]["restartCount"] == 2)
    await node.ready()
    assert node.runtime.specs[node.runtime.named("web")[-1].id].labels["kubelite.backoff"] == "20"


async def test_container_that_cannot_start_says_why(node: Node) -> None:
    node.runtime.start_errors["web"] = "exec: no such file"
    node.create()
    await node.until(lambda: node.waiting() == "RunContainerError")
    assert ("Failed", "Error: exec: no such file") in node.recorded.events
    for count in range(2):
        await node.until(lambda count=count: node.status()["containerStatuses"][0]["restartCount"] == count)
        await node.until(lambda: node.waiting() == "RunContainerError")
        node.advance(2)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    node.runtime.start_errors.clear()
    node.advance(11)
    await node.ready()


async def test_image_is_pulled_when_absent(node: Node) -> None:
    node.runtime.registry = lambda reference: Image("sha256:9", size=77)
    node.create("web-0", container(image="other:1"))
    await node.ready()
    assert node.recorded.reasons[:2] == ["Pulling", "Pulled"]
    assert node.recorded.events[1][1].endswith("Image size: 77 bytes.")


async def test_refused_pull_backs_off_and_recovers(node: Node) -> None:
    node.runtime.registry = refusing
    node.create("web-0", container(image="other:1"))
    await node.until(lambda: node.waiting() == "ErrImagePull")
    node.advance(2)
    await node.until(lambda: node.waiting() == "ImagePullBackOff")
    assert node.state()["waiting"]["message"] == (
        'Back-off pulling image "other:1": ErrImagePull: manifest for other:1 not found'
    )
    assert ("Failed", "Error: ImagePullBackOff") in node.recorded.events
    node.runtime.registry = lambda reference: Image("sha256:9")
    node.advance(10)
    await node.ready()


async def test_always_pull_falls_back_once_and_then_does_not_ask(node: Node) -> None:
    for name in ("web-0", "web-1"):
        node.create(name, container(imagePullPolicy="Always"))
        await node.ready(name)
    assert node.runtime.calls.count("pull httpd:2.4") == 1
    assert node.recorded.reasons.count("LocalImageUsed") == 2


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


async def test_container_ids_of_this_life_and_the_one_before(node: Node) -> None:
    pod = node.create()
    await node.ready()
    (first,) = node.runtime.named("web")
    with pytest.raises(KeyError):
        node.kubelet.container_id(pod, "web", previous=True)
    node.runtime.end(first, 1)
    await node.until(lambda: len(node.runtime.named("web")) == 2)
    await node.ready()
    assert node.kubelet.container_id(pod, "web") != first.id
    assert node.kubelet.container_id(pod, "web", previous=True) == first.id


async def test_log_stands_in_for_the_termination_message(node: Node) -> None:
    node.create("web-0", container(terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never")
    await node.ready()
    node.runtime.end(node.runtime.named("web")[0], 1)
    await node.until(lambda: node.state().get("terminated", {}).get("message") == "last words")


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


async def test_readiness_probe_follows_its_results(node: Node) -> None:
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 1}
    node.runtime.exec_codes["check"] = 1
    node.create("web-0", container(readinessProbe=probe))
    await node.until(lambda: node.status().get("phase") == "Running")
    assert not meta.condition_is_true(node.status()["conditions"], "Ready")
    node.runtime.exec_codes["check"] = 0
    await node.ready()


async def test_liveness_failure_kills_and_restarts(node: Node) -> None:
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 1}
    node.create("web-0", container(livenessProbe=probe))
    await node.ready()
    node.runtime.exec_codes["check"] = 1
    await node.until(lambda: len(node.runtime.named("web")) == 2)
    assert ("Killing", "Container web failed liveness probe, will be restarted") in node.recorded.events


async def test_startup_probe_holds_back_the_others(node: Node) -> None:
    startup = {"exec": {"command": ["started"]}, "periodSeconds": 1}
    readiness = {"exec": {"command": ["ready"]}, "periodSeconds": 1}
    node.runtime.exec_codes["started"] = 1
    node.create("web-0", container(startupProbe=startup, readinessProbe=readiness))
    await node.until(lambda: "exec started" in node.runtime.calls)
    assert node.status()["containerStatuses"][0]["started"] is False
    assert "exec ready" not in node.runtime.calls
    node.runtime.exec_codes["started"] = 0
    await node.ready()
    assert "exec ready" in node.runtime.calls


async def test_failed_post_start_hook_kills_the_container(node: Node) -> None:
    node.runtime.exec_codes["hello"] = 1
    node.create("web-0", container(lifecycle={"postStart": {"exec": {"command": ["hello"]}}}), restartPolicy="Never")
    await node.until(lambda: node.status().get("phase") in ("Failed", "Succeeded"))
    assert ("FailedPostStartHook", "PostStartHook failed") in node.recorded.events
    assert ("Killing", "FailedPostStartHook") in node.recorded.events


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


def register(node: Node, **allocatable: str) -> None:
    name = node.registry.settings.node_name
    node.registry.create("nodes", {"metadata": {"name": name}, "spec": {}})
    made = node.registry.get("nodes", None, name)
    offered = {"cpu": "2", "memory": "1Gi", "pods": "10", **allocatable}
    node.registry.update("nodes", {**meta.copy(made), "status": {"allocatable": offered}}, "status")


async def test_pod_whose_host_port_is_taken_fails_and_nothing_of_it_runs(node: Node) -> None:
    register(node)
    publishing = container(ports=[{"containerPort": 80, "hostPort": 8080}])
    node.create("first", publishing)
    await node.ready("first")
    node.create("second", publishing)
    await node.until(lambda: node.status("second").get("phase") == "Failed")
    assert node.status("second")["reason"] == "NodePorts"
    assert not node.status("second").get("containerStatuses")
    assert [c.pod_name for c in node.runtime.found.values() if c.pod_name == "second"] == []
    await node.restart()
    assert node.status("second")["reason"] == "NodePorts"
    node.delete("second")
    await node.gone("second")


async def test_pod_of_a_name_turned_away_a_moment_ago_waits_and_is_taken_once_it_fits(node: Node) -> None:
    register(node)
    publishing = container(ports=[{"containerPort": 80, "hostPort": 8080}])
    node.create("first", publishing)
    await node.ready("first")
    node.create("second", publishing)
    await node.until(lambda: node.status("second").get("phase") == "Failed")
    node.delete("second", grace=0)
    node.create("second", publishing)
    await asyncio.sleep(0)
    assert node.status("second")["phase"] == "Pending"
    node.delete("first")
    await node.gone("first")
    await node.ready("second")


async def test_pod_that_runs_is_not_asked_again_after_a_restart(node: Node) -> None:
    register(node)
    node.create("web-0", container(resources={"requests": {"cpu": "1"}}))
    await node.ready()
    name = node.registry.settings.node_name
    made = node.registry.get("nodes", None, name)
    node.registry.update("nodes", {**meta.copy(made), "status": {"allocatable": {"cpu": "0"}}}, "status")
    await node.restart()
    await node.ready()
    assert node.status()["phase"] == "Running"


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


async def test_new_image_ends_the_wait_for_the_old_one(node: Node) -> None:
    node.runtime.registry = refusing
    node.create("web-0", container(image="nothing:1"))
    await node.until(lambda: node.waiting() == "ErrImagePull")
    node.advance(2)
    await node.until(lambda: node.waiting() == "ImagePullBackOff")
    containers = [{**(node.pod() or {})["spec"]["containers"][0], "image": "httpd:2.4"}]
    node.registry.patch("pods", "default", "web-0", {"spec": {"containers": containers}})
    await node.ready()


async def test_critical_pod_pushes_others_away(node: Node, clock: Clock) -> None:
    register_node(node.registry, node.registry.settings, await node.runtime.info(), "v1.32.0", clock())
    all_of_it = {"resources": {"requests": {"cpu": "2"}}}
    node.create("web-0", container(**all_of_it))
    await node.ready("web-0")
    node.create("web-1", container(**all_of_it), priorityClassName="system-node-critical")
    await node.ready("web-1")
    await node.until(lambda: node.status("web-0")["phase"] == "Failed")
    assert node.status("web-0")["reason"] == "Preempting"
    condition = meta.condition(node.status("web-0")["conditions"], "DisruptionTarget") or {}
    assert (condition["status"], condition["reason"]) == ("True", "TerminationByKubelet")
    assert ("Preempting", "Preempted in order to admit critical pod") in node.recorded.events
