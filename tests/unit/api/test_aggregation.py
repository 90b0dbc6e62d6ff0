"""Groups that another API server answers: handed on under the user's name, and part of discovery."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from kubelite.api.aggregation import Aggregation
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.pki import Authority
from kubelite.registry.registry import Registry
from tests.unit.api.caller import Caller

GROUP = "wardle.example.com"
NAME = f"v1alpha1.{GROUP}"
ROOT = f"/apis/{GROUP}/v1alpha1"
RESOURCES = [{"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": ["get"]}]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass
class Server:
    """The other API server, which lists its resources and tells how it was asked."""

    port: int
    bundle: str
    asked: list[web.Request] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        assert request.transport.get_extra_info("peercert")["subject"] == ((("commonName", "front-proxy"),),)
        self.asked.append(request)
        if request.path == ROOT:
            return web.json_response({"kind": "APIResourceList", "groupVersion": GROUP, "resources": RESOURCES})
        return web.json_response({"path": str(request.rel_url), "body": (await request.read()).decode()}, status=201)


@pytest.fixture
async def server(tmp_path: Path, registry: Registry, aggregation: Aggregation) -> AsyncIterator[Server]:
    """Behind the Service `api`, which is an APIService's."""
    authority = Authority(tmp_path / "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_certificate(["api.default.svc"]))
    context.load_verify_locations(tmp_path / "front-proxy" / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    found = Server(0, base64.b64encode(authority.ca_pem.encode()).decode())
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.port = runner.addresses[0][1]
    metadata = {"name": "api", "namespace": "default"}
    registry.create("services", {"metadata": metadata, "spec": {"ports": [{"port": 443, "targetPort": found.port}]}})
    subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": found.port}]}]
    registry.store.put("endpoints", "default", "api", {"metadata": metadata, "subsets": subsets})
    yield found
    await runner.cleanup()


async def declare(registry: Registry, aggregation: Aggregation, **more: object) -> tuple[str, str, str]:
    """The APIService; what its check finds is its status."""
    spec = {"group": GROUP, "version": "v1alpha1", "groupPriorityMinimum": 2000, "versionPriority": 200}
    spec |= {"service": {"namespace": "default", "name": "api"}} | more
    made = registry.create("apiservices", {"metadata": {"name": NAME}, "spec": spec})
    found = await aggregation.check(made)
    condition: Obj = {"type": "Available", "status": found[0], "reason": found[1], "message": found[2]}
    registry.update("apiservices", meta.copy(made) | {"status": {"conditions": [condition]}}, "status")
    return found


async def test_requests_are_handed_on_under_the_users_name(
    registry: Registry, aggregation: Aggregation, server: Server, call: Caller
) -> None:
    await declare(registry, aggregation, caBundle=server.bundle)
    path = f"{ROOT}/namespaces/default/flunders?limit=1"
    reply = await call.post(path, {"kind": "Flunder"}, X_Remote_User="root", X_Remote_Group="system:masters")
    assert (reply.status, reply.json) == (201, {"path": path, "body": '{"kind":"Flunder"}'})
    headers = server.asked[-1].headers
    assert headers.getall("X-Remote-User") == ["system:serviceaccount:default:default"]
    assert headers["X-Remote-Extra-authentication.kubernetes.io%2Fcredential-id"].startswith("JTI=")
    assert headers.getall("X-Remote-Group")[-1] == "system:authenticated"
    assert "system:masters" not in headers.getall("X-Remote-Group")
    assert "Authorization" not in headers


async def test_what_it_serves_is_discovered(
    registry: Registry, aggregation: Aggregation, server: Server, call: Caller
) -> None:
    assert await declare(registry, aggregation, caBundle=server.bundle) == ("True", "Passed", "all checks passed")
    groups = {group["name"]: group for group in (await call.get("/apis")).json["groups"]}
    assert groups[GROUP]["preferredVersion"] == {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}
    assert (await call.get(f"/apis/{GROUP}")).json["name"] == GROUP
    assert (await call.get(ROOT)).json["resources"] == RESOURCES
    items = {item["metadata"]["name"]: item for item in (await call.get("/apis", Accept=AGGREGATED)).json["items"]}
    version = items[GROUP]["versions"][0]
    assert [resource["resource"] for resource in version["resources"]] == ["flunders"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"service": {"namespace": "default", "name": "none"}}, "ServiceNotFound"),
        ({"insecureSkipTLSVerify": True}, "Passed"),
        ({}, "FailedDiscoveryCheck"),  # nobody whom the machine trusts
    ],
)
async def test_it_is_available_when_it_answers(
    registry: Registry, aggregation: Aggregation, server: Server, more: dict[str, object], reason: str
) -> None:
    assert (await declare(registry, aggregation, **more))[1] == reason


async def test_without_endpoints_it_is_not_available(
    registry: Registry, aggregation: Aggregation, server: Server, call: Caller
) -> None:
    registry.store.delete("endpoints", "default", "api")
    found = await declare(registry, aggregation, caBundle=server.bundle)
    assert found[1:] == ("MissingEndpoints", 'endpoints for service/api in "default" have no addresses')
    reply = await call.get(f"{ROOT}/flunders")
    assert (reply.status, reply.json["reason"]) == (503, "ServiceUnavailable")
    assert GROUP not in [group["name"] for group in (await call.get("/apis")).json["groups"]]


async def test_nobody_takes_over_what_is_served_here(registry: Registry, call: Caller) -> None:
    spec = {"group": "apps", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
    spec |= {"service": {"namespace": "default", "name": "api"}}
    registry.create("apiservices", {"metadata": {"name": "v1.apps"}, "spec": spec})
    assert (await call.get("/apis/apps/v1/deployments")).status == 200
