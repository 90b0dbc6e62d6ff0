"""The scale subresource: autoscaling/v1 Scale of the kinds that have replicas; pure."""

from __future__ import annotations

from kubelite.objects import meta
from kubelite.objects.meta import Obj


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
    """`workload` with the replicas that `scale` asks for; preconditions of `scale` travel along."""
    new = meta.copy(workload)
    new["spec"]["replicas"] = scale.get("spec", {}).get("replicas", 0)
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
