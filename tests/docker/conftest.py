"""Every test in here needs the engine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelite.engine.find import Endpoint

BRIDGE = f"klt{os.getpid()}"  # of this run alone: another one may be under way on the machine


@pytest.fixture(scope="session", autouse=True)
def _engine(container_engine: Endpoint) -> None:
    """Whoever connects by itself finds it running, with its images."""


@pytest.fixture(scope="session")
def bridge() -> Iterator[str]:
    """For engines of the tests' own: without one, and with `--bridge=none`, dockerd removes docker0 from the machine."""
    for left in Path("/sys/class/net").glob("klt*"):
        if not Path("/proc", left.name.removeprefix("klt")).exists():
            subprocess.run(["ip", "link", "del", left.name], check=True)  # of a run that was killed
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    subprocess.run(["ip", "address", "add", "198.51.100.1/28", "dev", BRIDGE], check=True)
    yield BRIDGE
    subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)
