"""Every test in here needs the engine."""

from __future__ import annotations

import pytest

from kubelite.engine.find import Endpoint


@pytest.fixture(scope="session", autouse=True)
def _engine(container_engine: Endpoint) -> None:
    """Whoever connects by itself finds it running, with its images."""
