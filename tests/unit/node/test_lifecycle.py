"""Hooks against an engine in memory and real sockets of this machine."""

from __future__ import annotations

import pytest

from kubelite.node.lifecycle import HookFailed, run_hook
from kubelite.node.services import Services
from kubelite.objects.meta import Obj
from tests.unit.node.fake_node import Node
from tests.unit.node.pods import container, pod
from tests.unit.node.sockets import HERE, answering, listening


@pytest.fixture
def services(node: Node) -> Services:
    return node.kubelet._services


async def ran(services: Services, hook: Obj) -> str:
    """What the hook failed with; "" when it didn't."""
    try:
        await run_hook(services, pod(), container(), "id", hook, HERE)
    except HookFailed as error:
        return str(error)
    return ""


async def test_failed_command_is_told_with_its_code_and_output(node: Node, services: Services) -> None:
    hook = {"exec": {"command": ["hello", "world"]}}
    assert await ran(services, hook) == ""
    node.runtime.exec_codes["hello"] = 3
    assert await ran(services, hook) == (
        'Exec lifecycle hook ([hello world]) for Container "web" in Pod "web-0_default(u-1)" failed - '
        "error: command 'hello world' exited with 3: , message: \"\""
    )


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_any_answer_to_an_http_hook_will_do(services: Services, status: int) -> None:
    seen: list[str] = []
    async with listening(answering(f"HTTP/1.1 {status} X\n\n", seen=seen)) as port:
        assert await ran(services, {"httpGet": {"path": "/x", "port": port}}) == ""
    assert "User-Agent: kube-lifecycle/1.32\r\n" in seen[0]
    assert await ran(services, {"httpGet": {"path": "/x", "port": port}}) == (
        'HTTP lifecycle hook (/x) for Container "web" in Pod "web-0_default(u-1)" failed - error: '
        f'Get "http://{HERE}:{port}/x": dial tcp {HERE}:{port}: connect: connection refused'
    )


async def test_https_hook_falls_back_to_a_server_without_tls(node: Node, services: Services) -> None:
    seen: list[str] = []
    headers = [{"name": "Authorization", "value": "secret"}, {"name": "X-A", "value": "b"}]
    async with listening(answering("HTTP/1.1 400 Bad Request\n\n", "HTTP/1.1 200 OK\n\n", seen=seen)) as port:
        assert await ran(services, {"httpGet": {"scheme": "HTTPS", "port": port, "httpHeaders": headers}}) == ""
    assert "X-A: b" in seen[1]
    assert "secret" not in seen[1]
    message = f"request to HTTPS lifecycle hook {HERE}:{port} got HTTP response, retry with HTTP succeeded"
    assert node.recorded.events == [("LifecycleHTTPFallback", message)]


async def test_tcp_hook_never_works(services: Services) -> None:
    async with listening(answering()) as port:
        assert (await ran(services, {"tcpSocket": {"port": port}})).startswith("Cannot run handler: invalid handler")
