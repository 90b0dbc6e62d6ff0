"""Connections into pods and through the `proxy` subresource, as admission sees them: an options object; pure."""

from __future__ import annotations

from aiohttp import web

from kubelite.api.discovery import SUBRESOURCES
from kubelite.api.options import is_true
from kubelite.api.path import Target
from kubelite.objects.meta import Obj
from kubelite.registry.webhook_rules import Attributes

_STREAMS = ("stdin", "stdout", "stderr", "tty")
_CONNECTIONS = ("exec", "attach", "portforward", "proxy")


def connecting(request: web.Request, target: Target) -> Attributes | None:
    """What is asked for by a request that opens a connection; None for all others."""
    if target.subresource not in _CONNECTIONS:
        return None
    kind, name = SUBRESOURCES[target.subresource][2].format(kind=target.kind.kind), target.name.split(":")[0]
    options = {"kind": kind, "apiVersion": "v1"} | _asked(request, target)
    return Attributes(
        target.kind,
        "CONNECT",
        target.namespace or "",
        name,
        new=options,
        subresource=target.subresource,
        shape=("", "v1", kind),
    )


def _asked(request: web.Request, target: Target) -> Obj:
    query = request.query
    if target.subresource == "proxy":
        return {"path": f"/{target.rest}"} if target.rest else {}
    if target.subresource == "portforward":
        ports = [int(port) for text in query.getall("ports", []) for port in text.split(",") if port.isdecimal()]
        return {"ports": ports} if ports else {}
    found: Obj = {name: True for name in _STREAMS if is_true(query, name)}
    if query.get("container"):
        found["container"] = query["container"]
    return found | ({"command": query.getall("command")} if "command" in query else {})
