"""The fixtures as users have them: pytest in a process of its own, on their tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kubelite.config import LABEL_CLUSTER
from kubelite.engine.find import Endpoint, connect

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SETTINGS = """
[pytest]
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""

POD = """
POD = '''
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: httpd, image: httpd, imagePullPolicy: IfNotPresent}
'''
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(tmp_path: Path, home: Path, container_engine: Endpoint) -> Iterator[Run]:
    """Write a test file and run it; whatever clusters it leaves in its home are deleted at the end."""
    environment = {**os.environ, "KUBELITE_HOME": str(home)}

    def pytest_on(content: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "pytest.ini").write_text(SETTINGS)
        (tmp_path / "test_users.py").write_text(POD + content)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        return subprocess.run(
            [*command, "test_users.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    yield pytest_on
    for directory in home.glob("*/"):
        command = [sys.executable, "-m", "kubelite", "delete", "--name", directory.name]
        subprocess.run(command, env=environment, check=True, capture_output=True)


def clusters(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("*/"))


def on_engine(engine: Endpoint, cluster: str) -> int:
    with closing(connect(engine)) as client:
        filters = {"label": f"{LABEL_CLUSTER}={cluster}"}
        return len(client.api.containers(all=True, filters=filters) + client.api.networks(filters=filters))


def test_a_test_does_all_it_needs_in_its_namespace(run: Run, home: Path, container_engine: Endpoint) -> None:
    done = run(
        """
import pytest
from kubelite.cli.client import ApiError
from kubelite.cli.failure import Failure
from kubelite.testing.namespace import CommandError

names = set()

def test_everything(kubelite):
    names.add(kubelite.namespace)
    print("cluster:", kubelite.settings.name)
    assert kubelite.apply(POD) == ["pod/web created"]
    pod = kubelite.wait("pods", "web")
    assert pod["status"]["phase"] == "Running"
    assert kubelite.get("pods", "web")["metadata"]["namespace"] == kubelite.namespace
    assert [pod["metadata"]["name"] for pod in kubelite.list("pods")] == ["web"]
    assert kubelite.list("pods", "app=other") == []
    assert kubelite.exec("web", "hostname") == "web\\n"
    with pytest.raises(CommandError, match="exit code 3"):
        kubelite.exec("web", "sh", "-c", "exit 3")
    assert "resuming normal operations" in kubelite.logs("web", tail=5)
    kubelite.delete("pods", "web")
    kubelite.wait("pods", "web", "deleted")
    with pytest.raises(ApiError, match="not found"):
        kubelite.get("pods", "web")

def test_volumes(kubelite, tmp_path):
    names.add(kubelite.namespace)
    manifest = tmp_path / "claim.yaml"
    manifest.write_text('''
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
''')
    kubelite.apply(manifest)
    volume = kubelite.wait("persistentvolumeclaims", "data")["spec"]["volumeName"]
    assert (kubelite.volumes / f"{kubelite.namespace}-data-{volume}").is_dir()

def test_waiting(kubelite):
    names.add(kubelite.namespace)
    with pytest.raises(TimeoutError, match="pods/none is not ready after 0 s; its status: it is not there"):
        kubelite.wait("pods", "none", timeout=0.2)
    with pytest.raises(LookupError, match="no resource 'nonsense'"):
        kubelite.list("nonsense")
    with pytest.raises(Failure, match="did you mean"):
        kubelite.apply(POD.replace("containers", "container"))

async def test_coroutine(kubelite):
    names.add(kubelite.namespace)
    kubelite.apply(POD)
    kubelite.wait("pods", "web")
    assert kubelite.exec("web", "hostname") == "web\\n"

def test_namespaces_are_fresh(kubelite_cluster):
    assert len(names) == 4
    with kubelite_cluster.fresh_namespace("mine") as other:
        assert other.namespace.startswith("mine-")
        assert other.list("pods") == []
""",
        "-s",
    )
    assert "5 passed" in done.stdout, done.stdout
    assert clusters(home) == []
    cluster = re.search("cluster: (.*)", done.stdout)
    assert cluster is not None
    assert on_engine(container_engine, cluster[1]) == 0


def test_failed_test_shows_pods_events_and_logs(run: Run) -> None:
    done = run(
        """
def test_that_fails(kubelite):
    kubelite.apply(POD)
    kubelite.wait("pods", "web")
    assert False
"""
    )
    assert "1 failed" in done.stdout, done.stdout
    _, _, section = done.stdout.partition("- kubelite: namespace test-")
    assert re.search(r"^web +1/1 +Running", section, re.MULTILINE)
    assert re.search(r"Normal +Started +pod/web", section)
    assert "--- log of web, container httpd\n" in section
    assert "resuming normal operations" in section


def test_leftovers_of_a_killed_run_are_swept(run: Run, home: Path, container_engine: Endpoint) -> None:
    killed = run(
        """
import os, signal

def test_that_is_killed(kubelite):
    kubelite.apply(POD)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    assert killed.returncode == -9
    (left,) = clusters(home)
    assert on_engine(container_engine, left) > 0
    done = run("def test_that_runs(kubelite):\n    pass\n")
    assert "1 passed" in done.stdout, done.stdout
    assert clusters(home) == []
    assert on_engine(container_engine, left) == 0


def test_kept_cluster_is_used_again_and_named_clusters_that_were_up_stay_up(run: Run, home: Path) -> None:
    uid = """
def test_uid(kubelite):
    print("uid:", kubelite.client.get("/api/v1/namespaces/default")["metadata"]["uid"])
"""
    seen = [run(uid, "-s", *options).stdout for options in (["--kubelite-keep"], ["--kubelite-name=pytest"])]
    assert clusters(home) == ["pytest"]
    first, second = (re.findall("uid: (.*)", output) for output in seen)
    assert first == second != []
    done = run(uid, "-s", "--kubelite-name=other")
    assert "1 passed" in done.stdout, done.stdout
    assert clusters(home) == ["pytest"]
