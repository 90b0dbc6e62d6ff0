"""A cluster for tests, with or without pytest: `with Cluster() as cluster: ...`.

It is brought up by the command line in a process of its own: the control plane outlives the call, and a test runner
with threads and an event loop of its own must not be forked. Called by the pytest plugin and by users.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from kubelite import lifecycle
from kubelite.cli.client import ApiError, Client
from kubelite.config import Settings
from kubelite.testing.namespace import Namespace
from kubelite.testing.sessions import own_name

UP_SECONDS = 1200.0  # a bare machine installs an engine and builds images first


class ClusterError(Exception):
    """The cluster did not come up; the text is what `kubelite up` said."""


class Cluster:
    """A cluster by name; without one it gets a name that belongs to this process.

    Leaving the context deletes what entering it has made: a cluster that was up already stays up, and so does any
    with `keep`.
    """

    def __init__(self, name: str = "", *, keep: bool = False, install_engine: bool = False) -> None:
        self.settings = _settings(name or own_name())
        self._keep = keep
        self._install_engine = install_engine
        self._scratch = Path()

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def kubeconfig(self) -> Path:
        return self.settings.kubeconfig

    @property
    def volumes(self) -> Path:
        """The directory with a subdirectory for every claim."""
        return self.settings.volumes

    def __enter__(self) -> Self:
        self._keep = self._keep or lifecycle.status(self.settings).ready
        self._scratch = Path(tempfile.mkdtemp(prefix="kubelite-"))
        try:
            self.up()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._leave()

    def _leave(self) -> None:
        shutil.rmtree(self._scratch)
        if not self._keep:
            self.delete()

    def up(self) -> None:
        """Start it and wait until it is ready; returns at once when it is."""
        options = ["--install-engine"] if self._install_engine else []
        done = subprocess.run(
            [sys.executable, "-m", "kubelite", "up", "--name", self.name, *options],
            env={**os.environ, "KUBELITE_HOME": str(self.settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=UP_SECONDS,
        )
        if done.returncode:
            raise ClusterError(done.stdout.strip())
        self.settings = _settings(self.name)

    def down(self) -> None:
        """Stop the control plane and the containers; what is stored stays for the next `up`."""
        lifecycle.down(self.settings, lifecycle.engine_of(self.settings), lambda text: None)

    def delete(self) -> None:
        """Remove everything of it."""
        lifecycle.delete(self.settings, lifecycle.engine_of(self.settings), lambda text: None)

    def client(self) -> Client:
        """A new connection to the API as the cluster's administrator; close it after use."""
        return Client.of(self.settings)

    def namespace(self, name: str) -> Namespace:
        """A view of the namespace that is there; close it after use."""
        return Namespace(self.settings, name, self._scratch)

    @contextmanager
    def fresh_namespace(self, prefix: str = "test") -> Iterator[Namespace]:
        """A namespace that nobody used before; its pods are killed and it goes away afterwards, awaited by nobody."""
        with closing(self.namespace(f"{prefix}-{secrets.token_hex(3)}")) as view:
            view.client.request("POST", "/api/v1/namespaces", {"metadata": {"name": view.namespace}})
            try:
                yield view
            finally:
                _remove(view)


def _settings(name: str) -> Settings:
    return Settings.load(name) or Settings(name=name)


def _remove(view: Namespace) -> None:
    """The namespace first: from then on no controller replaces the pods that are killed."""
    path = f"/api/v1/namespaces/{view.namespace}"
    with suppress(ApiError):
        view.client.request("DELETE", path)
        view.client.request("DELETE", f"{path}/pods", {"gracePeriodSeconds": 0})
