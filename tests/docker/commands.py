"""The command `kubelite`, run as users run it, in a home of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import docker

from kubelite.config import LABEL_CLUSTER

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Commands:
    """Call it with what is typed after `kubelite`; every command must end with `code` and without a traceback."""

    home: Path

    def __call__(self, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "kubelite", *arguments],
            cwd=ROOT,
            env={**os.environ, "KUBELITE_HOME": str(self.home), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done


def left_on_engine(cluster: str) -> list[str]:
    """Containers and networks that carry the cluster's label."""
    client = docker.from_env()
    try:
        label = {"label": f"{LABEL_CLUSTER}={cluster}"}
        containers = [str(one.name) for one in client.containers.list(all=True, filters=label)]
        return containers + [str(one.name) for one in client.networks.list(filters=label)]
    finally:
        client.close()
