"""The `exec` subresource of pods: a command in a container, its streams, its exit code."""

from __future__ import annotations

from aiohttp import web

from kubelite.node.process import ProcessFactory
from kubelite.streams.command import serve_command
from kubelite.streams.remote import Status, StreamOptions
from kubelite.streams.session import SUCCESS


async def serve_exec(request: web.Request, start: ProcessFactory, options: StreamOptions) -> web.StreamResponse:
    """Upgrade the request, `start` the command and serve its streams. What `start` raises as EngineError, and the
    exit code, reach the client as a Status on its error stream."""
    return await serve_command(request, start, options, exit_status, doing="executing command in")


def exit_status(code: int) -> Status:
    """The outcome of a command, as kubectl reads it."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: Error executing in Docker Container: {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
