"""The scale subresource: autoscaling/v1 Scale of the kinds that have replicas; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, ScalePaths
from kubelite.registry.printing import age


def _row(scale: Obj, now: datetime) -> list[Any]:
    status = scale.get("status") or {}
    return [meta.name(scale), scale["spec"].get("replicas", 0), status.get("replicas", 0), age(scale, now)]


SCALE = Kind(
    group="autoscaling",
    version="v1",
    kind="Scale",
    plural="scales",
    singular="scale",
    namespaced=True,
    columns=(
        NAME_COLUMN,
        Column("Desired", "integer", description="How many replicas there are to be."),
        Column("Available", "integer", description="How many there are."),
        AGE_COLUMN,
    ),
    row=_row,
)


def of_custom(resource: Obj, paths: ScalePaths) -> Obj:
    """The Scale of a custom resource, which says itself where its replicas are."""
    replicas, observed, selector = (_at(resource, path) for path in (paths.replicas, paths.observed, paths.selector))
    shape = {"spec": {"replicas": replicas}, "status": {"replicas": observed or 0}, "metadata": resource["metadata"]}
    scale = of({**shape, "kind": ""})
    if selector:
        scale["status"]["selector"] = selector
    return scale


def applied_to_custom(resource: Obj, scale: Obj, paths: ScalePaths) -> Obj:
    new = _preconditioned(resource, scale)
    inner = new
    for name in paths.replicas[:-1]:
        inner = inner.setdefault(name, {})
    inner[paths.replicas[-1]] = scale.get("spec", {}).get("replicas", 0)
    return new


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if path else None


def of(workload: Obj) -> Obj:
    metadata = {
        key: workload["metadata"][key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in workload["metadata"]
    }
    status: Obj = {"replicas": workload.get("status", {}).get("replicas", 0)}
    if selector := selector_text(_selector(workload)):
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas} if (replicas := workload["spec"].get("replicas", 1)) else {},
        "status": status,
    }


def applied(workload: Obj, scale: Obj) -> Obj:
    """`workload` with the replicas that `scale` asks for."""
    new = _preconditioned(workload, scale)
    new["spec"]["replicas"] = scale.get("spec", {}).get("replicas", 0)
    return new


def _preconditioned(scaled: Obj, scale: Obj) -> Obj:
    """A copy, with which the preconditions of `scale` travel along."""
    new = meta.copy(scaled)
    for key in ("resourceVersion", "uid"):
        if scale["metadata"].get(key):
            new["metadata"][key] = scale["metadata"][key]
    return new


def _selector(workload: Obj) -> Obj:
    """As a LabelSelector; a ReplicationController's is a plain map."""
    selector: Obj = workload["spec"].get("selector") or {}
    return {"matchLabels": selector} if workload["kind"] == "ReplicationController" else selector


def selector_text(selector: Obj) -> str:
    """A LabelSelector in the form of a query parameter, ordered by key."""
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        form = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append((key, form.get(expression["operator"], f"!{key}")))
    return ",".join(text for _, text in sorted(terms))
