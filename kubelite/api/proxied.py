"""The `proxy` subresource of pods, Services and nodes: what a request is to reach there.

Follows the `ResourceLocation`s of upstream's `registry/core`: a name may come as `name`, `name:port` or
`scheme:name:port`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from ipaddress import ip_address

from aiohttp import web

from kubelite import errors
from kubelite.api.kubelet import KubeletPaths
from kubelite.api.path import Target
from kubelite.objects.meta import Obj
from kubelite.objects.usage import Meter
from kubelite.registry.registry import Registry
from kubelite.streams.proxy import Location, serve_proxy

_KUBELET_PORT = "10250"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's `scheme:name:port`; port is a number, a name or empty."""

    scheme: str
    name: str
    port: str

    @classmethod
    def parse(cls, text: str, singular: str) -> Asked:
        parts = text.split(":")
        scheme, name, port = {1: ("", *parts, ""), 2: ("", *parts), 3: tuple(parts)}.get(len(parts), ("", "", ""))
        if not name or scheme not in ("", *_DEFAULT_PORTS):
            raise errors.bad_request(f'invalid {singular} request "{text}"')
        return cls(scheme or "http", name, port)


class Proxied:
    """The handler."""

    def __init__(self, registry: Registry, meter: Meter) -> None:
        self._registry = registry
        self._kubelet = KubeletPaths(registry, meter)

    async def serve(self, request: web.Request, target: Target) -> web.StreamResponse:
        asked = Asked.parse(target.name, target.kind.singular)
        prefix, path = split_path(request.rel_url.raw_path, namespaced=target.kind.namespaced)
        match target.kind.plural:
            case "services":
                location = self._of_service(target.namespace, asked, target.name)
            case "nodes" if asked.port in ("", _KUBELET_PORT):
                return await self._kubelet.answer(request, asked.name, path)
            case "nodes":
                location = self._of_node(asked)
            case _:
                location = self._of_pod(target.namespace, asked)
        return await serve_proxy(request, location, prefix, path)

    def _of_pod(self, namespace: str | None, asked: Asked) -> Location:
        pod = self._registry.get("pods", namespace, asked.name)
        return _location(asked.scheme, (pod.get("status") or {}).get("podIP") or "", asked.port or first_port(pod))

    def _of_service(self, namespace: str | None, asked: Asked, text: str) -> Location:
        if asked.port.isdecimal():
            service = self._registry.get("services", namespace, asked.name)
            asked = replace(asked, port=port_name(service, int(asked.port)))
        endpoints = self._registry.get("endpoints", namespace, asked.name)
        if not endpoints.get("subsets"):
            raise errors.service_unavailable(f'no endpoints available for service "{asked.name}"')
        found = targets(endpoints, asked.port)
        if not found:
            raise errors.service_unavailable(f'no endpoints available for service "{text}"')
        address, port = random.choice(found)
        return _location(asked.scheme, address, str(port))

    def _of_node(self, asked: Asked) -> Location:
        node = self._registry.get("nodes", None, asked.name)
        addresses = (node.get("status") or {}).get("addresses") or ()
        internal = next((one["address"] for one in addresses if one["type"] == "InternalIP"), "")
        return _location(asked.scheme, internal, asked.port)


def split_path(path: str, *, namespaced: bool) -> tuple[str, str]:
    """The subresource's own path and what follows it, as they were sent."""
    parts = path.split("/")
    end = 8 if namespaced else 6  # "", api, v1, [namespaces, <namespace>,] <plural>, <name>, proxy
    rest = parts[end:]
    return "/".join(parts[:end]), "/" + "/".join(rest) if rest else ""


def first_port(pod: Obj) -> str:
    """The first port that a container of the pod declares."""
    declared = (port for container in pod["spec"]["containers"] for port in container.get("ports") or ())
    return next((str(port["containerPort"]) for port in declared), "")


def port_name(service: Obj, number: int) -> str:
    for port in service["spec"].get("ports") or ():
        if port["port"] == number:
            return str(port.get("name", ""))
    raise errors.service_unavailable(f'no service port {number} found for service "{service["metadata"]["name"]}"')


def targets(endpoints: Obj, port_name: str) -> list[tuple[str, int]]:
    """Ready addresses with the port of that name."""
    return [
        (address["ip"], port["port"])
        for subset in endpoints["subsets"]
        for port in subset.get("ports") or ()
        if port.get("name", "") == port_name
        for address in subset.get("addresses") or ()
    ]


def _location(scheme: str, address: str, port: str) -> Location:
    """Refuses addresses that would lead into the control plane's own machine."""
    try:
        parsed = ip_address(address)
    except ValueError:
        raise errors.bad_request("address not allowed") from None
    if parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast:
        raise errors.bad_request("address not allowed")
    if port and not port.isdecimal():
        raise errors.service_unavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
    return Location(scheme, address, int(port) if port else _DEFAULT_PORTS[scheme])
