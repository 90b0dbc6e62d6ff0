"""From a Service's members to its EndpointSlices, changing as few of the present ones as possible; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kubelite.controllers.endpoints.members import HEADLESS_LABEL, Member, Port, is_headless
from kubelite.objects import meta
from kubelite.objects.meta import Obj

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
LIMIT = 100


@dataclass(slots=True)
class Plan:
    """Slices to write; those in `update` carry their names."""

    create: list[Obj] = field(default_factory=list)
    update: list[Obj] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)


def endpoint(member: Member) -> Obj:
    result: Obj = {
        "addresses": [member.address],
        "conditions": {"ready": member.ready, "serving": member.serving, "terminating": member.terminating},
        "targetRef": member.target,
    }
    named = {"hostname": member.hostname, "nodeName": member.node}
    return result | {field: name for field, name in named.items() if name}


def _port(port: Port) -> Obj:
    shown = {"name": port.name, "protocol": port.protocol, "port": port.port}
    return shown | ({"appProtocol": port.app_protocol} if port.app_protocol else {})


def labels(service: Obj) -> dict[str, str]:
    own = {SERVICE_NAME: meta.name(service), MANAGED_BY: MANAGER}
    return {**meta.labels(service), **own, **({HEADLESS_LABEL: ""} if is_headless(service) else {})}


def plan(service: Obj, members: Sequence[Member], present: Sequence[Obj]) -> Plan:
    """What to write so that `present` (the slices this controller manages) say what `members` are.

    Members with the same ports share slices of at most 100; a Service without members keeps one empty slice.
    """
    groups: dict[tuple[Port, ...], list[Member]] = {}
    for member in members:
        groups.setdefault(member.ports, []).append(member)
    if not groups:
        groups[()] = []
    result = Plan()
    left = list(present)
    for ports, group in groups.items():
        shown = [_port(port) for port in ports]
        mine = [one for one in left if (one.get("ports") or []) == shown]
        left = [one for one in left if one not in mine]
        if not mine and left and len(groups) == 1:
            mine = [left.pop(0)]
        _fill(service, shown, group, mine, result)
    result.delete += left
    return result


def _fill(service: Obj, ports: list[Obj], group: Sequence[Member], mine: Sequence[Obj], result: Plan) -> None:
    waiting = {member.pod: member for member in group}
    contents: list[list[Obj]] = []
    for one in mine:
        kept = []
        for old in one.get("endpoints") or ():
            ref = old.get("targetRef") or {}
            member = waiting.pop((ref.get("namespace", ""), ref.get("name", ""), ref.get("uid", "")), None)
            if member is not None:
                kept.append(endpoint(member))
        contents.append(kept)
    fresh = [endpoint(member) for member in waiting.values()]
    for kept in contents:
        while fresh and len(kept) < LIMIT:
            kept.append(fresh.pop(0))
        kept.sort(key=_address)
    keep_one = not group
    for one, kept in zip(mine, contents, strict=True):
        if not kept and not keep_one:
            result.delete.append(one)
            continue
        keep_one = False
        wanted = _slice(service, ports, kept, one)
        if wanted != one:
            result.update.append(wanted)
    while fresh or keep_one:
        result.create.append(_slice(service, ports, fresh[:LIMIT], None))
        fresh, keep_one = fresh[LIMIT:], False


def _address(shown: Obj) -> tuple[int, ...]:
    return tuple(int(part) for part in shown["addresses"][0].split("."))


def _slice(service: Obj, ports: list[Obj], endpoints: list[Obj], present: Obj | None) -> Obj:
    if present is not None:
        metadata = {**present["metadata"], "labels": labels(service)}
        return {**present, "metadata": metadata, "ports": ports, "endpoints": endpoints}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta.name(service)}-",
            "namespace": meta.namespace(service),
            "labels": labels(service),
            "ownerReferences": [meta.owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }
