"""The `attach` subresource of pods: the streams of a container's main process."""

from __future__ import annotations

from aiohttp import web

from kubelite.node.process import ProcessFactory
from kubelite.streams.command import serve_command
from kubelite.streams.remote import Status, StreamOptions
from kubelite.streams.session import SUCCESS


async def serve_attach(request: web.Request, attach: ProcessFactory, options: StreamOptions) -> web.StreamResponse:
    """Upgrade the request, `attach` and serve the streams until the container ends. Its exit code isn't told:
    clients read it from the pod's status."""
    return await serve_command(request, attach, options, _attached, doing="attaching to")


def _attached(code: int) -> Status:
    return SUCCESS
