"""Services: defaults, what an update keeps of the values that the server gave out, the Table.

Addresses and node ports are given out by `service_allocation`, checked by `service_validation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubelite.objects import meta
from kubelite.objects.addresses import canonical
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.service_allocation import allocate
from kubelite.registry.kinds.service_spec import (
    has_cluster_ip,
    has_node_ports,
    is_externally_accessible,
    is_headless,
    needs_health_check,
    port_node_ports,
)
from kubelite.registry.kinds.service_validation import TOPOLOGY_HINTS, TOPOLOGY_MODE, service_errors
from kubelite.registry.printing import NONE, UNKNOWN, age, format_labels

_AFFINITY_SECONDS = 10800


def _default(service: Obj) -> None:
    spec = service["spec"] = service.get("spec") or {}
    spec["type"] = spec.get("type") or "ClusterIP"
    _default_affinity(spec)
    for port in spec.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        port["targetPort"] = port.get("targetPort") or port.get("port")
    if is_externally_accessible(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if has_cluster_ip(spec) and not spec.get("internalTrafficPolicy"):
        spec["internalTrafficPolicy"] = "Cluster"
    if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True


def _default_affinity(spec: Obj) -> None:
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}


def _prepare(new: Obj, old: Obj | None) -> None:
    """`clusterIP` and `clusterIPs` say the same; on update, values given out stay unless the type lets them go."""
    spec = new["spec"]
    if old is None:
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        return
    before = old["spec"]
    _keep_given(spec, before)
    _follow_cluster_ip(spec, before)
    _drop_unneeded(spec, before)
    if before["type"] == "LoadBalancer" != spec["type"]:
        new["status"] = (new.get("status") or {}) | {"loadBalancer": {}}


def _follow_cluster_ip(spec: Obj, before: Obj) -> None:
    """Who changes `clusterIP` alone means `clusterIPs` too."""
    single, several = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if single != (before.get("clusterIP") or "") and several == (before.get("clusterIPs") or []):
        spec["clusterIPs"] = [single] if single else []


def _keep_given(spec: Obj, before: Obj) -> None:
    if has_cluster_ip(before) and has_cluster_ip(spec):
        for field in ("clusterIP", "clusterIPs"):
            if not spec.get(field) and before.get(field):
                spec[field] = before[field]
    if has_node_ports(before) and has_node_ports(spec):
        _keep_node_ports(spec, before)
    if needs_health_check(before) and needs_health_check(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort", 0)


def _keep_node_ports(spec: Obj, before: Obj) -> None:
    given = {port.get("name") or "": port.get("nodePort") or 0 for port in before.get("ports") or ()}
    used = set(port_node_ports(before)) & set(port_node_ports(spec))
    for port in spec.get("ports") or ():
        number = given.get(port.get("name") or "", 0)
        if not port.get("nodePort") and number and number not in used:
            port["nodePort"] = number


def _drop_unneeded(spec: Obj, before: Obj) -> None:
    """A change of type drops what only the old type had, where the user left it untouched."""
    dropped: list[str] = []
    if has_cluster_ip(before) and not has_cluster_ip(spec):
        dropped += ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]
    if before["type"] == "LoadBalancer" != spec["type"]:
        dropped += ["allocateLoadBalancerNodePorts", "loadBalancerClass"]
    if is_externally_accessible(before) and not is_externally_accessible(spec):
        dropped.append("externalTrafficPolicy")
    if needs_health_check(before) and not needs_health_check(spec):
        dropped.append("healthCheckNodePort")
    for field in dropped:
        if spec.get(field) == before.get(field):
            spec.pop(field, None)
    added = set(port_node_ports(spec)) - set(port_node_ports(before))
    if has_node_ports(before) and not has_node_ports(spec) and not added:
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)


def _warnings(service: Obj) -> list[str]:
    """The texts of upstream's `pkg/api/service/warnings.go`."""
    spec, is_name = service["spec"], service["spec"]["type"] == "ExternalName"
    headless = is_headless(spec)
    found = (
        (
            TOPOLOGY_HINTS in meta.annotations(service),
            f"annotation {TOPOLOGY_HINTS} is deprecated, please use {TOPOLOGY_MODE} instead",
        ),
        (headless and spec.get("loadBalancerIP"), "spec.loadBalancerIP is ignored for headless services"),
        (headless and spec.get("externalIPs"), "spec.externalIPs is ignored for headless services"),
        (headless and spec["sessionAffinity"] != "None", "spec.SessionAffinity is ignored for headless services"),
        (is_name and spec.get("externalIPs"), 'spec.externalIPs is ignored when spec.type is "ExternalName"'),
        (
            not is_name and spec.get("externalName"),
            'spec.externalName is ignored when spec.type is not "ExternalName"',
        ),
    )
    return [text for holds, text in found if holds] + list(_address_warnings(spec))


def _address_warnings(spec: Obj) -> Iterator[str]:
    """Of addresses that programs read differently."""
    for field in ("clusterIPs", "externalIPs"):
        for index, address in enumerate(spec.get(field) or ()):
            if canonical(address) != address:
                why = f'ParseAddr("{address}"): IPv4 field has octet with leading zero'
                text = "IP address was accepted, but will be invalid in a future Kubernetes release"
                yield f"spec.{field}[{index}]: {text}: {why}"


def _external(service: Obj) -> str:
    spec = service["spec"]
    own = spec.get("externalIPs") or []
    match spec["type"]:
        case "ExternalName":
            return str(spec.get("externalName", ""))
        case "LoadBalancer":
            balancer = (service.get("status") or {}).get("loadBalancer") or {}
            ingress = {entry.get("ip") or entry.get("hostname") or "" for entry in balancer.get("ingress") or ()}
            return ",".join([*sorted(ingress - {""}), *own]) or "<pending>"
        case "ClusterIP" | "NodePort":
            return ",".join(own) or NONE
        case _:
            return UNKNOWN


def _port(port: Obj) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port['protocol']}"


def _row(service: Obj, now: datetime) -> list[Any]:
    spec = service["spec"]
    return [
        meta.name(service),
        spec["type"],
        next(iter(spec.get("clusterIPs") or ()), NONE),
        _external(service),
        ",".join(map(_port, spec.get("ports") or ())) or NONE,
        age(service, now),
        format_labels(spec.get("selector")),
    ]


SERVICE = Kind(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    singular="service",
    namespaced=True,
    short_names=("svc",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Type", description="How it can be reached."),
        Column("Cluster-IP", description="Its address within the cluster."),
        Column("External-IP", description="Its addresses for the outside."),
        Column("Port(s)", description="Its ports, with node ports."),
        AGE_COLUMN,
        Column("Selector", description="Labels of the pods behind it.", priority=1),
    ),
    row=_row,
    subresources=frozenset({"status", "proxy"}),
    default=_default,
    prepare=_prepare,
    admit=allocate,
    validate=service_errors,
    name_rule="service",
    fields={
        "spec.clusterIP": lambda service: str(service["spec"].get("clusterIP") or ""),
        "spec.type": lambda service: str(service["spec"].get("type") or ""),
    },
    initial_status=lambda service: {"loadBalancer": {}},
    warnings=_warnings,
    returns_deleted=True,
    create_on_update=True,
)
