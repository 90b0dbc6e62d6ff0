"""The engine for the tests that need one: the machine's, or, as root, one that is installed and started for them."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from kubelite.engine import daemon, images
from kubelite.engine.find import DEFAULT_SOCKET, Endpoint, connect

NEED_ENGINE = ("docker", "kubectl")
PREPARATION_SECONDS = 1200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a bare machine the first test that needs the engine waits for packages and images."""
    here = Path(__file__).parent
    if os.geteuid():
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip("only root mounts, starts engines and enters networks"))
    for item in items:
        if item.path.relative_to(here).parts[0] in NEED_ENGINE:
            item.add_marker(pytest.mark.timeout(PREPARATION_SECONDS))
            return


@pytest.fixture(scope="session")
def container_engine() -> Endpoint:
    """An engine with every image; without one, the tests that need it fail."""
    endpoint = daemon.ensure(install_engine=os.geteuid() == 0, progress=print)
    if endpoint.socket not in (None, DEFAULT_SOCKET):
        os.environ.setdefault("DOCKER_HOST", endpoint.url)  # where docker.from_env() looks
    with closing(connect(endpoint)) as client:
        images.ensure(client, progress=print)
    return endpoint
