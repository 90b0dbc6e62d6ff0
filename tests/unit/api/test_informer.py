"""A cache fed as client-go's reflector feeds its own (list or streaming list, watch, begin again) misses nothing."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from kubelite.registry.registry import Registry
from tests.unit.api.caller import CORE, Caller, config_map
from tests.unit.api.test_list import forget_history

MAPS = f"{CORE}/configmaps"
STREAMING = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"


@dataclass
class Reflector:
    """`seen` by name, and the version to go on from; `relisted` counts the lists."""

    call: Caller
    selector: str = ""
    streaming: bool = False
    seen: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    relisted: int = 0

    async def run(self) -> None:
        while True:
            if not self.version and not self.streaming:
                await self._list()
            await self._watch()

    async def _list(self) -> None:
        self.relisted += 1
        answer = (await self.call.get(f"{MAPS}?resourceVersion=0&limit=500{self.selector}")).json
        self.seen = {item["metadata"]["name"]: item for item in answer["items"]}
        self.version = answer["metadata"]["resourceVersion"]

    async def _watch(self) -> None:
        query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds=1{self.selector}"
        beginning = not self.version
        query += STREAMING if beginning else f"&resourceVersion={self.version}"
        fresh: dict[str, Any] = {}
        async for event in self.call.watch(f"{MAPS}?{query}"):
            obj = event["object"]
            if event["type"] == "ERROR":
                self.version = ""
                return
            if event["type"] == "BOOKMARK":
                if "k8s.io/initial-events-end" in obj["metadata"].get("annotations", {}):
                    self.seen, beginning = fresh, False
                    self.relisted += 1
            elif beginning:
                fresh[obj["metadata"]["name"]] = obj
            else:
                self._take(event["type"], obj)
            if not beginning:
                self.version = obj["metadata"]["resourceVersion"]

    def _take(self, kind: str, obj: Any) -> None:
        name = obj["metadata"]["name"]
        if kind == "DELETED":
            del self.seen[name]
        else:
            assert (kind == "MODIFIED") is (name in self.seen)
            self.seen[name] = obj


def change(registry: Registry, dice: random.Random) -> None:
    name = dice.choice("abcdefgh")
    there = registry.find("configmaps", "default", name)
    labels = {"color": dice.choice(["red", "blue"])}
    if there is None:
        registry.create(
            "configmaps", {**config_map(), "metadata": {"name": name, "namespace": "default", "labels": labels}}
        )
    elif dice.random() < 0.3:
        registry.delete("configmaps", "default", name)
    else:
        registry.patch(
            "configmaps", "default", name, {"metadata": {"labels": labels}, "data": {"n": str(dice.random())}}
        )


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("selector", ["", "&labelSelector=color%3Dred"])
async def test_a_cache_ends_up_as_the_store(call: Caller, registry: Registry, streaming: bool, selector: str) -> None:
    dice = random.Random(f"{streaming}{selector}")
    reflector = Reflector(call, selector, streaming)
    running = asyncio.ensure_future(reflector.run())
    for step in range(400):
        change(registry, dice)
        if step % 150 == 149:
            # The history is lost while the watch is away, so it has to begin anew.
            reflector.version = "1" if reflector.version else ""
            forget_history(registry.store)
        if dice.random() < 0.2:
            await asyncio.sleep(0.001)
    wanted = {
        obj["metadata"]["name"]: obj
        for obj in registry.list("configmaps", "default")
        if not selector or obj["metadata"]["labels"]["color"] == "red"
    }
    async with asyncio.timeout(20):
        while reflector.seen != wanted:
            assert not running.done() or running.result()
            await asyncio.wait([running], timeout=0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert reflector.relisted >= 1
