"""What the rules need to know of Services and EndpointSlices, cut out of their API objects.

Pure. Called by the watch for every object it receives; `index` keeps the results, `kubelite.net.rules` reads them.
IPv4 only, as the pod network is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kubelite.net.kind import Key, Kind, key_of
from kubelite.objects.addresses import canonical

DEFAULT_AFFINITY_SECONDS = 10800
_NOT_OURS = ("service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless")
"""Labels of Services, and of their slices, that somebody else serves or nobody."""


@dataclass(frozen=True, slots=True)
class Port:
    """`protocol` is nft's word for it: tcp, udp or sctp. `node_port` is 0 where there is none."""

    name: str
    protocol: str
    number: int
    node_port: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """Without `cluster_ips` (headless, external name) a Service has no rules at all; without `ports` (another proxy's)
    what reaches us for its addresses is refused."""

    key: Key
    uid: str = ""
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    balancer_ips: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    source_ranges: tuple[str, ...] = ()
    health_port: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    address: str
    node: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class SlicePort:
    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class Slice:
    key: Key
    service: Key
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()


def service(obj: dict[str, Any]) -> Service:
    spec = obj.get("spec") or {}
    addresses = _ipv4(spec.get("clusterIPs") or [spec.get("clusterIP") or ""])
    if spec.get("type") == "ExternalName" or not addresses:
        return Service(key_of(obj))
    if not _is_ours(obj):
        return Service(key_of(obj), cluster_ips=addresses)
    balancer = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return Service(
        key_of(obj),
        uid=obj["metadata"].get("uid") or "",
        cluster_ips=addresses,
        external_ips=_ipv4(spec.get("externalIPs") or ()),
        balancer_ips=_ipv4(entry.get("ip") or "" for entry in balancer if entry.get("ipMode") != "Proxy"),
        ports=tuple(map(_port, spec.get("ports") or ())),
        affinity_seconds=_affinity_seconds(spec),
        internal_local=spec.get("internalTrafficPolicy") == "Local",
        external_local=spec.get("externalTrafficPolicy") == "Local",
        source_ranges=_ipv4(spec.get("loadBalancerSourceRanges") or ()),
        health_port=spec.get("healthCheckNodePort") or 0,
    )


def _is_ours(obj: dict[str, Any]) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return not any(label in labels for label in _NOT_OURS)


def _ipv4(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(canonical(address.strip()) for address in addresses if "." in address)


def _port(port: dict[str, Any]) -> Port:
    return Port(port.get("name") or "", _protocol(port), port["port"], port.get("nodePort") or 0)


def _protocol(port: dict[str, Any]) -> str:
    return str(port.get("protocol") or "TCP").lower()


def _affinity_seconds(spec: dict[str, Any]) -> int:
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or DEFAULT_AFFINITY_SECONDS)


def endpoint_slice(obj: dict[str, Any]) -> Slice:
    namespace, _ = key = key_of(obj)
    labels = obj["metadata"].get("labels") or {}
    if obj.get("addressType", "IPv4") != "IPv4" or not _is_ours(obj):
        return Slice(key, (namespace, ""))
    return Slice(
        key,
        service=(namespace, labels.get("kubernetes.io/service-name", "")),
        endpoints=tuple(map(_endpoint, obj.get("endpoints") or ())),
        ports=tuple(
            SlicePort(port.get("name") or "", _protocol(port), port["port"])
            for port in obj.get("ports") or ()
            if port.get("port")
        ),
    )


def _endpoint(endpoint: dict[str, Any]) -> Endpoint:
    """An unknown readiness counts as ready, an unknown `serving` is what `ready` is (the API's documentation)."""
    conditions = endpoint.get("conditions") or {}
    ready = conditions.get("ready") is not False
    serving = conditions.get("serving")
    return Endpoint(
        # All addresses of an endpoint are the same one; the first is taken, as upstream does.
        canonical(endpoint["addresses"][0]),
        node=endpoint.get("nodeName") or "",
        ready=ready,
        serving=ready if serving is None else serving,
        terminating=bool(conditions.get("terminating")),
    )


KINDS: tuple[Kind[Any], ...] = (
    Kind("/api/v1/services", Service, service),
    Kind("/apis/discovery.k8s.io/v1/endpointslices", Slice, endpoint_slice),
)
