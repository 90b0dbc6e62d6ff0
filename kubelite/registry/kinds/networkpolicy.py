"""NetworkPolicies: kept as manifests bring them, and not enforced (as with many a network of a real cluster)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import msgspec

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.workload import selector_cell
from kubelite.registry.printing import age

_TYPES = ("Ingress", "Egress")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def _default(policy: Obj) -> None:
    spec = policy["spec"] = dict(policy.get("spec") or {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction, _ in _DIRECTIONS:
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    found = validation.label_selector("spec.podSelector", spec["podSelector"])
    for direction, peers in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            found += _rule_errors(f"spec.{direction}[{index}]", rule, peers)
    types = spec["policyTypes"]
    if len(types) > len(_TYPES):
        shown = msgspec.Raw(f"[]networking.PolicyType{{{', '.join(_quoted(name) for name in types)}}}".encode())
        return [*found, invalid_value("spec.policyTypes", shown, "may not specify more than two policyTypes")]
    for index, name in enumerate(types):
        if name not in _TYPES:
            found.append(not_supported(f"spec.policyTypes[{index}]", name, _TYPES))
    return found


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _rule_errors(path: str, rule: Obj, peers: str) -> Iterator[FieldError]:
    for index, port in enumerate(rule.get("ports") or ()):
        yield from _port_errors(f"{path}.ports[{index}]", port)
    for index, peer in enumerate(rule.get(peers) or ()):
        yield from _peer_errors(f"{path}.{peers}[{index}]", peer)


def _port_errors(path: str, port: Obj) -> Iterator[FieldError]:
    protocol, number, end = port["protocol"], port.get("port"), port.get("endPort")
    if protocol not in _PROTOCOLS:
        yield not_supported(f"{path}.protocol", protocol, _PROTOCOLS)
    if isinstance(number, int):
        yield from validation.values(f"{path}.port", number, validation.port_number(number))
        if end is not None and end < number:
            yield invalid_value(f"{path}.endPort", number, "must be greater than or equal to `port`")
        if end is not None:
            yield from validation.values(f"{path}.endPort", end, validation.port_number(end))
    elif isinstance(number, str):
        yield from validation.values(f"{path}.port", number, validation.port_name(number))
    if end is not None and not isinstance(number, int):
        yield (
            required(f"{path}.port", "must be specified")
            if number is None
            else invalid_value(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
        )


def _peer_errors(path: str, peer: Obj) -> Iterator[FieldError]:
    for name in ("podSelector", "namespaceSelector"):
        yield from validation.label_selector(f"{path}.{name}", peer.get(name))
    block = peer.get("ipBlock")
    if block is not None:
        if len(peer) > 1:
            yield forbidden_field(path, "may not specify both ipBlock and another peer")
        yield from _block_errors(f"{path}.ipBlock", block)
    elif not peer:
        yield required(path, "must specify a peer")


def _block_errors(path: str, block: Obj) -> Iterator[FieldError]:
    cidr = block.get("cidr") or ""
    if not cidr:
        yield required(f"{path}.cidr")
        return
    messages = validation.cidr(cidr)
    yield from validation.values(f"{path}.cidr", cidr, messages)
    if messages:
        return
    for index, text in enumerate(block.get("except") or ()):
        messages = validation.cidr(text) or ([] if _is_within(text, cidr) else ["must be a strict subset of `cidr`"])
        yield from validation.values(f"{path}.except[{index}]", text, messages)


def _is_within(inner: str, outer: str) -> bool:
    """Whether a range is part of another, and not all of it."""
    part, whole = ip_network(inner, strict=False), ip_network(outer, strict=False)
    return part.network_address in whole and part.prefixlen > whole.prefixlen


def _row(policy: Obj, now: datetime) -> list[Any]:
    return [meta.name(policy), selector_cell(policy["spec"].get("podSelector")), age(policy, now)]


NETWORK_POLICY = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    singular="networkpolicy",
    namespaced=True,
    short_names=("netpol",),
    columns=(NAME_COLUMN, Column("Pod-Selector", description="The pods that it is about."), AGE_COLUMN),
    row=_row,
    default=_default,
    validate=_validate,
    counts_generations=True,
)
