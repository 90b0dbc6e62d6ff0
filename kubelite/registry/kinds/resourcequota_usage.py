"""What an object uses of a ResourceQuota's resources. Pure; after upstream's `quota/v1/evaluator/core`.

Read by admission, which refuses what doesn't fit, and by the controller that writes the quota's status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Requirement
from kubelite.registry.kinds.persistentvolume import storage_class_of
from kubelite.registry.kinds.podspec_resources import qos_class
from kubelite.registry.kinds.resource_amounts import ONE, Amount, total

COUNT = "count/"

_BY_NAME = ("configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services")
_OF_PODS = ("cpu", "memory", "ephemeral-storage")
_NAMED_OF_PODS = {"pods", *(f"{bound}{name}" for bound in ("", "requests.", "limits.") for name in _OF_PODS)}
_OF_CLAIMS = ("persistentvolumeclaims", "requests.storage")
_CLASS = ".storageclass.storage.k8s.io/"
_SELECTOR_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}

Usage = dict[str, Amount]
# Of plural or `plural.group` and a namespace; None where there are no such objects.
Lister = Callable[[str, str | None], list[Obj] | None]


def resource_of(name: str) -> str:
    """Which objects a quota's resource is about: plural or `plural.group`; empty when it is about none that count."""
    if name.startswith(COUNT):
        return name.removeprefix(COUNT)
    if name in _OF_CLAIMS or name.partition(_CLASS)[2] in _OF_CLAIMS:
        return "persistentvolumeclaims"
    if name.startswith("services."):
        return "services"
    if name in _BY_NAME:
        return name
    return "pods" if _is_of_pods(name) else ""


def _is_of_pods(name: str) -> bool:
    if name in _NAMED_OF_PODS or name.startswith(("hugepages-", "requests.hugepages-")):
        return True
    return name.startswith("requests.") and "/" in name and "kubernetes.io/" not in name


def usage(resource: str, obj: Obj, now: datetime) -> Usage:
    """`resource` is `plural` or `plural.group`."""
    used = {f"{COUNT}{resource}": ONE}
    if resource in _BY_NAME:
        used[resource] = ONE
    if resource == "services":
        used |= _of_service(obj["spec"])
    elif resource == "persistentvolumeclaims":
        used |= _of_claim(obj)
    elif resource == "pods" and not _is_over(obj, now):
        used |= _of_pod(obj["spec"])
    return used


def _of_service(spec: Obj) -> Usage:
    kind, ports = spec.get("type"), spec.get("ports") or []
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    counted = len(ports) if kind in ("NodePort", "LoadBalancer") else 0
    balancers = int(kind == "LoadBalancer")
    return {"services.nodeports": Amount(Decimal(counted)), "services.loadbalancers": Amount(Decimal(balancers))}


def _of_claim(claim: Obj) -> Usage:
    used = {}
    if (storage := _storage(claim)) is not None:
        used["requests.storage"] = storage
    if name := storage_class_of(claim):
        used |= {f"{name}{_CLASS}{resource}": amount for resource, amount in used.items()}
        used[f"{name}{_CLASS}persistentvolumeclaims"] = ONE
    return used


def _storage(claim: Obj) -> Amount | None:
    """In whole bytes; a claim that asks for less again still uses what was set aside for it when it asked for more."""
    asked = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")
    if asked is None:
        return None
    allocated = ((claim.get("status") or {}).get("allocatedResources") or {}).get("storage")
    return max(Amount.of(value).rounded_up() for value in (asked, allocated) if value is not None)


def _is_over(pod: Obj, now: datetime) -> bool:
    """It has ended, or should be gone by now."""
    metadata = pod["metadata"]
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    if not meta.is_terminating(pod) or metadata.get("deletionGracePeriodSeconds") is None:
        return False
    grace = timedelta(seconds=metadata["deletionGracePeriodSeconds"])
    return now > meta.parse_time(metadata["deletionTimestamp"]) + grace


def _of_pod(spec: Obj) -> Usage:
    return {"pods": ONE} | _compute(_needed(spec, "requests"), _needed(spec, "limits"))


def _compute(requests: Mapping[str, Amount], limits: Mapping[str, Amount]) -> Usage:
    used = {}
    for name, amount in requests.items():
        if name in _OF_PODS or name.startswith("hugepages-"):
            used[name] = amount
        used[f"requests.{name}"] = amount
    return used | {f"limits.{name}": amount for name, amount in limits.items() if name in _OF_PODS}


def _needed(spec: Obj, kind: str) -> Usage:
    """Of the containers, and the overhead where it counts."""
    needed = of_containers(spec, kind)
    overhead = {name: Amount.of(value) for name, value in (spec.get("overhead") or {}).items()}
    if kind == "limits":
        overhead = {name: amount for name, amount in overhead.items() if name in needed}
    return _added([needed, overhead])


def of_containers(spec: Obj, kind: str) -> Usage:
    """The sum of containers and sidecars, or what the init containers need at their peak."""
    running = _added(_resources(container, kind) for container in spec.get("containers") or ())
    sidecars: Usage = {}
    peak: Usage = {}
    for container in spec.get("initContainers") or ():
        now = _added([sidecars, _resources(container, kind)])
        peak = _highest(peak, now)
        if container.get("restartPolicy") == "Always":
            sidecars = now
    return _highest(_added([running, sidecars]), peak)


def _resources(container: Obj, kind: str) -> Usage:
    return {n: Amount.of(value) for n, value in ((container.get("resources") or {}).get(kind) or {}).items()}


def _added(parts: Iterable[Usage]) -> Usage:
    listed = list(parts)
    names = {name for part in listed for name in part}
    return {name: total(part[name] for part in listed if name in part) for name in names}


def _highest(one: Usage, other: Usage) -> Usage:
    return {name: max(one.get(name, Amount()), other.get(name, Amount())) for name in one.keys() | other.keys()}


def compute_resources(container: Obj) -> set[str]:
    """The compute resources of a quota for which one container says what it needs."""
    return set(_compute(_resources(container, "requests"), _resources(container, "limits")))


# scopes


def in_scope(quota: Obj, resource: str, obj: Obj) -> bool:
    """Scopes are about pods alone: a quota that has some counts nothing else."""
    spec = quota["spec"]
    terms = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    terms += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return not terms or (resource == "pods" and all(_matches(term, obj["spec"]) for term in terms))


def _matches(term: Obj, spec: Obj) -> bool:
    limited = spec.get("activeDeadlineSeconds") is not None
    match term["scopeName"]:
        case "Terminating":
            return limited
        case "NotTerminating":
            return not limited
        case "BestEffort":
            return qos_class(spec) == "BestEffort"
        case "NotBestEffort":
            return qos_class(spec) != "BestEffort"
        case "CrossNamespacePodAffinity":
            return _reaches_out(spec)
        case _:
            name = spec.get("priorityClassName")
            labels = {"PriorityClass": name} if name else {}
            operator = _SELECTOR_OPERATORS[term["operator"]]
            return Requirement("PriorityClass", operator, frozenset(term.get("values") or ())).matches(labels)


def _reaches_out(spec: Obj) -> bool:
    """An affinity term looks at pods of other namespaces."""
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        terms = list(affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [entry.get("podAffinityTerm") or {} for entry in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


def used(quota: Obj, names: Iterable[str], objects: Lister, now: datetime) -> Usage:
    """What the namespace uses of those of the quota's resources that count something."""
    result: Usage = {}
    for resource, counted in _by_resource(names).items():
        found = objects(resource, meta.namespace(quota))
        result |= dict.fromkeys(counted if found is not None else (), Amount())
        for obj in found or ():
            if in_scope(quota, resource, obj):
                for name, amount in usage(resource, obj, now).items():
                    if name in counted:
                        result[name] += amount
    return result


def _by_resource(names: Iterable[str]) -> dict[str, set[str]]:
    result: dict[str, set[str]] = {}
    for name in names:
        if resource := resource_of(name):
            result.setdefault(resource, set()).add(name)
    return result
