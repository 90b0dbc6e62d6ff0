"""Health check node ports of Services."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from kubelite.net.proxy.health import Checks, Health

WEB = ("prod", "web")


@pytest.fixture
def health() -> Iterator[Health]:
    health = Health("127.0.0.1", 0)
    health.problem = ""
    yield health
    health.close()


@pytest.fixture
def checks(health: Health) -> Iterator[Checks]:
    checks = Checks(health)
    yield checks
    checks.close()


def free_port() -> int:
    with socket.create_server(("", 0)) as free:
        return int(free.getsockname()[1])


def ask(port: int) -> tuple[int, str | None, dict[str, object]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.getheader("X-Load-Balancing-Endpoint-Weight"), json.loads(answer.read())


def test_port_tells_how_many_pods_are_here(checks: Checks, health: Health) -> None:
    port = free_port()
    told = {"service": {"namespace": "prod", "name": "web"}, "localEndpoints": 2, "serviceProxyHealthy": True}
    checks.put(WEB, port, 2)
    assert ask(port) == (200, "2", told)
    checks.put(WEB, port, 0)
    assert ask(port) == (503, "0", {**told, "localEndpoints": 0})
    checks.put(WEB, port, 1)
    health.problem = "nftables doesn't work here"
    assert ask(port) == (503, "1", {**told, "localEndpoints": 1, "serviceProxyHealthy": False})


def test_port_moves_and_goes_with_its_service(checks: Checks) -> None:
    first, second = free_port(), free_port()
    checks.put(WEB, first, 1)
    checks.put(WEB, second, 1)
    assert ask(second)[0] == 200
    checks.put(WEB, 0, 1)
    for port in (first, second):
        with pytest.raises(ConnectionRefusedError):
            ask(port)


def test_port_that_another_program_has_is_left_to_it(checks: Checks) -> None:
    with socket.create_server(("", 0)) as taken:
        checks.put(WEB, taken.getsockname()[1], 1)
    checks.put(WEB, taken_port := free_port(), 1)
    assert ask(taken_port)[0] == 200
