"""EndpointSlices: defaults, validation, the Table; after upstream's `apis/discovery`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, duplicate, invalid_value, not_supported, required, too_many
from kubelite.objects import meta
from kubelite.objects.addresses import parse_address
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.endpoints import PROTOCOLS, special_address_errors
from kubelite.registry.printing import UNSET, age, first_three

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MAX_ENDPOINTS = 1000
_MAX_ADDRESSES = 100
_MAX_PORTS = 20000
_MAX_ZONES = 8


def _default(endpoint_slice: Obj) -> None:
    for port in endpoint_slice.get("ports") or ():
        port["name"] = port.get("name") or ""
        port["protocol"] = port.get("protocol") or "TCP"


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    kind = new.get("addressType") or ""
    if not kind:
        errors = [required("addressType")]
    else:
        errors = [] if kind in _ADDRESS_TYPES else [not_supported("addressType", kind, _ADDRESS_TYPES)]
    endpoints = new.get("endpoints") or []
    if len(endpoints) > _MAX_ENDPOINTS:
        return [*errors, too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
    for index, endpoint in enumerate(endpoints):
        errors += _endpoint_errors(f"endpoints[{index}]", endpoint, kind)
    errors += _ports_errors(new.get("ports") or [])
    if old is not None:
        errors += validation.unchanged("addressType", kind, old.get("addressType"))
    return errors


def _endpoint_errors(path: str, endpoint: Obj, kind: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or []
    errors = [] if addresses else [required(f"{path}.addresses", "must contain at least 1 address")]
    if len(addresses) > _MAX_ADDRESSES:
        errors.append(too_many(f"{path}.addresses", len(addresses), _MAX_ADDRESSES))
    for index, address in enumerate(addresses):
        errors += _address_errors(f"{path}.addresses[{index}]", address, kind)
    if (node := endpoint.get("nodeName")) is not None:
        errors += validation.values(f"{path}.nodeName", node, validation.dns_subdomain(node))
    if (hostname := endpoint.get("hostname")) is not None:
        errors += validation.values(f"{path}.hostname", hostname, validation.dns_label(hostname))
    errors += validation.labels(f"{path}.deprecatedTopology", endpoint.get("deprecatedTopology"))
    return errors + _hint_errors(f"{path}.hints.forZones", (endpoint.get("hints") or {}).get("forZones") or [])


def _hint_errors(path: str, zones: list[Obj]) -> list[FieldError]:
    if len(zones) > _MAX_ZONES:
        return [too_many(path, len(zones), _MAX_ZONES)]
    errors: list[FieldError] = []
    names = [zone.get("name") or "" for zone in zones]
    for index, name in enumerate(names):
        if name in names[:index]:
            errors.append(duplicate(f"{path}[{index}].name", name))
        errors += validation.values(f"{path}[{index}].name", name, validation.qualified_name(name))
    return errors


def _address_errors(path: str, address: str, kind: str) -> list[FieldError]:
    if kind == "FQDN":
        name = address.removesuffix(".")
        errors = validation.values(path, address, validation.dns_subdomain(name))
        if not errors and "." not in name:
            text = "should be a domain with at least two segments separated by dots"
            errors.append(invalid_value(path, address, text))
        return errors
    if messages := validation.ip_address(address):
        return validation.values(path, address, messages)
    version = parse_address(address).version
    if kind == "IPv4" and version != 4:
        return [invalid_value(path, address, "must be an IPv4 address")]
    if kind == "IPv6" and version != 6:
        return [invalid_value(path, address, "must be an IPv6 address")]
    return special_address_errors(path, address)


def _ports_errors(ports: list[Obj]) -> list[FieldError]:
    if len(ports) > _MAX_PORTS:
        return [too_many("ports", len(ports), _MAX_PORTS)]
    errors = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name, protocol = port["name"], port["protocol"]
        if name:
            errors += validation.values(f"ports[{index}].name", name, validation.dns_label(name))
        if name in seen:
            errors.append(duplicate(f"ports[{index}].name", name))
        seen.add(name)
        if protocol not in PROTOCOLS:
            errors.append(not_supported(f"ports[{index}].protocol", protocol, PROTOCOLS))
        if (application := port.get("appProtocol")) is not None:
            rule = validation.qualified_name(application)
            errors += validation.values(f"ports[{index}].appProtocol", application, rule)
    return errors


def _shown_port(port: Obj) -> str:
    return str(port.get("port") or port.get("name", "*"))


def _row(endpoint_slice: Obj, now: datetime) -> list[Any]:
    ports = [_shown_port(port) for port in endpoint_slice.get("ports") or ()]
    addresses = [address for endpoint in endpoint_slice.get("endpoints") or () for address in endpoint["addresses"]]
    return [
        meta.name(endpoint_slice),
        endpoint_slice.get("addressType", ""),
        first_three(ports) or UNSET,
        first_three(addresses) or UNSET,
        age(endpoint_slice, now),
    ]


ENDPOINT_SLICE = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    namespaced=True,
    columns=(
        NAME_COLUMN,
        Column("AddressType", description="Kind of its addresses."),
        Column("Ports", description="Ports of every endpoint."),
        Column("Endpoints", description="Addresses, ready or not."),
        AGE_COLUMN,
    ),
    row=_row,
    default=_default,
    validate=_validate,
    counts_generations=True,
)
