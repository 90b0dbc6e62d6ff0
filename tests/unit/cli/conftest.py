"""An API server in a thread, over TLS as the commands expect it, with no node behind it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from kubelite.api.aggregation import Aggregation
from kubelite.api.app import Api
from kubelite.api.pods import Pods, PodStreams
from kubelite.bootstrap import initial_objects
from kubelite.cli.client import Client
from kubelite.config import Settings
from kubelite.pki import Authority, kubeconfig, write_kubeconfig
from kubelite.registry.registry import Registry
from kubelite.store import Store
from kubelite.tokens import TokenAuthority
from tests.unit.api.measured import Measured
from tests.unit.webhooks import Hooks


@dataclass(frozen=True)
class Server:
    """A cluster of which only the API is there."""

    settings: Settings
    client: Client


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    settings = Settings(home=tmp_path)
    ready, stop = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(settings, ready, stop),))
    thread.start()
    assert ready.wait(10)
    with closing(Client.of(settings)) as client:
        yield Server(settings, client)
    stop.set()
    thread.join()
    loop.close()


async def _serve(settings: Settings, ready: threading.Event, stop: threading.Event) -> None:
    authority = Authority(settings.pki)
    store = Store(":memory:")
    registry = Registry(store, settings)
    for plural, obj in initial_objects(settings):
        registry.create(plural, obj)
    pods = Pods(registry, cast(PodStreams, None))
    tokens = TokenAuthority(authority.service_account_key())
    aggregation = Aggregation(registry, authority.client_certificate("proxy", "proxy", []))
    api = Api(registry, tokens, pods, Measured(), {}, "127.0.0.1", Hooks(), aggregation)
    runner = web.AppRunner(api.application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_tls(authority))
    await site.start()
    port: Any = runner.addresses[0][1]
    certificate = authority.client_certificate("admin", "kubernetes-admin", ["system:masters"])
    content = kubeconfig("kubelite", f"https://127.0.0.1:{port}", authority.ca_pem, *certificate)
    write_kubeconfig(settings.kubeconfig, content)
    ready.set()
    await asyncio.to_thread(stop.wait)
    await runner.cleanup()
    store.close()


def _tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.server_certificate(["127.0.0.1"]))
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
