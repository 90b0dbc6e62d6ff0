"""Refuses what would exceed a ResourceQuota of its namespace (upstream's ResourceQuota plug-in, the last of all).

What is used is counted on the spot, so it never lags behind and nothing has to be given back after a failed write.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kubelite.errors import forbidden
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind, Reader
from kubelite.registry.kinds.resource_amounts import Amount
from kubelite.registry.kinds.resourcequota_usage import Usage, compute_resources, in_scope, resource_of, usage, used

_UNCOUNTED = ("events",)
_COUNTED_ON_UPDATE = ("persistentvolumeclaims", "services")
_TO_BE_SPECIFIED = {
    *("cpu", "memory"),
    *(f"{bound}.{name}" for bound in ("requests", "limits") for name in ("cpu", "memory")),
}


def check(kind: Kind, new: Obj, old: Obj | None, reader: Reader, now: datetime) -> None:
    """Forbidden when a quota is exceeded by `new`, or by what it has more than `old`."""
    if not kind.namespaced or kind.plural in _UNCOUNTED:
        return
    if old is not None and kind.resource not in _COUNTED_ON_UPDATE:
        return
    for quota in reader.list("resourcequotas", meta.namespace(new)):
        why = _objection(kind.resource, new, old, quota, reader, now)
        if why:
            raise forbidden(kind.plural, meta.name(new), why, kind.group)


def _objection(resource: str, new: Obj, old: Obj | None, quota: Obj, reader: Reader, now: datetime) -> str:
    """Why the quota refuses the object, if it does."""
    hard = {name: v for name, v in (quota["spec"].get("hard") or {}).items() if resource_of(name) == resource}
    if not hard or not in_scope(quota, resource, new):
        return ""
    if resource == "pods" and (missing := _unspecified(new, hard)):
        return f"failed quota: {meta.name(quota)}: must specify {missing}"
    asked = _asked(resource, new, old, hard, now)
    present = used(quota, asked, reader.list, now)
    limits = {name: Amount.of(hard[name]) for name in asked}
    exceeded = [name for name in sorted(asked) if limits[name] < present[name] + asked[name]]
    if not exceeded:
        return ""
    requested, present_text, limited = (_shown(exceeded, amounts) for amounts in (asked, present, limits))
    return f"exceeded quota: {meta.name(quota)}, requested: {requested}, used: {present_text}, limited: {limited}"


def _unspecified(pod: Obj, hard: Mapping[str, str]) -> str:
    """A quota of cpu or memory wants every container to say how much it needs."""
    missing: dict[str, list[str]] = {}
    spec = pod["spec"]
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        for name in (_TO_BE_SPECIFIED & hard.keys()) - compute_resources(container):
            missing.setdefault(name, []).append(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing))


def _asked(resource: str, new: Obj, old: Obj | None, hard: Mapping[str, str], now: datetime) -> Usage:
    """What `new` uses more than `old`."""
    after, before = usage(resource, new, now), usage(resource, old, now) if old is not None else {}
    more = {name: after[name] - before.get(name, Amount()) for name in hard if name in after}
    return {name: amount for name, amount in more.items() if amount.number > 0}


def _shown(names: list[str], amounts: Usage) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)
