"""What DNS needs to know of Services, EndpointSlices and Namespaces, cut out of their API objects.

Pure. Called by `source` for every object it receives; `index` keeps the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from kubelite.net.kind import Key, Kind, key_of
from kubelite.objects.addresses import canonical

NO_PORT = -1
"""Port number of a portless service or slice: it has addresses, but no SRV records."""


@dataclass(frozen=True, slots=True)
class Port:
    name: str = ""
    protocol: str = ""
    number: int = NO_PORT


@dataclass(frozen=True, slots=True)
class Namespace:
    key: Key
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """`addresses` are its cluster IPs; none for a headless service and for an external name."""

    key: Key
    addresses: tuple[str, ...] = ()
    ports: tuple[Port, ...] = (Port(),)
    headless: bool = False
    external_name: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    address: str
    hostname: str

    @classmethod
    def named(cls, address: str, hostname: str = "") -> Endpoint:
        """An endpoint without a host name goes by its address with dashes."""
        return cls(address, hostname or dashed(address))


@dataclass(frozen=True, slots=True)
class Slice:
    """The ready endpoints of one EndpointSlice."""

    key: Key
    service: str
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[Port, ...] = (Port(),)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(endpoint.address for endpoint in self.endpoints)


Entry = Namespace | Service | Slice


def dashed(address: str) -> str:
    """`10.0.0.5` as `10-0-0-5`; a label must not end in a dash, so `fd00::` becomes `fd00--0`."""
    label = address.replace(".", "-").replace(":", "-")
    return f"{label}0" if label.endswith("-") else label


def namespace(obj: dict[str, Any]) -> Namespace:
    return Namespace(key_of(obj))


def service(obj: dict[str, Any]) -> Service:
    spec = obj.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return Service(key_of(obj), external_name=spec.get("externalName") or "")
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    ports = tuple(
        Port(port.get("name") or "", port.get("protocol") or "TCP", port["port"]) for port in spec.get("ports") or ()
    )
    return Service(
        key_of(obj),
        addresses=tuple(_canonical(address) for address in addresses if address not in ("", "None")),
        ports=ports or (Port(),),
        headless=addresses[0] == "None",
    )


def endpoint_slice(obj: dict[str, Any]) -> Slice:
    labels = obj["metadata"].get("labels") or {}
    ports = tuple(
        Port(port.get("name") or "", port.get("protocol") or "TCP", port.get("port") or NO_PORT)
        for port in obj.get("ports") or ()
    )
    return Slice(
        key_of(obj),
        service=labels.get("kubernetes.io/service-name", ""),
        endpoints=_ready_endpoints(obj) if obj.get("addressType") != "FQDN" else (),
        ports=ports or (Port(),),
    )


def _ready_endpoints(obj: dict[str, Any]) -> tuple[Endpoint, ...]:
    """An unknown readiness counts as ready, as the API's documentation asks."""
    return tuple(
        Endpoint.named(_canonical(address), endpoint.get("hostname") or "")
        for endpoint in obj.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    )


def _canonical(address: str) -> str:
    """One spelling per IPv6 address, so that a reverse look-up finds it."""
    return str(ip_address(address)) if ":" in address else canonical(address)


KINDS: tuple[Kind[Any], ...] = (
    Kind("/api/v1/namespaces", Namespace, namespace),
    Kind("/api/v1/services", Service, service),
    Kind("/apis/discovery.k8s.io/v1/endpointslices", Slice, endpoint_slice),
)
