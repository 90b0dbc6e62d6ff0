"""Validation of Services; rules and messages of v1.32's `apis/core/validation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.addresses import parse_address
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.endpoints import PROTOCOLS, special_address_errors
from kubelite.registry.kinds.service_spec import (
    HEADLESS,
    go_strings,
    has_cluster_ip,
    is_externally_accessible,
    is_headless,
    needs_health_check,
)

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_TRAFFIC_POLICIES = ("Cluster", "Local")
_MAX_AFFINITY_SECONDS = 86400
_KUBELET_PORT = 10250
_BALANCERS_ONLY = "may only be used when `type` is 'LoadBalancer'"

TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def service_errors(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = _change_errors(spec, old["spec"]) if old is not None else []
    errors += _topology_errors(meta.annotations(new))
    errors += _type_errors(spec)
    ports = spec.get("ports") or []
    for index in range(len(ports)):
        errors += _port_errors(ports, index)
    errors += validation.labels("spec.selector", spec.get("selector"))
    errors += _affinity_errors(spec)
    errors += cluster_ip_errors(spec)
    errors += _external_ip_errors(spec.get("externalIPs") or [])
    if spec["type"] not in _TYPES:
        errors.append(not_supported("spec.type", spec["type"], _TYPES))
    errors += _port_set_errors(spec, ports)
    errors += _source_range_errors(spec, meta.annotations(new))
    errors += _balancer_errors(spec)
    return errors + _traffic_errors(spec)


def _topology_errors(annotations: Mapping[str, str]) -> list[FieldError]:
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS)
    if None in (mode, hints) or mode == hints:
        return []
    text = f"must match annotations[{TOPOLOGY_HINTS}] when both are specified"
    return [invalid_value(f"metadata.annotations[{TOPOLOGY_MODE}]", mode, text)]


def _change_errors(spec: Obj, before: Obj) -> list[FieldError]:
    return _address_change_errors(spec, before) + _class_change_errors(spec, before)


def _class_change_errors(spec: Obj, before: Obj) -> list[FieldError]:
    balanced = spec["type"] == before["type"] == "LoadBalancer"
    name = spec.get("loadBalancerClass")
    if not balanced or name == before.get("loadBalancerClass"):
        return []
    return [invalid_value("spec.loadBalancerClass", name, "may not change once set")]


def _address_change_errors(spec: Obj, before: Obj) -> list[FieldError]:
    if not (has_cluster_ip(spec) and has_cluster_ip(before)):
        return []
    now, then = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if then and not now:
        return [invalid_value("spec.clusterIPs[0]", go_strings(now), "primary clusterIP can not be unset")]
    return [
        invalid_value(f"spec.clusterIPs[{index}]", go_strings(now), "may not change once set")
        for index, (new, old) in enumerate(zip(now, then, strict=False))
        if new != old
    ]


def _type_errors(spec: Obj) -> list[FieldError]:
    kind, ports = spec["type"], spec.get("ports") or []
    errors = []
    if not ports and not is_headless(spec) and kind != "ExternalName":
        errors.append(required("spec.ports"))
    if kind == "LoadBalancer":
        text = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
        errors += [
            invalid_value(f"spec.ports[{index}]", _KUBELET_PORT, text)
            for index, port in enumerate(ports)
            if port.get("port") == _KUBELET_PORT
        ]
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        text = f"may not be set to 'None' for {kind} services"
        errors.append(invalid_value("spec.clusterIPs[0]", HEADLESS, text))
    return errors + (_external_name_errors(spec) if kind == "ExternalName" else [])


def _external_name_errors(spec: Obj) -> list[FieldError]:
    errors = [
        forbidden_field(f"spec.{field}", "may not be set for ExternalName services")
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if spec.get(field)
    ]
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        return [*errors, required("spec.externalName")]
    return errors + validation.values("spec.externalName", name, validation.dns_subdomain(name))


def _port_errors(ports: list[Obj], index: int) -> list[FieldError]:
    port, path = ports[index], f"spec.ports[{index}]"
    name, number, target = port.get("name") or "", port.get("port") or 0, port.get("targetPort")
    errors = []
    if not name and len(ports) > 1:
        errors.append(required(f"{path}.name"))
    elif name:
        errors += validation.values(f"{path}.name", name, validation.dns_label(name))
        if name in [other.get("name") for other in ports[:index]]:
            errors.append(duplicate(f"{path}.name", name))
    errors += validation.values(f"{path}.port", number, validation.port_number(number))
    if port["protocol"] not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", port["protocol"], PROTOCOLS))
    errors += target_port_errors(f"{path}.targetPort", target or 0)
    if protocol := port.get("appProtocol"):
        errors += validation.values(f"{path}.appProtocol", protocol, validation.qualified_name(protocol))
    return errors


def target_port_errors(path: str, target: int | str) -> list[FieldError]:
    rule = validation.port_name(target) if isinstance(target, str) else validation.port_number(target)
    return validation.values(path, target, rule)


def _affinity_errors(spec: Obj) -> list[FieldError]:
    affinity = spec["sessionAffinity"]
    if affinity not in _AFFINITIES:
        return [not_supported("spec.sessionAffinity", affinity, _AFFINITIES)]
    if affinity == "None":
        return []
    seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    if 0 < seconds <= _MAX_AFFINITY_SECONDS:
        return []
    text = f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}"
    return [invalid_value("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, text)]


def cluster_ip_errors(spec: Obj) -> list[FieldError]:
    """`clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy` have to agree."""
    if spec["type"] == "ExternalName":
        return []
    single, several = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    errors = _agreement_errors(single, several)
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            errors.append(not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
        if family in families[:index]:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy and policy not in _FAMILY_POLICIES:
        errors.append(not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    wrong = _address_errors(several)
    if wrong:
        return errors + wrong
    return errors + (_family_errors(several, families) if not errors and not is_headless(spec) else [])


def _agreement_errors(single: str, several: list[str]) -> list[FieldError]:
    path = "spec.clusterIPs"
    if single and not several:
        return [required(path)]
    if single and several[0] != single:
        return [invalid_value(path, go_strings(several), "first value must match `clusterIP`")]
    if several and not single:
        return [invalid_value(path, go_strings(several), "must be empty when `clusterIP` is not specified")]
    return []


def _address_errors(several: list[str]) -> list[FieldError]:
    path = "spec.clusterIPs"
    if several[:1] == [HEADLESS]:
        text = "'None' must be the first and only value"
        return [invalid_value(path, go_strings(several), text)] if len(several) > 1 else []
    errors = []
    for index, address in enumerate(several):
        errors += validation.values(f"{path}[{index}]", address, validation.ip_address(address))
    if len(several) > 2:
        errors.append(invalid_value(path, go_strings(several), "may only hold up to 2 values"))
    if not errors and len({parse_address(address).version for address in several}) < len(several):
        text = "may specify no more than one IP for each IP family"
        errors.append(invalid_value(path, go_strings(several), text))
    return errors


def _family_errors(several: list[str], families: list[str]) -> list[FieldError]:
    return [
        invalid_value(
            f"spec.clusterIPs[{index}]", address, f"expected an {family} value as indicated by `ipFamilies[{index}]`"
        )
        for index, (address, family) in enumerate(zip(several, families, strict=False))
        if f"IPv{parse_address(address).version}" != family
    ]


def _external_ip_errors(addresses: list[str]) -> list[FieldError]:
    errors = []
    for index, address in enumerate(addresses):
        path = f"spec.externalIPs[{index}]"
        wrong = validation.values(path, address, validation.ip_address(address))
        errors += wrong or special_address_errors(path, address)
    return errors


def _port_set_errors(spec: Obj, ports: list[Obj]) -> list[FieldError]:
    """Node ports where they don't belong, and duplicates: a port counts together with its protocol."""
    errors: list[FieldError] = []
    seen_node: set[tuple[Any, Any]] = set()
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        path, protocol = f"spec.ports[{index}]", port["protocol"]
        number, node_port = port.get("port") or 0, port.get("nodePort") or 0
        if node_port and spec["type"] == "ClusterIP":
            errors.append(forbidden_field(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'"))
        if node_port and (protocol, node_port) in seen_node:
            errors.append(duplicate(f"{path}.nodePort", node_port))
        if (protocol, number) in seen:
            errors.append(duplicate(path, _go_port(protocol, number)))
        seen_node.add((protocol, node_port))
        seen.add((protocol, number))
    return errors


def _go_port(protocol: str, number: int) -> msgspec.Raw:
    """v1.32 shows this struct in Go's notation."""
    target = 'intstr.IntOrString{Type:0, IntVal:0, StrVal:""}'
    shown = (
        f'core.ServicePort{{Name:"", Protocol:"{protocol}", AppProtocol:(*string)(nil), '
        f"Port:{number}, TargetPort:{target}, NodePort:0}}"
    )
    return msgspec.Raw(shown.encode())


def _source_range_errors(spec: Obj, annotations: Mapping[str, str]) -> list[FieldError]:
    """The field, else the annotation that it succeeded."""
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges:
        path = "spec.LoadBalancerSourceRanges"
        texts = [(f"{path}[{index}]", text.strip()) for index, text in enumerate(ranges)]
    elif SOURCE_RANGES in annotations:
        path = f"metadata.annotations[{SOURCE_RANGES}]"
        texts = [(path, text.strip()) for text in annotations[SOURCE_RANGES].split(",") if annotations[SOURCE_RANGES]]
    else:
        return []
    errors = [] if spec["type"] == "LoadBalancer" else [forbidden_field(path, _BALANCERS_ONLY)]
    return errors + [error for at, text in texts for error in validation.values(at, text, validation.cidr(text))]


def _balancer_errors(spec: Obj) -> list[FieldError]:
    if spec["type"] == "LoadBalancer":
        name = spec.get("loadBalancerClass")
        path = "spec.loadBalancerClass"
        return [] if name is None else validation.values(path, name, validation.qualified_name(name))
    fields = ("allocateLoadBalancerNodePorts", "loadBalancerClass")
    return [forbidden_field(f"spec.{field}", _BALANCERS_ONLY) for field in fields if spec.get(field) is not None]


def _traffic_errors(spec: Obj) -> list[FieldError]:
    errors = []
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    if not is_externally_accessible(spec):
        if external:
            text = "may only be set for externally-accessible services"
            errors.append(invalid_value("spec.externalTrafficPolicy", external, text))
    elif external not in _TRAFFIC_POLICIES:
        errors.append(not_supported("spec.externalTrafficPolicy", external, _TRAFFIC_POLICIES))
    errors += _health_check_errors(spec)
    if internal and internal not in _TRAFFIC_POLICIES:
        errors.append(not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC_POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution and distribution != "PreferClose":
        errors.append(not_supported("spec.trafficDistribution", distribution, ("PreferClose",)))
    return errors


def _health_check_errors(spec: Obj) -> list[FieldError]:
    path, number = "spec.healthCheckNodePort", spec.get("healthCheckNodePort") or 0
    if needs_health_check(spec):
        return validation.values(path, number, validation.port_number(number))
    if number:
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        return [invalid_value(path, number, text)]
    return []
