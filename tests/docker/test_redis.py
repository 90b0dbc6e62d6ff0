"""Real software on a StatefulSet: Redis, a primary with two replicas, keeps its data whatever happens to its pods."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelite.engine.find import Endpoint
from kubelite.testing.namespace import Namespace
from tests.docker.replicated import ReplicatedSet, build_image

HERE = Path(__file__).parent
PODS = ("redis-0", "redis-1", "redis-2")
PRIMARY, *REPLICAS = PODS


@pytest.fixture(scope="module")
def _image(container_engine: Endpoint) -> None:
    build_image(container_engine, HERE / "redis", "kubelite/test-redis:latest")


class Redis:
    """The three servers, asked by redis-cli from inside of the cluster."""

    def __init__(self, kubelite: Namespace) -> None:
        self._kubelite = kubelite
        self.written: dict[str, str] = {}

    def ask(self, pod: str, *command: str) -> str:
        """The answer of the server of `pod`, which is found by its name in the headless Service."""
        return self._said(f'redis-cli -h {pod}.redis "$@"', *command)

    def write(self, key: str) -> None:
        """To the primary, until both replicas have it too: what one connection wrote it can wait for."""
        self.written[key] = f"value of {key}"
        script = 'printf \'set "%s" "%s"\nwait 2 20000\n\' "$@" | redis-cli -h redis-0.redis'
        assert self._said(script, key, self.written[key]).split() == ["OK", "2"]

    def _said(self, script: str, *arguments: str) -> str:
        return self._kubelite.exec(REPLICAS[0], "sh", "-c", script, "sh", *arguments).strip()

    def assert_everything_is_everywhere(self) -> None:
        for pod in PODS:
            found = {key: self.ask(pod, "get", key) for key in self.written}
            assert found == self.written, pod

    def roles(self) -> list[str]:
        return [self.ask(pod, "role").split()[0] for pod in PODS]


@pytest.mark.usefixtures("_image")
def test_replicated_redis_keeps_its_data(kubelite: Namespace) -> None:
    kubelite.apply(HERE / "redis.yaml")
    replicated = ReplicatedSet(kubelite, "redis")
    replicated.wait()
    redis = Redis(kubelite)
    assert redis.roles() == ["master", "slave", "slave"]
    assert "READONLY" in redis.ask(REPLICAS[0], "set", "key", "value")
    redis.write("at first")
    redis.assert_everything_is_everywhere()
    bound = replicated.volumes()
    assert sorted(bound) == [f"data-{name}" for name in PODS]

    before = replicated.pods()
    kubelite.kubectl("delete", "pod", "redis-0", "redis-2")
    replicated.wait_replaced(before, "redis-0", "redis-2")
    redis.assert_everything_is_everywhere()
    redis.write("after two pods were deleted")

    replicated.restart()
    redis.assert_everything_is_everywhere()
    redis.write("after a rolling update")

    replicated.scale_to_none()
    assert replicated.volumes() == bound
    replicated.scale_back()
    redis.assert_everything_is_everywhere()
    redis.write("after none was left")
    redis.assert_everything_is_everywhere()
    assert redis.roles() == ["master", "slave", "slave"]
    assert replicated.volumes() == bound
    assert replicated.restarts() == [0, 0, 0]
