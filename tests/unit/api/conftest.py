"""The whole HTTP edge over an in-memory registry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import ec

from kubelite.api.aggregation import Aggregation
from kubelite.api.app import Api
from kubelite.api.pods import Pods
from kubelite.pki import Authority
from kubelite.registry.registry import Registry
from kubelite.tokens import TokenAuthority
from tests.unit.api.caller import Caller, FakeStreams
from tests.unit.api.measured import Measured
from tests.unit.webhooks import Hooks


@pytest.fixture
def streams() -> FakeStreams:
    return FakeStreams()


@pytest.fixture
def hooks() -> Hooks:
    return Hooks()


@pytest.fixture
def tokens(registry: Registry) -> TokenAuthority:
    return TokenAuthority(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def aggregation(registry: Registry, tmp_path: Path) -> Aggregation:
    return Aggregation(registry, Authority(tmp_path / "front-proxy").client_certificate("proxy", "front-proxy", []))


@pytest.fixture
async def call(
    registry: Registry, tokens: TokenAuthority, streams: FakeStreams, hooks: Hooks, aggregation: Aggregation
) -> AsyncIterator[Caller]:
    ready = {"ping": lambda: None}
    api = Api(registry, tokens, Pods(registry, streams), Measured(), ready, "127.0.0.1:6443", hooks, aggregation)
    token = tokens.issue(registry.get("serviceaccounts", "default", "default"))
    server = TestServer(api.application())
    async with TestClient(server) as client:
        yield Caller(client, token.text, registry)
