"""Questions about the spec of a Service that its defaults, allocation and validation all ask."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubelite.objects.meta import Obj

HEADLESS = "None"


def has_cluster_ip(spec: Obj) -> bool:
    """ClusterIP, NodePort and LoadBalancer have a cluster address (which may be None)."""
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer")


def has_node_ports(spec: Obj) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def is_headless(spec: Obj) -> bool:
    return (spec.get("clusterIPs") or [spec.get("clusterIP")]) == [HEADLESS]


def is_externally_accessible(spec: Obj) -> bool:
    return has_node_ports(spec) or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Obj) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def port_node_ports(spec: Obj) -> list[int]:
    return [port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")]


def node_ports(spec: Obj) -> list[int]:
    """The node ports in use, that of the health check included."""
    health_check = spec.get("healthCheckNodePort")
    return port_node_ports(spec) + ([health_check] if health_check else [])


def go_strings(texts: Iterable[str]) -> msgspec.Raw:
    """A list of texts as v1.32 shows it in errors: in Go's notation."""
    listed = ", ".join(msgspec.json.encode(text).decode() for text in texts)
    return msgspec.Raw(f"[]string{{{listed}}}".encode())
