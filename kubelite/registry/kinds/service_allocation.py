"""Gives out cluster addresses and node ports; after upstream's `registry/core/service/storage`.

What is taken is read from the Services there are, so nothing can leak. Addresses and ports that nobody asked for come
from the upper band of their range; the lower is left to those who ask (KEP 3070, KEP 3668). Where the search starts
hangs on the Service's name: a Service that is made again most likely gets its old address.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from zlib import crc32

from kubelite.errors import FieldError, StatusError, internal_error, invalid, invalid_value
from kubelite.objects import meta
from kubelite.objects.addresses import canonical, parse_address
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Reader
from kubelite.registry.kinds.service_spec import (
    HEADLESS,
    go_strings,
    has_cluster_ip,
    has_node_ports,
    is_headless,
    needs_health_check,
    node_ports,
)
from kubelite.registry.kinds.service_validation import cluster_ip_errors

NODE_PORTS = range(30000, 32768)
ASKED_NODE_PORTS = range(1, 65536)
"""Whoever asks may have any port, other than upstream's default."""

_IPV4, _IPV6 = "IPv4", "IPv6"


def allocate(new: Obj, old: Obj | None, reader: Reader) -> None:
    """Fill in families, cluster addresses and node ports; Invalid when what was asked for can't be had."""
    spec = new["spec"]
    if not has_cluster_ip(spec):
        return
    errors = cluster_ip_errors(spec) or _set_families(spec, old["spec"] if old else {})
    if errors:
        raise _invalid(new, errors)
    others = [entry["spec"] for entry in reader.list("services") if not _same(entry, new)]
    if not is_headless(spec):
        _set_cluster_ip(new, old, others, reader.settings.service_cidr)
    _set_node_ports(new, old, others)


def _same(one: Obj, other: Obj) -> bool:
    return meta.name(one) == meta.name(other) and meta.namespace(one) == meta.namespace(other)


def _invalid(service: Obj, errors: list[FieldError]) -> StatusError:
    return invalid("Service", meta.name(service), errors)


def _set_families(spec: Obj, before: Obj) -> list[FieldError]:
    """The cluster has IPv4 alone; headless services without selector may name any family."""
    unselected = is_headless(spec) and not spec.get("selector")
    policy = spec.get("ipFamilyPolicy") or before.get("ipFamilyPolicy")
    policy = spec["ipFamilyPolicy"] = policy or ("RequireDualStack" if unselected else "SingleStack")
    families = spec["ipFamilies"] = list(spec.get("ipFamilies") or [])
    errors = _single_stack_errors(spec) if policy == "SingleStack" else []
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address == HEADLESS or index < len(families):
            continue
        if parse_address(address).version == 4:
            families.append(_IPV4)
        else:
            text = "IPv6 is not configured on this cluster"
            errors.append(invalid_value(f"spec.clusterIPs[{index}]", go_strings(spec["clusterIPs"]), text))
    if errors:
        return errors
    if unselected:
        _complete_families(families, policy)
        return []
    errors = _unconfigured_errors(families, policy)
    spec["ipFamilies"] = families or [_IPV4]
    return errors


def _single_stack_errors(spec: Obj) -> list[FieldError]:
    return [
        invalid_value(
            "spec.ipFamilyPolicy",
            "SingleStack",
            f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified",
        )
        for field, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
        if len(spec.get(field) or ()) == 2
    ]


def _complete_families(families: list[str], policy: str) -> None:
    if not families:
        families.append(_IPV4)
    if len(families) == 1 and policy != "SingleStack":
        families.append(_IPV6 if families[0] == _IPV4 else _IPV4)


def _unconfigured_errors(families: list[str], policy: str) -> list[FieldError]:
    errors = []
    if policy == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        errors.append(invalid_value("spec.ipFamilyPolicy", policy, text))
    return errors + [
        invalid_value(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(families)
        if family != _IPV4
    ]


def _set_cluster_ip(new: Obj, old: Obj | None, others: list[Obj], network: IPv4Network) -> None:
    spec = new["spec"]
    if old is not None and has_cluster_ip(old["spec"]):
        return  # kept, or changed and then refused by the validation
    taken = {canonical(address) for other in others for address in other.get("clusterIPs") or ()}
    for asked in spec.get("clusterIPs") or ():
        if why := _refusal(asked, taken, network):
            text = f"failed to allocate IP {asked}: {why}"
            raise _invalid(new, [invalid_value("spec.clusterIPs", go_strings(spec["clusterIPs"]), text)])
    if not spec.get("clusterIPs"):
        free = next((address for address in _addresses(new, network) if address not in taken), None)
        if free is None:
            raise internal_error("failed to allocate a serviceIP: range is full")
        spec["clusterIP"], spec["clusterIPs"] = free, [free]


def _refusal(asked: str, taken: set[str], network: IPv4Network) -> str:
    address = parse_address(asked)
    if address not in network or address in (network.network_address, network.broadcast_address):
        return f"the provided IP ({asked}) is not in the valid range. The range of valid IPs is {network}"
    return "provided IP is already allocated" if canonical(asked) in taken else ""


def _addresses(service: Obj, network: IPv4Network) -> Iterator[str]:
    usable = range(1, network.num_addresses - 1)
    return (str(network[number]) for number in _candidates(service, usable, _static_band(len(usable), 16, 256)))


def _static_band(size: int, step: int, longest: int) -> int:
    """How much of a range is left to those who ask: a part of it, between 16 and `longest`."""
    return 0 if size < 16 else min(max(16, size // step), longest)


def _candidates(service: Obj, numbers: range, static: int) -> Iterator[int]:
    """Every number once: the upper band from a place of the Service's own, then the lower."""
    upper, lower = numbers[static:], numbers[:static]
    start = crc32(f"{meta.namespace(service)}/{meta.name(service)}".encode()) % len(upper)
    yield from upper[start:]
    yield from upper[:start]
    yield from lower


def _set_node_ports(new: Obj, old: Obj | None, others: list[Obj]) -> None:
    spec = new["spec"]
    taken = {number for other in others for number in node_ports(other)}
    own = set(node_ports(old["spec"])) if old is not None and has_node_ports(old["spec"]) else set()
    candidates = _candidates(new, NODE_PORTS, _static_band(len(NODE_PORTS), 32, 128))
    if has_node_ports(spec):
        _check_asked(new, taken - own)
        _fill_ports(spec, taken, own, candidates)
    if needs_health_check(spec):
        asked = spec.get("healthCheckNodePort") or 0
        if asked in taken - own:
            text = f"failed to allocate requested HealthCheck NodePort {asked}: provided port is already allocated"
            raise internal_error(text)
        spec["healthCheckNodePort"] = asked or _free_port(candidates, taken | set(node_ports(spec)))


def _check_asked(new: Obj, taken: set[int]) -> None:
    for index, port in enumerate(new["spec"].get("ports") or ()):
        number = port.get("nodePort") or 0
        if number and number not in ASKED_NODE_PORTS:
            shown = f"{ASKED_NODE_PORTS[0]}-{ASKED_NODE_PORTS[-1]}"
            why = f"provided port is not in the valid range. The range of valid ports is {shown}"
        elif number in taken:
            why = "provided port is already allocated"
        else:
            continue
        raise _invalid(new, [invalid_value(f"spec.ports[{index}].nodePort", number, why)])


def _fill_ports(spec: Obj, taken: set[int], own: set[int], candidates: Iterator[int]) -> None:
    """The same port with two protocols (DNS) shares one node port."""
    ports = spec.get("ports") or []
    if spec["type"] == "LoadBalancer" and not spec.get("allocateLoadBalancerNodePorts"):
        return
    shared = {port.get("port"): port["nodePort"] for port in reversed(ports) if port.get("nodePort")}
    protocols = {(port.get("nodePort"), port["protocol"]) for port in ports if port.get("nodePort")}
    for port in ports:
        if port.get("nodePort"):
            continue
        number = shared.get(port.get("port"))
        if number is None or (number, port["protocol"]) in protocols:
            number = _free_port(candidates, taken | own | set(node_ports(spec)))
        port["nodePort"] = number
        shared.setdefault(port.get("port"), number)
        protocols.add((number, port["protocol"]))


def _free_port(candidates: Iterator[int], taken: set[int]) -> int:
    free = next((number for number in candidates if number not in taken), None)
    if free is None:
        raise internal_error("failed to allocate a nodePort: range is full")
    return free
