"""What exec and attach share: the upgrade to either wire, then the session."""

from __future__ import annotations

from aiohttp import web

from kubelite.node.process import Process, ProcessFactory
from kubelite.node.runtime import NoSuchContainer
from kubelite.streams import channels, session
from kubelite.streams.remote import SPDY_PROTOCOLS, ChannelRemote, SpdyRemote, StreamOptions
from kubelite.streams.spdy_connection import SpdyConnection
from kubelite.streams.upgrade import (
    Upgraded,
    is_websocket,
    negotiate,
    require_upgrade,
    subprotocols,
    upgrade_to_spdy,
    upgrade_to_websocket,
)

_CHANNEL_PROTOCOLS = {protocol.name: protocol for protocol in channels.REMOTE_COMMAND}
_TRANSLATED = [protocol.name for protocol in channels.REMOTE_COMMAND if protocol.closes_channels]


def missing_container(request: web.Request, name: str) -> ProcessFactory:
    """For a container that doesn't run. A client of v5 hears of it over its WebSocket, others in plain text, as from a
    node's kubelet."""
    message = f'container not found ("{name}")'
    if not is_websocket(request) or not any(offered in _TRANSLATED for offered in subprotocols(request)):
        raise web.HTTPInternalServerError(text=message)

    async def start() -> Process:
        raise NoSuchContainer(f"unable to upgrade connection: {message}")

    return start


async def serve_command(
    request: web.Request, start: ProcessFactory, options: StreamOptions, status_of: session.StatusOf, doing: str
) -> web.StreamResponse:
    require_upgrade(request)
    if is_websocket(request):
        socket = await upgrade_to_websocket(request, list(_CHANNEL_PROTOCOLS))
        protocol = _CHANNEL_PROTOCOLS.get(socket.ws_protocol or "", channels.UNNAMED)
        async with ChannelRemote(socket, protocol, options) as remote:
            await remote.greet()
            await session.run(remote, start, status_of, doing)
        return socket
    await _serve_spdy(request, start, options, status_of, doing)
    return Upgraded()


async def _serve_spdy(
    request: web.Request, start: ProcessFactory, options: StreamOptions, status_of: session.StatusOf, doing: str
) -> None:
    chosen = negotiate(request, SPDY_PROTOCOLS)
    wire = await upgrade_to_spdy(request, chosen)
    try:
        async with SpdyConnection(wire) as connection:
            remote = await SpdyRemote.open(connection, chosen, options)
            await session.run(remote, start, status_of, doing)
    except (ConnectionError, TimeoutError):
        pass  # it went, or never opened its streams
