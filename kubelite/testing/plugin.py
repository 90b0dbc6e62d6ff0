"""pytest fixtures: `kubelite_cluster`, a running cluster for the session, and `kubelite`, a fresh namespace per test.

pytest loads this module in every run; everything else of kubelite is imported by those who use a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kubelite.testing.cluster import Cluster
    from kubelite.testing.namespace import Namespace


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kubelite", "kubelite: Kubernetes for tests")
    group.addoption(
        "--kubelite-name",
        metavar="NAME",
        default="",
        help="the cluster's name; one that is up already is used, and left up (default: a new cluster)",
    )
    group.addoption(
        "--kubelite-keep",
        action="store_true",
        help="leave the cluster up, for the next run with this option to use (its name is pytest unless given)",
    )
    group.addoption(
        "--kubelite-install-engine",
        action="store_true",
        help="install and start a container engine where none answers (root)",
    )


@pytest.fixture(scope="session")
def kubelite_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster. It is deleted at the end unless it was up before or is to be kept."""
    from kubelite.engine import find
    from kubelite.testing import sessions
    from kubelite.testing.cluster import Cluster

    sessions.sweep(find.find())
    keep = request.config.getoption("--kubelite-keep")
    name = request.config.getoption("--kubelite-name") or ("pytest" if keep else "")
    install = request.config.getoption("--kubelite-install-engine")
    with Cluster(name, keep=keep, install_engine=install) as cluster:
        yield cluster


@pytest.fixture
def kubelite(kubelite_cluster: Cluster) -> Iterator[Namespace]:
    """A namespace of the test's own; nobody waits for its end."""
    with kubelite_cluster.fresh_namespace() as namespace:
        yield namespace


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report: pytest.TestReport = yield
    if report.failed:
        for namespace in _namespaces(item):
            report.sections.append((f"kubelite: namespace {namespace.namespace}", _state(namespace)))
    return report


def _namespaces(item: pytest.Item) -> list[Namespace]:
    """Of a test that uses a fixture of this plugin, under whatever name."""
    arguments = getattr(item, "funcargs", {}).values()
    return [value for value in arguments if type(value).__module__ == "kubelite.testing.namespace"]


def _state(namespace: Namespace) -> str:
    try:
        return namespace.describe()
    except Exception as error:
        return f"it can't be shown: {error!r}"
