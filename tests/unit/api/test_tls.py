"""Over TLS: client certificates name the user and the groups."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from kubelite.api.aggregation import Aggregation
from kubelite.api.app import Api
from kubelite.api.pods import Pods
from kubelite.pki import Authority
from kubelite.registry.registry import Registry
from kubelite.tokens import TokenAuthority
from tests.unit.api.caller import FakeStreams
from tests.unit.api.measured import Measured
from tests.unit.webhooks import Hooks


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
async def address(
    authority: Authority, registry: Registry, tokens: TokenAuthority, aggregation: Aggregation
) -> AsyncIterator[str]:
    api = Api(registry, tokens, Pods(registry, FakeStreams()), Measured(), {}, "127.0.0.1:6443", Hooks(), aggregation)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_certificate(["127.0.0.1"]))
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    runner = web.AppRunner(api.application(), access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def who(address: str, context: ssl.SSLContext) -> tuple[int, object]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        path = f"{address}/apis/authentication.k8s.io/v1/selfsubjectreviews"
        async with session.post(path, json={}) as answer:
            content = await answer.json()
            return answer.status, content["status"] if answer.status != 201 else content["status"]["userInfo"]


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.ca_file))


async def test_a_certificate_names_its_user(address: str, authority: Authority) -> None:
    context = trusting(authority)
    context.load_cert_chain(*authority.client_certificate("me", "me", ["system:masters", "developers"]))
    groups = ["system:masters", "developers", "system:authenticated"]
    assert await who(address, context) == (201, {"username": "me", "groups": groups})


async def test_without_a_certificate_nobody(address: str, authority: Authority) -> None:
    assert await who(address, trusting(authority)) == (401, "Failure")


async def test_a_stranger_s_certificate_is_no_use(address: str, authority: Authority, tmp_path: Path) -> None:
    context = trusting(authority)
    context.load_cert_chain(*Authority(tmp_path / "other").client_certificate("me", "me", []))
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await who(address, context)
