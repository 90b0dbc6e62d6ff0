"""`describe` of Services and pods: the lines that people look for, as kubectl 1.32 prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kubelite.cli.client import Obj

Line = tuple[str, str]


def _lines(lines: Iterator[Line], width: int) -> str:
    return "".join(f"{name + ':':<{width}}{value}\n" for name, value in lines)


def _pairs(pairs: Mapping[str, str] | None, sign: str = "=") -> str:
    return ",".join(f"{key}{sign}{value}" for key, value in sorted((pairs or {}).items())) or "<none>"


def service(obj: Obj, endpoints: Obj) -> str:
    return _lines(_service(obj, endpoints), 26)


def _service(obj: Obj, endpoints: Obj) -> Iterator[Line]:
    metadata, spec = obj["metadata"], obj["spec"]
    yield "Name", metadata["name"]
    yield "Namespace", metadata["namespace"]
    yield "Labels", _pairs(metadata.get("labels"))
    yield "Selector", _pairs(spec.get("selector"))
    yield "Type", spec["type"]
    yield "IP", spec.get("clusterIP", "")
    for port in spec.get("ports") or ():
        name = port.get("name") or "<unset>"
        yield "Port", f"{name}  {port['port']}/{port['protocol']}"
        yield "TargetPort", f"{port['targetPort']}/{port['protocol']}"
        if port.get("nodePort"):
            yield "NodePort", f"{name}  {port['nodePort']}/{port['protocol']}"
        yield "Endpoints", _addresses(endpoints, port.get("name", ""))
    yield "Session Affinity", spec.get("sessionAffinity", "None")
    if spec.get("externalTrafficPolicy"):
        yield "External Traffic Policy", spec["externalTrafficPolicy"]


def _addresses(endpoints: Obj, name: str) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in endpoints.get("subsets") or ()
        for port in subset.get("ports") or ()
        if port.get("name", "") == name
        for address in subset.get("addresses") or ()
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or "<none>"


def pod(obj: Obj) -> str:
    """Name, state and volumes."""
    head = _lines(_pod(obj), 18)
    volumes = "".join(_volume(volume) for volume in obj["spec"].get("volumes") or ())
    return head + ("Volumes:\n" + volumes if volumes else "")


def _pod(obj: Obj) -> Iterator[Line]:
    status = obj.get("status") or {}
    yield "Name", obj["metadata"]["name"]
    yield "Namespace", obj["metadata"]["namespace"]
    yield "Node", obj["spec"].get("nodeName", "<none>")
    yield "Status", status.get("phase", "")
    yield "IP", status.get("podIP", "")


def _volume(volume: Obj) -> str:
    claim = volume.get("persistentVolumeClaim")
    if claim is None:
        kind = next((key for key in volume if key != "name"), "")
        return f"  {volume['name']}:\n    Type:  {kind[:1].upper()}{kind[1:]}\n"
    told = {
        "Type": "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        "ClaimName": claim["claimName"],
        "ReadOnly": str(bool(claim.get("readOnly"))).lower(),
    }
    return f"  {volume['name']}:\n" + "".join(f"    {name + ':':<12}{value}\n" for name, value in told.items())
