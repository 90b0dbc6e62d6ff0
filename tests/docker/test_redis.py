"""Real software on a StatefulSet: Redis, a primary with two replicas, keeps its data whatever happens to its pods."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from kubelite.engine import builder
from kubelite.engine.find import Endpoint, connect
from kubelite.engine.images import TOOLS
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.conditions import ready
from kubelite.testing.namespace import Namespace

HERE = Path(__file__).parent
IMAGE = "kubelite/test-redis:latest"
PODS = ("redis-0", "redis-1", "redis-2")
PRIMARY, *REPLICAS = PODS


@pytest.fixture(scope="module")
def _image(container_engine: Endpoint) -> None:
    """From Debian's packages; the engine's cache has it the next time."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(HERE / "redis", ".")
    context.seek(0)
    with closing(connect(container_engine)) as client:
        builder.build(client, "redis", context, IMAGE, {"BASE": TOOLS}, {"kubelite.test": "redis"}, print)


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


def pods(kubelite: Namespace) -> dict[str, Obj]:
    return {meta.name(pod): pod for pod in kubelite.list("pods", "app=redis")}


def replaced(kubelite: Namespace, before: dict[str, Obj], *names: str) -> None:
    """Wait until there are other pods of these names, and all are ready."""
    for name in names:
        kubelite.wait("pods", name, lambda pod, name=name: meta.uid(pod) != meta.uid(before[name]) and ready(pod))
    kubelite.wait("statefulsets", "redis")


def volumes(kubelite: Namespace) -> dict[str, str]:
    return {meta.name(claim): claim["spec"]["volumeName"] for claim in kubelite.list("persistentvolumeclaims")}


@pytest.mark.usefixtures("_image")
def test_replicated_redis_keeps_its_data(kubelite: Namespace) -> None:
    kubelite.apply(HERE / "redis.yaml")
    kubelite.wait("statefulsets", "redis")
    redis = Redis(kubelite)
    assert redis.roles() == ["master", "slave", "slave"]
    assert "READONLY" in redis.ask(REPLICAS[0], "set", "key", "value")
    redis.write("at first")
    redis.assert_everything_is_everywhere()
    bound = volumes(kubelite)
    assert sorted(bound) == [f"data-{name}" for name in PODS]

    before = pods(kubelite)
    kubelite.kubectl("delete", "pod", "redis-0", "redis-2")
    replaced(kubelite, before, "redis-0", "redis-2")
    redis.assert_everything_is_everywhere()
    redis.write("after two pods were deleted")

    before = pods(kubelite)
    kubelite.kubectl("rollout", "restart", "statefulset/redis")
    assert "roll out complete" in kubelite.kubectl("rollout", "status", "statefulset/redis", "--timeout=60s").stdout
    replaced(kubelite, before, *PODS)
    redis.assert_everything_is_everywhere()
    redis.write("after a rolling update")

    kubelite.kubectl("scale", "statefulset/redis", "--replicas=0")
    for name in PODS:
        kubelite.wait("pods", name, "deleted")
    assert volumes(kubelite) == bound
    kubelite.kubectl("scale", "statefulset/redis", "--replicas=3")
    kubelite.wait("statefulsets", "redis")
    redis.assert_everything_is_everywhere()
    redis.write("after none was left")
    redis.assert_everything_is_everywhere()
    assert redis.roles() == ["master", "slave", "slave"]
    assert volumes(kubelite) == bound
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in pods(kubelite).values())
