"""Fixture of the kubelet's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Recorded
from tests.unit.node.fake_node import Node


@pytest.fixture
async def node(registry: Registry, recorded: Recorded, clock: Clock) -> AsyncIterator[Node]:
    node = Node(registry, recorded, clock)
    await node.start()
    yield node
    await node.stop()
