"""postStart and preStop hooks. Called by the container starter and by termination."""

from __future__ import annotations

import asyncio

from kubelite.node.handlers import BadHandler, run_exec, run_http, run_tcp
from kubelite.node.runtime import EngineError, Runtime
from kubelite.objects.meta import Obj

CONNECT_TIMEOUT = 30.0


class HookFailed(Exception):
    """The text says how."""


async def run_hook(runtime: Runtime, container_id: str, container: Obj, hook: Obj, address: str) -> None:
    """HookFailed when it doesn't succeed. An HTTP hook only has to get an answer."""
    try:
        if action := hook.get("exec"):
            verdict = await run_exec(runtime, container_id, action, None)
            if not verdict.ok:
                raise HookFailed(f"command exited with an error: {verdict.output.strip()}")
        elif action := hook.get("httpGet"):
            verdict = await run_http(container, action, address, CONNECT_TIMEOUT)
            if not verdict.ok and not verdict.output.startswith("HTTP probe failed"):
                raise HookFailed(verdict.output)
        elif action := hook.get("tcpSocket"):
            verdict = await run_tcp(container, action, address, CONNECT_TIMEOUT)
            if not verdict.ok:
                raise HookFailed(verdict.output)
        elif action := hook.get("sleep"):
            await asyncio.sleep(action["seconds"])
    except (EngineError, BadHandler) as error:
        raise HookFailed(str(error)) from error
