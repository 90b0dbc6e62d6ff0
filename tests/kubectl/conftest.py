"""Tests marked `every_version` run with every kubectl of the machine, `newest_version` with that, others with two.

Marked is what clients do in different ways; the rest is the server's work, however it is asked. HOME is fresh each time.

`shell` types in a fresh namespace, `shared` in one whose pods all tests look at and none changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kubelite.engine.find import Endpoint
from kubelite.testing.cluster import Cluster
from kubelite.testing.namespace import Namespace
from tests import kubectls
from tests.kubectl.shell import Shell
from tests.kubectls import Kubectl

SHARED = Path(__file__).with_name("shared.yaml")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kubectl" in metafunc.fixturenames:
        newest, oldest = kubectls.newest(), kubectls.found()[0]
        marked = {mark.name for mark in metafunc.definition.iter_markers()}
        programs = dict.fromkeys([newest] if "newest_version" in marked else [oldest, newest])
        programs |= dict.fromkeys(kubectls.found() if "every_version" in marked else [])
        metafunc.parametrize("kubectl", programs, ids=[program.label for program in programs])


@pytest.fixture(scope="session", autouse=True)
def _engine(container_engine: Endpoint) -> None:
    """The cluster of these tests finds it running, with its images."""


@pytest.fixture(scope="session")
def shared_namespace(kubelite_cluster: Cluster) -> Iterator[Namespace]:
    with kubelite_cluster.fresh_namespace("shared") as namespace:
        namespace.apply(SHARED)
        namespace.wait("statefulsets", "web")
        namespace.wait("deployments", "hello")
        namespace.wait("pods", "two")
        namespace.wait("pods", "again", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)
        namespace.wait("pods", "again")
        yield namespace


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def shell(kubectl: Kubectl, kubelite: Namespace, home: Path) -> Shell:
    return Shell(kubectl, kubelite, home)


@pytest.fixture
def shared(kubectl: Kubectl, shared_namespace: Namespace, home: Path) -> Iterator[Shell]:
    with closing(shared_namespace.client):
        yield Shell(kubectl, shared_namespace, home)
