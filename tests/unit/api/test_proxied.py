"""The proxy subresource of pods, Services and nodes, against a server of the test's own."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import hdrs, web
from aiohttp.test_utils import TestServer

from kubelite.api import proxied
from kubelite.errors import StatusError
from kubelite.objects.meta import Obj
from kubelite.streams.proxy import Location
from tests.unit.api.caller import CORE, Caller, pod

PROXY = f"{CORE}/pods/web/proxy"


async def _serve(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/page":
            return web.Response(text='<a href="/x">t</a>', content_type="text/html")
        case "/zipped":
            page = gzip.compress(b'<a href="/x">t</a>')
            return web.Response(body=page, headers={"Content-Type": "text/html", "Content-Encoding": "gzip"})
        case "/away":
            return web.Response(status=302, headers={"Location": "/there/"})
        case "/teapot":
            return web.Response(status=418, text="short", headers={"Access-Control-Allow-Origin": "*"})
        case "/socket":
            if hdrs.AUTHORIZATION in request.headers:
                return web.Response(status=500)
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(f"you said {message.data}")
            return socket
    body = (await request.read()).decode()
    seen = {"method": request.method, "path": request.raw_path, "body": body, "headers": dict(request.headers)}
    return web.json_response(seen)


@pytest.fixture
async def target(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestServer]:
    """A server on this machine's loopback address, which real requests mustn't reach."""
    app = web.Application(client_max_size=8 << 20)
    app.router.add_route("*", "/{tail:.*}", _serve)
    server = TestServer(app)
    async with server:
        location = Location("http", "127.0.0.1", server.port or 0)
        monkeypatch.setattr(proxied, "_location", lambda scheme, address, port: location)
        yield server


@pytest.fixture
async def web_pod(call: Caller, target: TestServer) -> None:
    await call.post(f"{CORE}/pods", pod())


@pytest.mark.parametrize("method", ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"])
async def test_every_method_reaches_the_pod_with_path_query_and_body(call: Caller, web_pod: None, method: str) -> None:
    body = None if method == "GET" else b"something"
    reply = await call(method, f"{PROXY}/some/pa%20th/?q=a%20b", body)
    seen = reply.json
    assert (reply.status, seen["method"], seen["path"]) == (200, method, "/some/pa%20th/?q=a%20b")
    assert seen["body"] == ("" if body is None else "something")


async def test_the_pod_doesnt_get_the_callers_credentials(call: Caller, web_pod: None) -> None:
    headers = (await call.get(f"{PROXY}/x", X_Mine="1")).json["headers"]
    assert "Authorization" not in headers
    assert headers["X-Mine"] == "1"
    assert headers["X-Forwarded-Uri"] == f"{PROXY}/x"


async def test_much_is_passed_on_both_ways(call: Caller, web_pod: None) -> None:
    """More than a resource's body may have, from a client that asks before it sends."""
    body = b"x" * (4 << 20)
    reply = await call("POST", f"{PROXY}/x", body, Expect="100-continue")
    assert reply.status == 200
    assert len(reply.json["body"]) == len(body)


async def test_head_has_no_body_and_the_status(call: Caller, web_pod: None) -> None:
    reply = await call("HEAD", f"{PROXY}/page")
    assert (reply.status, reply.content) == (200, b"")


async def test_links_and_redirects_come_back_through_the_proxy(call: Caller, web_pod: None) -> None:
    page = f'<a href="{PROXY}/x">t</a>'.encode()
    assert (await call.get(f"{PROXY}/page")).content == page
    assert (await call.get(f"{PROXY}/zipped", Accept_Encoding="gzip")).content == page
    redirected = await call.get(f"{PROXY}/away")
    assert redirected.json["path"] == "/there/"


async def test_a_failure_of_the_pod_is_the_answer(call: Caller, web_pod: None) -> None:
    reply = await call.get(f"{PROXY}/teapot")
    assert (reply.status, reply.content) == (418, b"short")
    assert "Access-Control-Allow-Origin" not in reply.headers


async def test_a_path_without_slash_is_redirected_for_get_alone(call: Caller, web_pod: None) -> None:
    assert (await call.get(f"{PROXY}?method=GET")).json["path"] == "/?method=GET"
    assert (await call.post(f"{PROXY}?method=POST", b"")).json["path"] == "/?method=POST"


async def test_who_doesnt_listen_is_unavailable(call: Caller, web_pod: None, target: TestServer) -> None:
    port = target.port
    await target.close()
    reply = await call.get(f"{PROXY}/x")
    why = f"error trying to reach service: dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert (reply.status, reply.message) == (503, why)


async def test_a_websocket_is_handed_on(call: Caller, web_pod: None) -> None:
    lowered = {name.lower(): value for name, value in call.headers.items()}
    async with call.client.ws_connect(f"{PROXY}/socket", headers=lowered) as socket:
        await socket.send_str("hello")
        assert (await socket.receive_str()) == "you said hello"
        await socket.close()
        assert socket.close_code == aiohttp.WSCloseCode.OK


def _endpoints(name: str, ports: list[Obj], *addresses: str) -> Obj:
    subsets = [{"addresses": [{"ip": one} for one in addresses], "ports": ports}] if addresses else []
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name}, "subsets": subsets}


async def test_a_service_is_reached_by_port_name_or_number(call: Caller, target: TestServer) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": ports}}
    await call.post(f"{CORE}/services", service)
    await call.post(f"{CORE}/endpoints", _endpoints("web", ports, "172.30.0.9"))
    for name in ("web:a", "web:81", "http:web:b"):
        assert (await call.get(f"{CORE}/services/{name}/proxy/x")).json["path"] == "/x"
    replies = [await call.get(f"{CORE}/services/{name}/proxy/x") for name in ("web:82", "web:c", "ftp:web:a", "gone")]
    assert [(reply.status, reply.message) for reply in replies] == [
        (503, 'no service port 82 found for service "web"'),
        (503, 'no endpoints available for service "web:c"'),
        (400, 'invalid service request "ftp:web:a"'),
        (404, 'endpoints "gone" not found'),
    ]


async def test_a_service_without_endpoints_is_unavailable(call: Caller, target: TestServer) -> None:
    await call.post(f"{CORE}/endpoints", _endpoints("web", []))
    reply = await call.get(f"{CORE}/services/web/proxy/")
    assert (reply.status, reply.message) == (503, 'no endpoints available for service "web"')


async def test_a_node_answers_for_its_kubelet(call: Caller) -> None:
    call.registry.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}})
    await call.post(f"{CORE}/pods", {**pod(), "spec": {**pod()["spec"], "nodeName": "one"}})
    for name in ("one", "one:10250"):
        assert (await call.get(f"/api/v1/nodes/{name}/proxy/healthz")).content == b"ok"
    assert (await call.get("/api/v1/nodes/one/proxy/pods")).names == ["web"]
    metrics = (await call.get("/api/v1/nodes/one/proxy/metrics/resource")).content.decode()
    assert 'pod_memory_working_set_bytes{namespace="default",pod="web"} 3145728\n' in metrics
    assert "node_cpu_usage_seconds_total 12.5\n" in metrics
    assert "resource_scrape_error 0\n" in metrics
    metrics = (await call.get("/api/v1/nodes/one:10250/proxy/metrics")).content.decode()
    assert 'kubelet_node_name{node="one"} 1\n' in metrics
    assert 'kubelet_running_containers{container_state="running"} 0\n' in metrics
    assert (await call.get("/api/v1/nodes/one/proxy/nothing")).status == 404
    assert (await call.get("/api/v1/nodes/two/proxy/healthz")).status == 404


@pytest.mark.parametrize("address", ["", "127.0.0.1", "169.254.1.1", "0.0.0.0"])
async def test_addresses_of_the_control_plane_arent_proxied(call: Caller, address: str) -> None:
    with pytest.raises(StatusError, match="address not allowed"):
        proxied._location("http", address, "80")


def test_a_pods_first_declared_port_is_its_port() -> None:
    one = {"spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}]}]}}
    assert proxied.first_port(one) == "8080"
    assert proxied.first_port(pod()) == ""
