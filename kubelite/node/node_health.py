"""Posts the node's health: Ready is what the engine is. Run by the kubelet.

After upstream's node status: `container runtime is down` (reason KubeletNotReady) while the engine doesn't answer, a
heartbeat every five minutes when nothing changes. The engine's event stream tells of its end at once; an engine that
hangs is found out by asking it for the pods' network, which is made anew when somebody removed it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from kubelite.config import KUBERNETES_VERSION, Settings
from kubelite.errors import StatusError
from kubelite.node.node_status import node_status, not_ready
from kubelite.node.runtime import EngineError, EngineGone, Runtime
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder

PERIOD = 10.0
SETTLE = 1.0  # an engine that is only restarting is given so long
ANSWER = 5.0
RETRY = 1.0
REPORT = timedelta(minutes=5)
DOWN = "container runtime is down"
NO_NETWORK = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"


class NodeHealth:
    """`run` until cancelled; `look` when something may have happened to the engine.

    `network_renewed` is called when the pods' network was gone and is made anew: no pod is attached to it.
    """

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        runtime: Runtime,
        settings: Settings,
        now: Callable[[], datetime],
        network_renewed: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._runtime = runtime
        self._settings = settings
        self._now = now
        self._network_renewed = network_renewed
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
        was, trouble = _is_ready(node), await self._trouble()
        if was and trouble:
            await asyncio.sleep(SETTLE)
            trouble = await self._trouble()
        node = self._node()
        if node is None:
            return
        if was is not bool(trouble) and not self._is_due(node):
            return
        try:
            await self._post(node, trouble)
        except (EngineError, StatusError):
            # It went between two questions, or another one wrote, or the disk is full.
            asyncio.get_running_loop().call_later(RETRY, self.look)
            return
        if was is bool(trouble):
            reason = "NodeNotReady" if trouble else "NodeReady"
            self._recorder.event(node, "Normal", reason, f"Node {meta.name(node)} status is now: {reason}")

    def _node(self) -> Obj | None:
        return self._client.find("nodes", None, self._settings.node_name)

    async def _trouble(self) -> str:
        """Why no pod can run; "" when all is well."""
        try:
            async with asyncio.timeout(ANSWER):
                renewed = await self._runtime.restore_network()
        except (EngineGone, TimeoutError):
            return DOWN
        except EngineError as error:
            return f"{NO_NETWORK}{error}"
        if renewed:
            await self._network_renewed()
        return ""

    def _is_due(self, node: Obj) -> bool:
        status = node.get("status") or {}
        beat = (meta.condition(status.get("conditions"), "Ready") or {}).get("lastHeartbeatTime")
        grown = status.get("capacity") != status.get("allocatable")  # by an extended resource, say
        return grown or beat is None or self._now() - meta.parse_time(beat) >= REPORT

    async def _post(self, node: Obj, trouble: str) -> None:
        old = node.get("status") or {}
        if not trouble:
            info = await self._runtime.info()
            status = node_status(self._settings, info, KUBERNETES_VERSION, self._now(), old)
        else:
            status = not_ready(old, trouble, self._now())
        self._client.update("nodes", {**meta.copy(node), "status": status}, "status")


def _is_ready(node: Obj) -> bool:
    return meta.condition_is_true((node.get("status") or {}).get("conditions"), "Ready")
