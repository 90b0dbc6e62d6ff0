"""Which addresses and ports stand behind a Service; pure.

Shared by the Endpoints and the EndpointSlice controllers, after upstream's `endpointslice` staging library and
`pkg/controller/endpoint`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_labels

HEADLESS_LABEL = "service.kubernetes.io/headless"
TOLERATE_UNREADY = "service.alpha.kubernetes.io/tolerate-unready-endpoints"


@dataclass(frozen=True, slots=True)
class Port:
    """One port as a pod answers on it; names are the Service's."""

    name: str
    protocol: str
    port: int
    app_protocol: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One pod behind a Service: `ready` is what clients may use, `serving` the pod's own readiness."""

    address: str
    ports: tuple[Port, ...]
    ready: bool
    serving: bool
    terminating: bool
    hostname: str
    node: str
    pod: tuple[str, str, str]  # namespace, name, uid

    @property
    def target(self) -> Obj:
        namespace, name, uid = self.pod
        return {"kind": "Pod", "namespace": namespace, "name": name, "uid": uid}


def is_headless(service: Obj) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def has_selector(service: Obj) -> bool:
    """Services that the controllers serve: those with a selector that aren't mere names."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def publishes_not_ready(service: Obj) -> bool:
    old_way = meta.annotations(service).get(TOLERATE_UNREADY) == "true"
    return bool(service["spec"].get("publishNotReadyAddresses")) or old_way


def selects(service: Obj, pod: Obj) -> bool:
    return has_selector(service) and from_labels(service["spec"]["selector"]).matches(meta.labels(pod))


def members(service: Obj, pods: Iterable[Obj]) -> list[Member]:
    """All pods of the Service that have an address and aren't over, ready or not, by address."""
    unready_too = publishes_not_ready(service)
    found = [
        _member(service, pod, unready_too)
        for pod in pods
        if selects(service, pod)
        and pod.get("status", {}).get("podIP")
        and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    return sorted(found, key=lambda member: tuple(int(part) for part in member.address.split(".")))


def _member(service: Obj, pod: Obj, unready_too: bool) -> Member:
    spec, status = pod["spec"], pod["status"]
    serving = meta.condition_is_true(status.get("conditions"), "Ready")
    terminating = meta.is_terminating(pod)
    named = spec.get("hostname") and spec.get("subdomain") == meta.name(service)
    return Member(
        address=status["podIP"],
        ports=tuple(ports(service, pod)),
        ready=unready_too or (serving and not terminating),
        serving=serving,
        terminating=terminating,
        hostname=spec["hostname"] if named else "",
        node=spec.get("nodeName", ""),
        pod=(meta.namespace(pod) or "", meta.name(pod), meta.uid(pod)),
    )


def ports(service: Obj, pod: Obj) -> list[Port]:
    """The Service's ports as this pod answers on them; a named target that the pod lacks is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = _target(pod, port.get("targetPort", port["port"]), protocol)
        if number:
            found.append(Port(port.get("name", ""), protocol, number, port.get("appProtocol", "")))
    return found


def _target(pod: Obj, wanted: int | str, protocol: str) -> int:
    if isinstance(wanted, int):
        return wanted
    if wanted.isdigit():
        return int(wanted)
    sidecars = [one for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in [*(pod["spec"].get("containers") or ()), *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == wanted and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return 0
