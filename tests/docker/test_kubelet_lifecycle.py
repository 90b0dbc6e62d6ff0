"""The life of a pod's containers on the real engine: order, hooks, probes, restarts, and the ways they end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.docker.kubelet_node import SLEEP, Node, running_node, sh

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    async with running_node(tmp_path_factory.mktemp("home")) as node:
        yield node


def logging(path: Path) -> Obj:
    """Fields of a pod whose containers write to `/h/log`."""
    return {"volumes": [{"name": "h", "hostPath": {"path": str(path), "type": "Directory"}}]}


LOG: Obj = {"volumeMounts": [{"name": "h", "mountPath": "/h"}]}


def lines(path: Path) -> list[str]:
    return (path / "log").read_text().splitlines()


def waiting(node: Node, name: str) -> str:
    """Why the container isn't running."""
    return str(node.container(name).get("state", {}).get("waiting", {}).get("reason"))


async def test_init_containers_and_sidecars_begin_in_order_and_sidecars_end_in_reverse(
    node: Node, tmp_path: Path
) -> None:
    def init(name: str, script: str) -> Obj:
        return {"name": name, **sh(f"echo begin {name} >> /h/log; {script}"), **LOG}

    def sidecar(name: str, code: int) -> Obj:
        stays = f"trap 'echo end {name} >> /h/log; exit {code}' TERM; touch /tmp/up; sleep 600 & wait"
        probe = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1, "failureThreshold": 60}
        return {**init(name, stays), "restartPolicy": "Always", "startupProbe": probe}

    inits = [
        init("one", "true"),
        sidecar("side-a", 7),
        init("two", "until test -e /h/go; do sleep 0.1; done"),
        sidecar("side-b", 0),
    ]
    main = {**sh("echo begin web >> /h/log; sleep 0.5; echo end web >> /h/log"), **LOG}
    node.create("order", main, initContainers=inits, restartPolicy="Never", **logging(tmp_path))
    await node.until(lambda: "running" in node.container("order", "two").get("state", {}))
    status = node.status("order")
    initialized = meta.condition(status["conditions"], "Initialized") or {}
    assert (status["phase"], initialized["reason"], initialized["message"]) == (
        "Pending",
        "ContainersNotInitialized",
        "containers with incomplete status: [two side-b]",
    )
    told = {e["name"]: (e["ready"], e["started"]) for e in status["initContainerStatuses"]}
    expected = {"one": (True, False), "side-a": (True, True), "two": (False, True), "side-b": (False, False)}
    assert told == expected
    (tmp_path / "go").touch()
    await node.until(lambda: node.status("order").get("phase") == "Succeeded")
    begins = [f"begin {name}" for name in ("one", "side-a", "two", "side-b", "web")]
    assert lines(tmp_path) == [*begins, "end web", "end side-b", "end side-a"]
    assert node.container("order", "side-a")["state"]["terminated"]["exitCode"] == 7
    completed = meta.condition(node.status("order")["conditions"], "Initialized") or {}
    assert (completed["status"], completed["reason"]) == ("True", "PodCompleted")


async def test_init_container_that_fails_is_repeated_or_fails_its_pod(node: Node, tmp_path: Path) -> None:
    inits = [{"name": "one", **sh("exit 1")}, {"name": "two", **sh("true")}]
    node.create("failed-init", SLEEP, initContainers=inits, restartPolicy="Never")
    inits = [{"name": "one", **sh("test -e /h/log || { touch /h/log; exit 1; }"), **LOG}]
    node.create("second-try", SLEEP, initContainers=inits, restartPolicy="OnFailure", **logging(tmp_path))
    await node.until(lambda: node.status("failed-init").get("phase") == "Failed")
    assert node.container("failed-init", "one")["state"]["terminated"]["exitCode"] == 1
    for name in ("two", "web"):
        assert node.container("failed-init", name)["state"] == {"waiting": {"reason": "PodInitializing"}}
    await node.ready("second-try")
    assert node.container("second-try", "one")["restartCount"] == 1


async def test_conditions_turn_true_one_after_the_other(node: Node) -> None:
    node.create("turning", SLEEP, initContainers=[{"name": "init", **sh("sleep 1.1")}])
    await node.ready("turning")
    kinds = ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")
    found = [meta.condition(node.status("turning")["conditions"], kind) or {} for kind in kinds]
    assert {entry["status"] for entry in found} == {"True"}
    times = [entry["lastTransitionTime"] for entry in found]
    assert times == sorted(times)
    assert times[1] < times[2] <= times[3] == times[4]
    assert not [entry for entry in found if "reason" in entry or "message" in entry]


async def test_hooks_ask_by_http_and_sleep_and_tcp_is_none(node: Node) -> None:
    node.create("handler", {"readinessProbe": {"httpGet": {"port": 80}}})
    await node.ready("handler")
    asked = {"host": node.status("handler")["podIP"], "port": 80}
    hooks = {"postStart": {"httpGet": {**asked, "path": "/begun"}}, "preStop": {"httpGet": {**asked, "path": "/ends"}}}
    node.create("asking", {**SLEEP, "lifecycle": hooks})
    node.create("sleeping", {**SLEEP, "lifecycle": {"preStop": {"sleep": {"seconds": 2}}}})
    wrong = {"postStart": {"tcpSocket": {"port": 80}}}
    node.create("wrong", {**SLEEP, "lifecycle": wrong}, restartPolicy="Never", terminationGracePeriodSeconds=1)
    await node.ready("asking", "sleeping")
    begun = time.monotonic()
    for name in ("asking", "sleeping"):
        node.delete(name)
        await node.gone(name)
    assert time.monotonic() - begun > 2
    log = node.engine.logs(node.container("handler")["containerID"].removeprefix("docker://")).decode()
    assert [path for path in ("GET /begun", "GET /ends") if path in log] == ["GET /begun", "GET /ends"]
    await node.until(lambda: node.status("wrong").get("phase") in ("Failed", "Succeeded"))
    told = {"Warning FailedPostStartHook PostStartHook failed", "Normal Killing FailedPostStartHook"}
    assert told <= set(node.events("wrong"))


async def test_post_start_hook_holds_back_the_containers_after_it(node: Node, tmp_path: Path) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "sleep 1; echo hook >> /h/log"]}}}
    first = {"name": "first", **SLEEP, **LOG, "lifecycle": hook}
    second = {"name": "second", **sh("echo second >> /h/log; trap 'exit 0' TERM; sleep 600 & wait"), **LOG}
    node.create("held", containers=[first, second], **logging(tmp_path))
    await node.ready("held")
    assert lines(tmp_path) == ["hook", "second"]


async def test_failed_startup_kills_after_pre_stop_and_its_own_grace(node: Node, tmp_path: Path) -> None:
    deaf = sh("trap 'echo term >> /h/log' TERM; while :; do sleep 0.2; done")
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo prestop >> /h/log"]}}}
    container = {**deaf, **LOG, "lifecycle": hook, "startupProbe": {**probe, "terminationGracePeriodSeconds": 1}}
    node.create("stuck", container, terminationGracePeriodSeconds=300, **logging(tmp_path))
    await node.until(lambda: node.container("stuck").get("restartCount", 0) >= 1, 30)
    assert lines(tmp_path)[:2] == ["prestop", "term"]
    assert node.container("stuck")["lastState"]["terminated"]["exitCode"] == 137
    assert "Normal Killing Container web failed startup probe, will be restarted" in node.events("stuck")
    node.delete("stuck", 0)


async def test_graceful_delete_runs_prestop_then_terminates(node: Node, tmp_path: Path) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo prestop >> /h/log"]}}}
    container = {**sh("trap 'echo term >> /h/log; exit 0' TERM; sleep 600 & wait"), **LOG, "lifecycle": hook}
    node.create("graceful", container, **logging(tmp_path))
    await node.ready("graceful")
    node.delete("graceful")
    await node.gone("graceful")
    assert lines(tmp_path) == ["prestop", "term"]
    assert "Normal Killing Stopping container web" in node.events("graceful")


async def test_failing_container_backs_off_and_counts_restarts(node: Node) -> None:
    script = sh("echo went wrong > /dev/termination-log; exit 3")
    node.create("crash", script)
    await node.until(lambda: node.container("crash").get("restartCount", 0) == 1)
    await node.until(lambda: waiting(node, "crash") == "CrashLoopBackOff", 20)
    web, pod = node.container("crash"), node.pod("crash")
    assert pod is not None
    who = f"crash_default({meta.uid(pod)})"
    assert web["state"]["waiting"]["message"] == f"back-off 10s restarting failed container=web pod={who}"
    last = web["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "went wrong\n")
    assert node.status("crash")["phase"] == "Running"
    assert f"Warning BackOff Back-off restarting failed container web in pod {who}" in node.events("crash")


@pytest.mark.parametrize(
    ("policy", "code", "phase"), [("Never", 0, "Succeeded"), ("Never", 2, "Failed"), ("OnFailure", 0, "Succeeded")]
)
async def test_finished_pod_has_a_final_phase(node: Node, policy: str, code: int, phase: str) -> None:
    name = f"done-{policy.lower()}-{code}"
    node.create(name, sh(f"exit {code}"), restartPolicy=policy)
    await node.until(lambda: node.status(name).get("phase") == phase)
    ended = node.container(name)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (code, "Completed" if code == 0 else "Error")
    ready = meta.condition(node.status(name)["conditions"], "Ready")
    assert ready is not None
    assert ready["reason"] == ("PodCompleted" if phase == "Succeeded" else "PodFailed")


async def test_command_that_does_not_exist_shows_the_engines_reason(node: Node) -> None:
    node.create("nocommand", {"command": ["/no/such"]})
    await node.until(lambda: waiting(node, "nocommand") == "RunContainerError")
    assert "/no/such" in node.container("nocommand")["state"]["waiting"]["message"]
    assert node.container("nocommand")["lastState"]["terminated"]["reason"] == "ContainerCannotRun"


async def test_images_that_cannot_be_had(node: Node) -> None:
    node.create("never", {"image": "httpd:nosuch", "imagePullPolicy": "Never"})
    node.create("absent", {"image": "registry.invalid/x:1"})
    node.create("badname", {"image": "Not A Name"})

    await node.until(lambda: waiting(node, "never") == "ErrImageNeverPull")
    await node.until(lambda: waiting(node, "badname") == "InvalidImageName")
    await node.until(lambda: waiting(node, "absent") == "ErrImagePull")
    await node.until(lambda: waiting(node, "absent") == "ImagePullBackOff")
    events = node.events("absent")
    assert 'Normal Pulling Pulling image "registry.invalid/x:1"' in events
    assert "Warning Failed Error: ErrImagePull" in events
    assert 'Normal BackOff Back-off pulling image "registry.invalid/x:1"' in events
    assert "Warning Failed Error: ImagePullBackOff" in events


async def test_local_image_is_used_when_no_registry_answers(node: Node) -> None:
    node.create("latest", {"image": "httpd:latest", "imagePullPolicy": "Always"})
    await node.ready("latest")
    assert any("using the image present on machine" in event for event in node.events("latest"))


async def test_readiness_probe_decides_over_ready(node: Node) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    node.create("probed", {**SLEEP, "readinessProbe": probe})
    await node.until(lambda: node.status("probed").get("phase") == "Running")
    ready = meta.condition(node.status("probed")["conditions"], "Ready")
    assert ready is not None
    assert ready["message"] == "containers with unready status: [web]"
    await node.run("probed", "touch", "/tmp/ok")
    await node.ready("probed")
    await node.run("probed", "rm", "/tmp/ok")
    await node.until(lambda: not node.is_ready("probed"))
    assert any(event.startswith("Warning Unhealthy Readiness probe failed:") for event in node.events("probed"))


async def test_http_readiness_is_seen_at_once(node: Node) -> None:
    begun = time.monotonic()
    node.create("http", {"readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 30}})
    await node.ready("http")
    assert time.monotonic() - begun < 15


async def test_failed_liveness_restarts_the_container(node: Node) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 2}
    node.create("alive", {**SLEEP, "livenessProbe": probe})
    await node.until(lambda: node.container("alive").get("restartCount", 0) >= 1)
    events = node.events("alive")
    assert "Normal Killing Container web failed liveness probe, will be restarted" in events
    assert any(event.startswith("Warning Unhealthy Liveness probe failed") for event in events)


async def test_deaf_container_is_killed_at_the_deadline(node: Node) -> None:
    node.create("deaf", sh("trap '' TERM; while :; do sleep 1; done"))
    await node.ready("deaf")
    begun = time.monotonic()
    node.delete("deaf", 2)
    pod = node.pod("deaf")
    assert pod is not None
    assert meta.is_terminating(pod)
    await node.gone("deaf")
    assert 1 < time.monotonic() - begun < 8


async def test_second_delete_shortens_the_grace(node: Node) -> None:
    node.create("shorter", sh("trap '' TERM; while :; do sleep 1; done"))
    await node.ready("shorter")
    node.delete("shorter", 60)
    await node.until(lambda: "Normal Killing Stopping container web" in node.events("shorter"))
    node.delete("shorter", 1)
    begun = time.monotonic()
    await node.gone("shorter")
    assert time.monotonic() - begun < 10


async def test_pod_of_the_same_name_waits_for_the_old_containers_to_die(node: Node) -> None:
    node.create("same")
    await node.ready("same")
    first = node.status("same")["podIP"]
    node.delete("same", 0)
    node.create("same")
    await node.ready("same")
    assert node.status("same")["podIP"] != first
    running = [r for r in node.containers() if r["State"] == "running" and "default_same_web" in r["Names"][0]]
    assert len(running) == 1
