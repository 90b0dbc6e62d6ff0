"""Endpoints that somebody made by hand for a Service without selector, mirrored to EndpointSlices.

Follows upstream's `pkg/controller/endpointslicemirroring`: one slice for each set of ports and kind of address, named
and labelled after the Endpoints, which own it. `plan` is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubelite.controllers.endpoints.slices import MANAGED_BY, SERVICE_NAME, Plan
from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta
from kubelite.objects.addresses import parse_address
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_labels
from kubelite.registry.client import Event

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LIMIT = 1000
_NOT_COPIED = ("endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration")


class EndpointSliceMirroringController(Controller):
    name = "endpointslice-mirroring-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"endpoints": own, "services": own, "endpointslices": self._of_slice}

    @staticmethod
    def _of_slice(event: Event) -> Iterable[Key]:
        labels = meta.labels(event.object)
        mirrored = labels.get(MANAGED_BY) == MANAGER and SERVICE_NAME in labels
        return [(meta.namespace(event.object), labels[SERVICE_NAME])] if mirrored else []

    def reconcile(self, key: Key) -> None:
        service = self.client.find("services", *key)
        endpoints = self.client.find("endpoints", *key)
        mine = from_labels({SERVICE_NAME: key[1], MANAGED_BY: MANAGER})
        present = self.client.list("endpointslices", key[0], mine)
        mirrored = endpoints if service and not service["spec"].get("selector") else None
        wanted = plan(mirrored if mirrored and is_mirrored(mirrored) else None, present)
        for one in wanted.update:
            self.client.update("endpointslices", one)
        for one in wanted.create:
            self.client.create("endpointslices", one)
        for one in wanted.delete:
            self.client.delete("endpointslices", key[0], meta.name(one))


def is_mirrored(endpoints: Obj) -> bool:
    """Not those of who says so, nor those that only hold a leader's lock."""
    return meta.labels(endpoints).get(SKIP) != "true" and LEADER not in meta.annotations(endpoints)


def plan(endpoints: Obj | None, present: Sequence[Obj]) -> Plan:
    """What to write so that `present` (the slices this controller manages) mirror `endpoints`."""
    result, left = Plan(), list(present)
    for wanted in _slices(endpoints) if endpoints else ():
        same_kind = [one for one in left if one["addressType"] == wanted["addressType"]]
        same_ports = [one for one in same_kind if (one.get("ports") or []) == wanted["ports"]]
        found = next(iter(same_ports or same_kind), None)
        if found is None:
            result.create.append(wanted)
            continue
        left.remove(found)
        kept = {**found, **wanted, "metadata": {**found["metadata"], **_changeable(wanted["metadata"])}}
        if kept != found:
            result.update.append(kept)
    result.delete += left
    return result


def _changeable(metadata: Obj) -> Obj:
    return {field: metadata[field] for field in ("labels", "annotations", "ownerReferences") if field in metadata}


def _slices(endpoints: Obj) -> list[Obj]:
    """The mirrored slices, without a name yet."""
    found: dict[str, Obj] = {}
    for subset in endpoints.get("subsets") or ():
        ports = [_port(port) for port in subset.get("ports") or ()]
        addresses = [(one, True) for one in subset.get("addresses") or ()]
        addresses += [(one, False) for one in subset.get("notReadyAddresses") or ()]
        for address, ready in addresses[:LIMIT]:
            kind = f"IPv{parse_address(address['ip']).version}"
            one = found.setdefault(f"{kind} {ports}", _empty(endpoints, kind, ports))
            one["endpoints"].append(_endpoint(address, ready=ready))
    return list(found.values())


def _empty(endpoints: Obj, kind: str, ports: list[Obj]) -> Obj:
    own_labels = {SERVICE_NAME: meta.name(endpoints), MANAGED_BY: MANAGER}
    metadata: Obj = {
        "generateName": f"{meta.name(endpoints)}-",
        "namespace": meta.namespace(endpoints),
        "labels": {**meta.labels(endpoints), **own_labels},
        "ownerReferences": [meta.owner_reference(endpoints)],
    }
    annotations = {key: text for key, text in meta.annotations(endpoints).items() if key not in _NOT_COPIED}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": kind,
        "endpoints": [],
        "ports": ports,
    }


def _port(port: Obj) -> Obj:
    shown = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": port["port"]}
    return shown | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})


def _endpoint(address: Obj, *, ready: bool) -> Obj:
    also = {field: address[field] for field in ("hostname", "nodeName", "targetRef") if address.get(field)}
    return {"addresses": [address["ip"]], "conditions": {"ready": ready}, **also}
