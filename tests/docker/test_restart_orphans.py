"""What a kubelet finds of pods that are no more when it starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kubelite.config import LABEL_CLUSTER, LABEL_CONTAINER_NAME
from tests.docker.kubelet_node import Node, running_node

SLEEP = {
    "image": "kubelite/tools:latest",
    "imagePullPolicy": "IfNotPresent",
    "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"],
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running_node(tmp_path) as node:
        yield node


async def test_container_of_a_replaced_pod_is_gone_before_its_successor_starts(node: Node) -> None:
    node.create("twin", SLEEP)
    await node.ready("twin")
    await node.stop()
    node.delete("twin", 0)
    node.create("twin", SLEEP)
    label = f"{LABEL_CLUSTER}={node.settings.name}"
    events = node.engine.events(decode=True, filters={"label": label, "event": ["start", "destroy"]})
    try:
        await node.restart()
        await node.ready("twin")
        seen = await asyncio.to_thread(lambda: [next(events) for _ in range(4)])
    finally:
        events.close()
    actions = [event["Action"] for event in seen if event["Actor"]["Attributes"][LABEL_CONTAINER_NAME] == "web"]
    assert actions == ["destroy", "start"]
