"""Calls to webhooks over TLS: where they go, and what isn't taken for an answer."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from kubelite.api.webhooks import WebhookCaller
from kubelite.objects.meta import Obj
from kubelite.pki import Authority
from kubelite.registry.registry import Registry
from kubelite.registry.webhook_review import Call
from kubelite.registry.webhook_rules import Webhook
from tests.unit.webhooks import webhook

HOST = "hook.default.svc"
Says = Callable[[Obj], Any]


def allowing(review: Obj) -> Obj:
    response = {"uid": review["request"]["uid"], "allowed": True}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def responding(**more: Any) -> Says:
    return lambda review: (answer := allowing(review)) | {"response": answer["response"] | more}


@dataclass
class Server:
    """A webhook's server, which shows a certificate for `HOST` and 127.0.0.1."""

    port: int = 0
    bundle: str = ""
    says: Says = allowing
    seen: list[tuple[str, str, Obj]] = field(default_factory=list)  # Host header, path with query, review
    sleeps: float = 0
    status: int = 200

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["Accept"].startswith("application/json")  # agnhost answers */* with YAML now and then
        review = await request.json()
        self.seen.append((request.headers["Host"], str(request.rel_url), review))
        await asyncio.sleep(self.sleeps)
        return web.Response(body=msgspec.json.encode(self.says(review)), status=self.status)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    authority, found = Authority(tmp_path / "pki"), Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_certificate([HOST, "127.0.0.1"]))
    app = web.Application()
    app.router.add_post("/{tail:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    found.port = runner.addresses[0][1]
    found.bundle = base64.b64encode(authority.ca_pem.encode()).decode()
    yield found
    await runner.cleanup()


@pytest.fixture
async def caller(registry: Registry) -> AsyncIterator[WebhookCaller]:
    found = WebhookCaller(registry)
    yield found
    await found.close()


def call(client: Obj, *, mutating: bool = True, **more: Any) -> Call:
    spec = webhook(clientConfig=client) | {"timeoutSeconds": 5} | more
    return Call(Webhook("1", spec), "key", {"operation": "CREATE", "object": {}}, mutating)


def at(server: Server, path: str = "/x") -> Obj:
    return {"url": f"https://127.0.0.1:{server.port}{path}", "caBundle": server.bundle}


async def test_a_url_is_called_with_a_review(server: Server, caller: WebhookCaller) -> None:
    answer = await caller.ask(call(at(server)))
    assert (answer.fault, answer.response["allowed"]) == ("", True)
    host, path, review = server.seen[0]
    assert (host, path) == (f"127.0.0.1:{server.port}", "/x?timeout=5s")
    assert (review["kind"], review["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
    assert review["request"]["operation"] == "CREATE"


async def test_a_service_is_called_at_a_ready_endpoint(
    server: Server, caller: WebhookCaller, registry: Registry
) -> None:
    ports = [{"port": 443, "targetPort": server.port}]
    registry.create("services", {"metadata": {"name": "hook", "namespace": "default"}, "spec": {"ports": ports}})
    client = {"service": {"name": "hook", "namespace": "default", "port": 443, "path": "/y"}, "caBundle": server.bundle}
    assert 'no endpoints available for service "hook"' in (await caller.ask(call(client))).fault
    addresses = [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": server.port}]}]
    endpoints = {"metadata": {"name": "hook", "namespace": "default"}, "subsets": addresses}
    registry.store.put("endpoints", "default", "hook", endpoints)
    assert (await caller.ask(call(client))).fault == ""
    assert server.seen[0][:2] == ("hook.default.svc:443", "/y?timeout=5s")


async def test_a_service_that_isnt_there_is_told(caller: WebhookCaller) -> None:
    client = {"service": {"name": "hook", "namespace": "default", "port": 443}}
    assert (await caller.ask(call(client))).fault == 'failed to call webhook: service "hook" not found'


async def test_a_patch_comes_decoded(server: Server, caller: WebhookCaller) -> None:
    operations = [{"op": "add", "path": "/data", "value": {}}]
    server.says = responding(patch=base64.b64encode(msgspec.json.encode(operations)).decode(), patchType="JSONPatch")
    assert (await caller.ask(call(at(server)))).response["patch"] == operations
    assert (await caller.ask(call(at(server), mutating=False))).response["patch"] == []


async def test_the_first_version_that_is_known_is_spoken(server: Server, caller: WebhookCaller) -> None:
    await caller.ask(call(at(server), admissionReviewVersions=["v9", "v1beta1", "v1"]))
    assert server.seen[0][2]["apiVersion"] == "admission.k8s.io/v1beta1"


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        (responding(uid="other"), "expected response.uid="),
        (
            lambda review: {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"},
            "webhook response was absent",
        ),
        (lambda review: allowing(review) | {"apiVersion": "v1"}, "expected webhook response of admission.k8s.io/v1"),
        (responding(patch="e30="), "webhook returned response.patch but not response.patchType"),
        (responding(patchType="JSONPatch"), "webhook returned response.patchType but not response.patch"),
        (responding(patch="%", patchType="JSONPatch"), "undecodable patch"),
    ],
)
async def test_what_isnt_an_answer(server: Server, caller: WebhookCaller, says: Says, fault: str) -> None:
    server.says = says
    answer = await caller.ask(call(at(server)))
    assert answer.fault.startswith("received invalid webhook response: ")
    assert fault in answer.fault


async def test_an_error_of_the_server_is_a_fault(server: Server, caller: WebhookCaller) -> None:
    server.status = 503
    assert "answered 503" in (await caller.ask(call(at(server)))).fault


async def test_a_slow_server_is_given_up(server: Server, caller: WebhookCaller) -> None:
    server.sleeps = 30
    answer = await caller.ask(call(at(server), timeoutSeconds=0.05))
    assert answer.fault.endswith("context deadline exceeded")


async def test_a_server_that_isnt_trusted_is_a_fault(server: Server, caller: WebhookCaller, tmp_path: Path) -> None:
    stranger = base64.b64encode(Authority(tmp_path / "other").ca_pem.encode()).decode()
    answer = await caller.ask(call(at(server) | {"caBundle": stranger}))
    assert answer.fault.startswith("failed to call webhook: ")
    assert "certificate" in answer.fault


async def test_nobody_at_home_is_a_fault(caller: WebhookCaller) -> None:
    answer = await caller.ask(call({"url": "https://127.0.0.1:1/"}))
    assert answer.fault.startswith('failed to call webhook: Post "https://127.0.0.1:1/?timeout=5s": ')
