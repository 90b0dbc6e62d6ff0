"""What LimitRanges do to pods and claims: default requests and limits, and bounds (upstream's LimitRanger).

`apply_defaults` comes first of all that admission does to a new pod; `check` comes when the object is known to be valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from kubelite.errors import forbidden
from kubelite.objects import meta
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Reader
from kubelite.registry.kinds.podspec_resources import qos_class
from kubelite.registry.kinds.resourcequota_usage import of_containers

ANNOTATION = "kubernetes.io/limit-ranger"

Resources = Mapping[str, str]


def apply_defaults(pod: Obj, reader: Reader) -> None:
    """Give the containers of a new pod the requests and limits that they lack."""
    for limits in reader.list("limitranges", meta.namespace(pod)):
        items = [item for item in limits["spec"].get("limits") or () if item.get("type") == "Container"]
        requests = {name: value for item in items for name, value in (item.get("defaultRequest") or {}).items()}
        bounds = {name: value for item in items for name, value in (item.get("default") or {}).items()}
        if told := _fill_containers(pod, requests, bounds):
            annotations = meta.annotations(pod) | {ANNOTATION: f"LimitRanger plugin set: {'; '.join(told)}"}
            pod["metadata"] = pod["metadata"] | {"annotations": annotations}
            pod["status"] = (pod.get("status") or {}) | {"qosClass": qos_class(pod["spec"])}


def _fill_containers(pod: Obj, requests: Resources, limits: Resources) -> list[str]:
    told = []
    for kind, word in (("containers", "container"), ("initContainers", "init container")):
        for container in pod["spec"].get(kind) or ():
            resources = container["resources"] = dict(container.get("resources") or {})
            for name, wanted, what in (("requests", requests, "request"), ("limits", limits, "limit")):
                present = resources.get(name) or {}
                if missing := sorted(wanted.keys() - present.keys()):
                    resources[name] = present | {resource: wanted[resource] for resource in missing}
                    told.append(f"{', '.join(missing)} {what} for {word} {container.get('name', '')}")
    return told


def check(plural: str, new: Obj, old: Obj | None, reader: Reader) -> None:
    """Forbidden when a new pod, or a new or changed claim, is out of its namespace's bounds."""
    if plural not in ("pods", "persistentvolumeclaims") or (plural == "pods" and old is not None):
        return
    for limits in reader.list("limitranges", meta.namespace(new)):
        found = (why for item in limits["spec"].get("limits") or () for why in _problems(plural, new, item))
        if problems := list(dict.fromkeys(found)):  # of several containers: once
            why = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise forbidden(plural, meta.name(new), why)


def _problems(plural: str, obj: Obj, item: Obj) -> Iterable[str]:
    kind = item.get("type")
    if plural == "persistentvolumeclaims":
        if kind == "PersistentVolumeClaim":
            yield from _of_claim(obj, item)
    elif kind == "Container":
        for container in _containers(obj):
            yield from _of_resources(kind, container.get("resources") or {}, item)
    elif kind == "Pod":
        yield from _of_resources(kind, _of_whole_pod(obj["spec"]), item)


def _containers(pod: Obj) -> list[Obj]:
    return [*(pod["spec"].get("containers") or ()), *(pod["spec"].get("initContainers") or ())]


def _of_whole_pod(spec: Obj) -> Obj:
    return {
        kind: {name: str(amount) for name, amount in of_containers(spec, kind).items()}
        for kind in ("requests", "limits")
    }


def _of_claim(claim: Obj, item: Obj) -> Iterable[str]:
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    for resource, bound in sorted((item.get("min") or {}).items()):
        yield from _too_little("PersistentVolumeClaim", resource, bound, requests, {})
    for resource, bound in sorted((item.get("max") or {}).items()):
        text = f"maximum {resource} usage per PersistentVolumeClaim is {bound}"
        if resource not in requests:
            yield f"{text}.  No request is specified"
        elif _parse(requests[resource]) > _parse(bound):
            yield f"{text}, but request is {requests[resource]}"


_Rule = Callable[[str, str, str, Resources, Resources], Iterable[str]]


def _of_resources(kind: str, resources: Obj, item: Obj) -> Iterable[str]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    rules: tuple[tuple[str, _Rule], ...] = (
        ("min", _too_little),
        ("max", _too_much),
        ("maxLimitRequestRatio", _too_far_apart),
    )
    for name, rule in rules:
        for resource, bound in sorted((item.get(name) or {}).items()):
            yield from rule(kind, resource, bound, requests, limits)


def _parse(value: str) -> Decimal:
    return quantities.parse(value)


def _too_little(kind: str, resource: str, bound: str, requests: Resources, limits: Resources) -> Iterable[str]:
    text = f"minimum {resource} usage per {kind} is {bound}"
    if resource not in requests:
        yield f"{text}.  No request is specified"
    elif _parse(requests[resource]) < _parse(bound):
        yield f"{text}, but request is {requests[resource]}"
    elif resource in limits and _parse(limits[resource]) < _parse(bound):
        yield f"{text}, but limit is {limits[resource]}"


def _too_much(kind: str, resource: str, bound: str, requests: Resources, limits: Resources) -> Iterable[str]:
    text = f"maximum {resource} usage per {kind} is {bound}"
    if resource not in limits:
        yield f"{text}.  No limit is specified"
    elif _parse(limits[resource]) > _parse(bound):
        yield f"{text}, but limit is {limits[resource]}"
    elif resource in requests and _parse(requests[resource]) > _parse(bound):
        yield f"{text}, but request is {requests[resource]}"


def _too_far_apart(kind: str, resource: str, bound: str, requests: Resources, limits: Resources) -> Iterable[str]:
    text = f"{resource} max limit to request ratio per {kind} is {bound}"
    request, limit = _parse(requests.get(resource, "0")), _parse(limits.get(resource, "0"))
    if not request:
        yield f"{text}, but no request is specified or request is 0"
    elif not limit:
        yield f"{text}, but no limit is specified or limit is 0"
    elif limit / request > _parse(bound):
        yield f"{text}, but provided ratio is {float(limit / request):f}"
