"""The bare engine's side: containers through the SDK on a user network, as fast as a script can make them."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import docker.errors

from kubelite.engine.images import PAUSE
from tests.bench.rows import timed

IMAGE = "httpd:2.4"
NETWORK = f"kubelite-bench-{os.getpid()}"
LABELS = {"kubelite.bench": "1"}


class Bare:
    """httpd containers on a network of their own."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def start(self, number: int) -> list[str]:
        return [self._run(f"kubelite-bench-{number}", IMAGE, NETWORK)]

    def start_with_sandbox(self, number: int) -> list[str]:
        """Two containers, as a pod has them: one that holds the network, and httpd in it."""
        pause = self._run(f"kubelite-bench-{number}-pause", PAUSE, NETWORK)
        return [pause, self._run(f"kubelite-bench-{number}", IMAGE, f"container:{pause}")]

    def _run(self, name: str, image: str, network: str) -> str:
        host_config = self._client.api.create_host_config(network_mode=network)
        made = self._client.api.create_container(image, name=name, host_config=host_config, labels=LABELS)
        self._client.api.start(made["Id"])
        return str(made["Id"])

    def one_by_one(self, count: int) -> float:
        made: list[str] = []
        seconds = timed(lambda: made.extend(one for number in range(count) for one in self.start(number)))
        self._remove(made)
        return seconds

    def in_a_pool(self, count: int, threads: int, start: Callable[[int], list[str]] | None = None) -> float:
        made: list[list[str]] = []
        with ThreadPoolExecutor(threads) as pool:
            seconds = timed(lambda: made.extend(pool.map(start or self.start, range(count))))
        self._remove([one for several in made for one in several])
        return seconds

    def replace(self) -> float:
        (old,) = self.start(0)
        new: list[str] = []

        def action() -> None:
            self._client.api.remove_container(old, force=True)
            new.extend(self.start(0))

        seconds = timed(action)
        self._remove(new)
        return seconds

    def restarts(self, count: int) -> float:
        """One container is stopped and started so many times; each time it serves before it is stopped."""
        (made,) = self.start(0)
        seconds = 0.0
        for _ in range(count):
            self._wait_until_serving(made)
            seconds += timed(lambda: self._client.api.stop(made)) + timed(lambda: self._client.api.start(made))
        self._remove([made])
        return seconds

    def _wait_until_serving(self, container: str) -> None:
        """Before that, httpd would not notice the signal to stop and take the whole time that it is given."""
        address = self._client.api.inspect_container(container)["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
        while True:
            with socket.socket() as connection:
                if connection.connect_ex((address, 80)) == 0:
                    return
            time.sleep(0.02)

    def _remove(self, made: list[str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: self._client.api.remove_container(one, force=True), made))


@contextlib.contextmanager
def bare_engine(client: docker.DockerClient) -> Iterator[Bare]:
    """Its containers and network go afterwards, and so do those of a run that was killed."""
    _sweep(client)
    client.api.create_network(NETWORK, driver="bridge", labels=LABELS)
    try:
        yield Bare(client)
    finally:
        _sweep(client)


def _sweep(client: docker.DockerClient) -> None:
    for leftover in client.api.containers(all=True, filters={"label": list(LABELS)}):
        client.api.remove_container(leftover["Id"], force=True)
    for network in client.api.networks(filters={"label": list(LABELS)}):
        with contextlib.suppress(docker.errors.APIError):  # an overloaded engine may still hold dead endpoints
            client.api.remove_network(network["Id"])
