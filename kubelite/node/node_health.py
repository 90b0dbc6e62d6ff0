"""Posts the node's health: Ready is what the engine is. Run by the kubelet.

After upstream's node status: `container runtime is down` (reason KubeletNotReady) while the engine doesn't answer, a
heartbeat every five minutes when nothing changes. The engine's event stream tells of its end at once; an engine that
hangs is found out by asking it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from kubelite.config import KUBERNETES_VERSION, Settings
from kubelite.node.node_status import node_status, not_ready
from kubelite.node.runtime import EngineError, Runtime
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder

PERIOD = 10.0
SETTLE = 1.0  # an engine that is only restarting is given so long
ANSWER = 5.0
REPORT = timedelta(minutes=5)
DOWN = "container runtime is down"


class NodeHealth:
    """`run` until cancelled; `look` when something may have happened to the engine."""

    def __init__(
        self, client: Client, recorder: Recorder, runtime: Runtime, settings: Settings, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._runtime = runtime
        self._settings = settings
        self._now = now
        self._wake = asyncio.Event()

    def look(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self.check()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._wake.wait()
            self._wake.clear()

    async def check(self) -> None:
        """Ask the engine, and post what has changed."""
        node = self._node()
        if node is None:
            return
        was, answers = _is_ready(node), await self._answers()
        if was and not answers:
            await asyncio.sleep(SETTLE)
            answers = await self._answers()
        node = self._node()
        if node is None:
            return
        if answers == was and not self._is_due(node):
            return
        try:
            await self._post(node, answers)
        except EngineError:
            self.look()  # it went between two questions
            return
        if answers != was:
            reason = "NodeReady" if answers else "NodeNotReady"
            self._recorder.event(node, "Normal", reason, f"Node {meta.name(node)} status is now: {reason}")

    def _node(self) -> Obj | None:
        return self._client.find("nodes", None, self._settings.node_name)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER):
                await self._runtime.ping()
        except (EngineError, TimeoutError):
            return False
        return True

    def _is_due(self, node: Obj) -> bool:
        status = node.get("status") or {}
        beat = (meta.condition(status.get("conditions"), "Ready") or {}).get("lastHeartbeatTime")
        grown = status.get("capacity") != status.get("allocatable")  # by an extended resource, say
        return grown or beat is None or self._now() - meta.parse_time(beat) >= REPORT

    async def _post(self, node: Obj, answers: bool) -> None:
        old = node.get("status") or {}
        if answers:
            info = await self._runtime.info()
            status = node_status(self._settings, info, KUBERNETES_VERSION, self._now(), old)
        else:
            status = not_ready(old, DOWN, self._now())
        self._client.update("nodes", {**meta.copy(node), "status": status}, "status")


def _is_ready(node: Obj) -> bool:
    return meta.condition_is_true((node.get("status") or {}).get("conditions"), "Ready")
