"""From a Service's members to the old Endpoints object; pure (upstream's `pkg/controller/endpoint`)."""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.controllers.endpoints.members import HEADLESS_LABEL, Member, Port, is_headless, publishes_not_ready
from kubelite.objects import meta
from kubelite.objects.meta import Obj

OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
CAPACITY = 1000


def _address(member: Member) -> Obj:
    named = {"hostname": member.hostname, "nodeName": member.node}
    shown = {field: name for field, name in named.items() if name}
    return {"ip": member.address, **shown, "targetRef": member.target}


def _port(port: Port) -> Obj:
    shown: Obj = {"name": port.name} if port.name else {}
    shown |= {"port": port.port, "protocol": port.protocol}
    return shown | ({"appProtocol": port.app_protocol} if port.app_protocol else {})


def subsets(service: Obj, members: Sequence[Member]) -> list[Obj]:
    """Terminating pods are left out unless the Service publishes what isn't ready."""
    shown = [member for member in members if publishes_not_ready(service) or not member.terminating]
    groups: dict[tuple[Port, ...], list[Member]] = {}
    for member in shown[:CAPACITY]:
        if member.ports or is_headless(service):
            groups.setdefault(member.ports, []).append(member)
    result = []
    for ports, group in groups.items():
        subset: Obj = {}
        if ready := [_address(member) for member in group if member.ready]:
            subset["addresses"] = ready
        if not_ready := [_address(member) for member in group if not member.ready]:
            subset["notReadyAddresses"] = not_ready
        if ports:
            subset["ports"] = [_port(port) for port in ports]
        result.append(subset)
    return result


def endpoints(service: Obj, members: Sequence[Member], present: Obj | None) -> Obj:
    """The Endpoints object of `service`."""
    labels = {**meta.labels(service), **({HEADLESS_LABEL: ""} if is_headless(service) else {})}
    metadata: Obj = {"name": meta.name(service), "namespace": meta.namespace(service)}
    metadata = {**(present["metadata"] if present else metadata)}
    metadata.pop("labels", None)
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != OVER_CAPACITY}
    if len(members) > CAPACITY:
        annotations[OVER_CAPACITY] = "truncated"
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    result: Obj = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    shown = subsets(service, members)
    return {**result, "subsets": shown} if shown else result
