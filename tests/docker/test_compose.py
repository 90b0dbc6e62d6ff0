"""compose.yaml: the control plane as a container, beside pods that are containers on the same engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kubelite import lifecycle
from kubelite.cli.client import Client
from kubelite.cli.daily import Daily
from kubelite.config import Settings
from kubelite.engine import packages
from kubelite.engine.find import DEFAULT_SOCKET
from kubelite.testing.sessions import own_name
from tests.docker.commands import ROOT, left_on_engine

NAME = own_name("compose")
READY_SECONDS = 60.0
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: kubelite/tools:latest
    imagePullPolicy: IfNotPresent
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, emptyDir: {}}]
"""

Compose = Callable[..., str]


@pytest.fixture(scope="module")
def program() -> list[str]:
    """The plugin of the docker command, or Debian's program of old, which is installed when there is neither."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True) if shutil.which("docker") else None
    if plugin and plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose") is None:
        packages.install(["docker-compose"], print)
    return ["docker-compose"]


@pytest.fixture
def compose(program: list[str], tmp_path: Path) -> Iterator[Compose]:
    """Runs compose on the project's file; the cluster is removed as the file's head says."""
    environment = {**os.environ, "KUBELITE_HOME": str(tmp_path), "KUBELITE_NAME": NAME, "COMPOSE_PROJECT_NAME": NAME}
    if os.geteuid():
        environment["KUBELITE_USER"] = f"{os.geteuid()}:{os.stat(DEFAULT_SOCKET).st_gid}"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*program, "-f", str(ROOT / "compose.yaml"), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        yield run
    finally:
        run("down")
        run("run", "--rm", "kubelite", "python3", "-m", "kubelite", "delete", "--name", NAME)


def test_control_plane_in_a_container_runs_pods(compose: Compose, tmp_path: Path) -> None:
    settings = Settings(name=NAME, home=tmp_path)
    compose("up", "-d")
    wait_until_ready(settings)
    (tmp_path / "pod.yaml").write_text(POD)
    with closing(Client.of(settings)) as client:
        kubectl = Daily(client, tmp_path)
        assert kubectl.run(["apply", "-f", "pod.yaml"]) == "pod/web created\n"
        kubectl.run(["wait", "--for=condition=Ready", "pod/web"])
        assert kubectl.run(["exec", "web", "--", "sh", "-c", "touch /data/x; hostname"]) == "web\n"
        found = client.get("/api/v1/namespaces/default/pods/web")
    pod = settings.pods / found["metadata"]["uid"]
    assert [path.name for path in pod.glob("volumes/*/data/*")] == ["x"]


def test_restarted_control_plane_adopts_what_runs(compose: Compose, tmp_path: Path) -> None:
    settings = Settings(name=NAME, home=tmp_path)
    compose("up", "-d")
    wait_until_ready(settings)
    before = left_on_engine(NAME)
    compose("restart")
    wait_until_ready(settings)
    assert sorted(left_on_engine(NAME)) == sorted(before)


def test_nothing_is_left_afterwards() -> None:
    assert left_on_engine(NAME) == []


def wait_until_ready(settings: Settings) -> None:
    """As users would: the written kubeconfig appears, then /readyz answers."""
    deadline = time.monotonic() + READY_SECONDS
    status = None
    while time.monotonic() < deadline:
        stored = Settings.load(settings.name, settings.home)
        status = lifecycle.status(stored) if stored and settings.kubeconfig.exists() else None
        if status and status.ready:
            return
        time.sleep(0.05)
    raise AssertionError(f"not ready after {READY_SECONDS:.0f} s: {status}")
