"""The kubelet and the files that pods see: tokens renewed, resolv.conf cut short."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from kubelite.node import actions
from kubelite.objects import meta
from tests.unit.conftest import Clock
from tests.unit.node.fake_node import Node

TOKENS = {"name": "tokens", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


def _reads(path: Path, text: str) -> bool:
    return path.read_text() == text


async def test_token_in_a_volume_is_renewed_again_and_again(
    node: Node, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "renewal", lambda seconds: 0.001)
    pod = node.create(volumes=[TOKENS])
    token = node.registry.settings.pods / meta.uid(pod) / "volumes/kubernetes.io~projected/tokens/token"
    await node.ready()
    for text in ("token-1", "token-2", "token-3"):
        await node.until(partial(_reads, token, text))
        clock.advance(3000)


async def test_other_changes_leave_a_token_as_it_is(node: Node) -> None:
    node.registry.create("configmaps", {"metadata": {"name": "cm", "namespace": "default"}, "data": {"a": "1"}})
    pod = node.create(volumes=[TOKENS, {"name": "cm", "configMap": {"name": "cm"}}])
    volumes = node.registry.settings.pods / meta.uid(pod) / "volumes"
    await node.ready()
    node.registry.patch("configmaps", "default", "cm", {"data": {"a": "2"}})
    await node.until(lambda: (volumes / "kubernetes.io~configmap/cm/a").read_text() == "2")
    assert (volumes / "kubernetes.io~projected/tokens/token").read_text() == "token-1"


async def test_what_resolv_conf_has_no_room_for_is_told(node: Node) -> None:
    node.create(dnsConfig={"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3"]})
    await node.ready()
    applied = "the applied nameserver line is: 172.30.0.2 1.1.1.1 1.1.1.2"
    told = f"Nameserver limits were exceeded, some nameservers have been omitted, {applied}"
    assert ("DNSConfigForming", told) in node.recorded.events


async def test_immutable_source_stays_as_the_pod_met_it(node: Node) -> None:
    def remake(plural: str, text: str, **more: object) -> None:
        if node.registry.find(plural, "default", "x"):
            node.registry.delete(plural, "default", "x")
        node.registry.create(plural, {"metadata": {"name": "x", "namespace": "default"}, "data": {"a": text}, **more})

    for kind in ("configmaps", "secrets"):
        remake(kind, "b2xk", immutable=kind == "configmaps")
    volumes = [{"name": "cm", "configMap": {"name": "x"}}, {"name": "s", "secret": {"secretName": "x"}}]
    old = node.registry.settings.pods / meta.uid(node.create(volumes=volumes)) / "volumes"
    await node.ready()
    for kind in ("configmaps", "secrets"):
        remake(kind, "bmV3")
    await node.until(partial(_reads, old / "kubernetes.io~secret/s/a", "new"))
    assert _reads(old / "kubernetes.io~configmap/cm/a", "b2xk")
    fresh = node.registry.settings.pods / meta.uid(node.create("web-1", volumes=volumes)) / "volumes"
    await node.ready("web-1")
    assert _reads(fresh / "kubernetes.io~configmap/cm/a", "bmV3")
