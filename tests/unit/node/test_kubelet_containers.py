"""One container's life: image, hooks, probes, restarts, last words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from kubelite.node.runtime import EngineError, ExecResult, Image
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.node.fake_node import Node
from tests.unit.node.fake_runtime import refusing
from tests.unit.node.pods import container


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


async def test_back_off_doubles_to_five_minutes_and_is_forgotten_after_ten_that_went_well(node: Node) -> None:
    pod = node.create()
    await _crashes_and_is_back(node)
    for told, seconds in (
        ("10s", 10),
        ("20s", 20),
        ("40s", 40),
        ("1m20s", 80),
        ("2m40s", 160),
        ("5m0s", 300),
        ("5m0s", 300),
    ):
        await _crashes_and_waits(node, pod, told)
        node.advance(seconds - 1)
        await asyncio.sleep(0.01)
        assert node.waiting() == "CrashLoopBackOff"
        node.advance(1)
        await node.ready()
    node.advance(599)  # not long enough
    await _crashes_and_waits(node, pod, "5m0s")
    node.advance(300)
    await node.ready()
    node.advance(601)
    await _crashes_and_is_back(node)
    await _crashes_and_waits(node, pod, "10s")


async def _crashes_and_is_back(node: Node) -> None:
    await node.ready()
    count = node.status()["containerStatuses"][0]["restartCount"]
    node.runtime.end(node.runtime.named("web")[-1], 1)
    await node.until(lambda: node.status()["containerStatuses"][0]["restartCount"] == count + 1)
    await node.ready()


async def _crashes_and_waits(node: Node, pod: Obj, told: str) -> None:
    await node.ready()
    node.runtime.end(node.runtime.named("web")[-1], 1)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    message = f"back-off {told} restarting failed container=web pod=web-0_default({meta.uid(pod)})"
    assert node.state()["waiting"]["message"] == message


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


async def test_missing_pull_secrets_are_told_of_and_hold_nothing_back(node: Node) -> None:
    node.create("web-0", imagePullSecrets=[{"name": "a"}, {"name": "b"}, {}])
    await node.ready()
    assert node.recorded.events[0] == (
        "FailedToRetrieveImagePullSecret",
        "Unable to retrieve some image pull secrets (a, b); attempting to pull the image may not succeed.",
    )


async def test_images_that_cannot_be_asked_for_are_told_of_as_such(node: Node) -> None:
    async def broken(reference: str) -> Image:
        raise EngineError("input/output error")

    node.create("badname", container(image="Httpd"))
    await node.until(lambda: node.waiting("badname") == "InvalidImageName")
    node.runtime.image = broken  # type: ignore[method-assign,assignment]
    node.create("broken")
    await node.until(lambda: node.waiting("broken") == "ImageInspectError")
    message = 'Failed to inspect image "httpd:2.4": input/output error'
    assert node.state("broken")["waiting"]["message"] == message
    assert node.recorded.events[-2:] == [("InspectFailed", message), ("Failed", "Error: ImageInspectError")]


async def test_always_pull_falls_back_once_and_then_does_not_ask(node: Node) -> None:
    for name in ("web-0", "web-1"):
        node.create(name, container(imagePullPolicy="Always"))
        await node.ready(name)
    assert node.runtime.calls.count("pull httpd:2.4") == 1
    assert node.recorded.reasons.count("LocalImageUsed") == 2


async def test_new_image_ends_the_wait_for_the_old_one(node: Node) -> None:
    node.runtime.registry = refusing
    node.create("web-0", container(image="nothing:1"))
    await node.until(lambda: node.waiting() == "ErrImagePull")
    node.advance(2)
    await node.until(lambda: node.waiting() == "ImagePullBackOff")
    containers = [{**(node.pod() or {})["spec"]["containers"][0], "image": "httpd:2.4"}]
    node.registry.patch("pods", "default", "web-0", {"spec": {"containers": containers}})
    await node.ready()


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


async def test_container_that_a_probe_killed_and_that_ended_well_is_restarted_on_failure_too(node: Node) -> None:
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 1}
    node.create("web-0", container(livenessProbe=probe), restartPolicy="OnFailure")
    await node.ready()
    node.runtime.exec_codes["check"] = 1
    await node.until(lambda: [c.exit_code for c in node.runtime.named("web") if c.state == "exited"] == [0])
    await node.until(lambda: len(node.runtime.named("web")) == 2)
    assert node.status()["phase"] == "Running"


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


async def test_post_start_hook_holds_back_the_containers_after_it(node: Node) -> None:
    held, gate = node.runtime.execute, asyncio.Event()

    async def execute(container_id: str, command: Sequence[str], seconds: float | None) -> ExecResult:
        await gate.wait()
        return await held(container_id, command, seconds)

    node.runtime.execute = execute  # type: ignore[method-assign]
    hooked = container("hooked", lifecycle={"postStart": {"exec": {"command": ["hello"]}}})
    node.create("web-0", container("first"), hooked, container("last"))
    await node.until(lambda: {"start first", "start hooked", "create last"} <= set(node.runtime.calls))
    await asyncio.sleep(0.01)
    assert "start last" not in node.runtime.calls
    told = {entry["name"]: entry["state"] for entry in node.status()["containerStatuses"]}
    assert "running" in told["first"]
    assert told["hooked"] == told["last"] == {"waiting": {"reason": "ContainerCreating"}}
    assert node.status()["phase"] == "Pending"
    gate.set()
    await node.ready()
    assert node.runtime.calls.index("exec hello") < node.runtime.calls.index("start last")


async def test_failed_post_start_hook_kills_the_container(node: Node) -> None:
    node.runtime.exec_codes["hello"] = 1
    node.create("web-0", container(lifecycle={"postStart": {"exec": {"command": ["hello"]}}}), restartPolicy="Never")
    await node.until(lambda: node.status().get("phase") in ("Failed", "Succeeded"))
    assert ("FailedPostStartHook", "PostStartHook failed") in node.recorded.events
    assert ("Killing", "FailedPostStartHook") in node.recorded.events


async def test_container_whose_hook_failed_and_that_ended_well_is_not_restarted_on_failure(node: Node) -> None:
    node.runtime.exec_codes["hello"] = 1
    hooked = container(lifecycle={"postStart": {"exec": {"command": ["hello"]}}})
    node.create("web-0", hooked, restartPolicy="OnFailure")
    await node.until(lambda: node.status().get("phase") == "Succeeded")
    assert node.runtime.calls.count("start web") == 1
