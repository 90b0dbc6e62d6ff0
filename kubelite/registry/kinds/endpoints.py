"""Endpoints (the old form of endpoint slices): defaults, validation, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.addresses import parse_address
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import NONE, age, first_three

PROTOCOLS = ("SCTP", "TCP", "UDP")


def special_address_errors(path: str, address: str) -> list[FieldError]:
    """Addresses that mean something else on every machine can't be endpoints or external addresses."""
    ip = parse_address(address)
    rules = (
        (ip.is_unspecified, "may not be unspecified (0.0.0.0 or ::)"),
        (ip.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (ip.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (
            ip.is_multicast and address.startswith(("224.0.0.", "ff02:")),
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    )
    return [invalid_value(path, address, text) for wrong, text in rules if wrong]


def _default(endpoints: Obj) -> None:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    nodes = _nodes_by_address(old or {})
    errors = []
    for index, subset in enumerate(new.get("subsets") or ()):
        errors += _subset_errors(f"subsets[{index}]", subset, nodes)
    return errors


def _nodes_by_address(endpoints: Obj) -> dict[str, str]:
    return {
        address["ip"]: address["nodeName"]
        for subset in endpoints.get("subsets") or ()
        for field in ("addresses", "notReadyAddresses")
        for address in subset.get(field) or ()
        if address.get("nodeName")
    }


def _subset_errors(path: str, subset: Obj, nodes: dict[str, str]) -> list[FieldError]:
    errors = []
    if not subset.get("addresses") and not subset.get("notReadyAddresses"):
        errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
    for field in ("addresses", "notReadyAddresses"):
        for index, address in enumerate(subset.get(field) or ()):
            errors += _address_errors(f"{path}.{field}[{index}]", address, nodes)
    ports = subset.get("ports") or []
    for index, port in enumerate(ports):
        errors += _port_errors(f"{path}.ports[{index}]", port, needs_name=len(ports) > 1)
    return errors


def _address_errors(path: str, address: Obj, nodes: dict[str, str]) -> list[FieldError]:
    ip, hostname, node = address.get("ip") or "", address.get("hostname") or "", address.get("nodeName")
    errors = validation.values(f"{path}.ip", ip, validation.ip_address(ip))
    if hostname:
        errors += validation.values(f"{path}.hostname", hostname, validation.dns_label(hostname))
    if node is not None:
        errors += validation.values(f"{path}.nodeName", node, validation.dns_subdomain(node))
        if nodes.get(ip, node) != node:
            errors.append(forbidden_field(f"{path}.nodeName", f"Cannot change NodeName for {ip} to {node}"))
    return errors or special_address_errors(f"{path}.ip", ip)


def _port_errors(path: str, port: Obj, *, needs_name: bool) -> list[FieldError]:
    name, number, protocol = port.get("name") or "", port.get("port") or 0, port["protocol"]
    errors = validation.values(f"{path}.name", name, validation.dns_label(name)) if name else []
    if needs_name and not name:
        errors.append(required(f"{path}.name"))
    errors += validation.values(f"{path}.port", number, validation.port_number(number))
    if protocol not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    return errors


def _row(endpoints: Obj, now: datetime) -> list[Any]:
    subsets = endpoints.get("subsets")
    shown = first_three(_targets(subsets)) if subsets else NONE
    return [meta.name(endpoints), shown, age(endpoints, now)]


def _targets(subsets: list[Obj]) -> list[str]:
    """Ready addresses with each port."""
    targets = []
    for subset in subsets:
        addresses = [entry["ip"] for entry in subset.get("addresses") or ()]
        if not subset.get("ports"):
            targets += addresses
        for port in subset.get("ports") or ():
            targets += [_joined(address, port["port"]) for address in addresses]
    return targets


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


ENDPOINTS = Kind(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    namespaced=True,
    short_names=("ep",),
    columns=(NAME_COLUMN, Column("Endpoints", description="Addresses and ports that are ready."), AGE_COLUMN),
    row=_row,
    default=_default,
    validate=_validate,
    create_on_update=True,
)
