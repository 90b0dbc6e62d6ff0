"""postStart and preStop hooks. Called by the container starter and by termination.

Follows upstream's `lifecycle/handlers.go`: an HTTP hook only has to get an answer, over plain HTTP if the server speaks
no TLS; no hook has a deadline of its own; a tcpSocket hook is let through by validation and never works.
"""

from __future__ import annotations

import asyncio
import json

from kubelite.node.handlers import BadHandler, HttpFailed, NoTls, agent, fetch, url_of
from kubelite.node.runtime import EngineError
from kubelite.node.services import Services
from kubelite.node.view import full_name
from kubelite.objects.meta import Obj


class HookFailed(Exception):
    """The text says how."""


async def run_hook(services: Services, pod: Obj, container: Obj, container_id: str, hook: Obj, address: str) -> None:
    """HookFailed when it doesn't succeed."""
    whom = f'for Container "{container["name"]}" in Pod "{full_name(pod)}"'
    if action := hook.get("exec"):
        if error := await _run_exec(services, container_id, action):
            raise HookFailed(f"Exec lifecycle hook ([{' '.join(action.get('command') or ())}]) {whom} failed - {error}")
    elif action := hook.get("httpGet"):
        try:
            await _run_http(services, pod, container, action, address)
        except (BadHandler, HttpFailed) as error:
            path = action.get("path") or "/"
            raise HookFailed(f"HTTP lifecycle hook ({path}) {whom} failed - error: {error}") from error
    elif action := hook.get("sleep"):
        await asyncio.sleep(action["seconds"])
    else:
        raise HookFailed("Cannot run handler: invalid handler: tcpSocket")


async def _run_exec(services: Services, container_id: str, action: Obj) -> str:
    """What went wrong; "" when nothing did."""
    command = action.get("command") or []
    try:
        result = await services.runtime.execute(container_id, command, None)
    except EngineError as error:
        return f'error: {error}, message: ""'
    if result.exit_code == 0:
        return ""
    said = json.dumps(result.output, ensure_ascii=False)
    return f"error: command '{' '.join(command)}' exited with {result.exit_code}: {result.output}, message: {said}"


async def _run_http(services: Services, pod: Obj, container: Obj, action: Obj, address: str) -> None:
    url = url_of(container, action, address)
    headers = [(header["name"], header["value"]) for header in action.get("httpHeaders") or ()]
    try:
        await fetch(url, headers, None, agent("lifecycle"))
    except NoTls:
        plain = [(name, value) for name, value in headers if name.lower() != "authorization"]
        await fetch("http" + url.removeprefix("https"), plain, None, agent("lifecycle"))
        host = url.split("/")[2]
        message = f"request to HTTPS lifecycle hook {host} got HTTP response, retry with HTTP succeeded"
        services.recorder.event(pod, "Warning", "LifecycleHTTPFallback", message)
