"""Whether a pod may be evicted: what the eviction subresource asks before it deletes; after upstream's `EvictionREST`.

An eviction that is granted is written into the budget, so that the next one sees it before the pod is gone.
"""

from __future__ import annotations

from kubelite.errors import StatusError, bad_request, conflict, forbidden
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.registry import Registry

MAX_DISRUPTED = 2000

_VIOLATION = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


def check_request(eviction: Obj, pod: Obj) -> None:
    """The request has to name the pod that it was sent to, and may insist on one version of it."""
    if (eviction.get("metadata") or {}).get("name") != meta.name(pod):
        raise bad_request("name in URL does not match name in Eviction object")
    preconditions = (eviction.get("deleteOptions") or {}).get("preconditions") or {}
    uid, wanted = preconditions.get("uid"), preconditions.get("resourceVersion")
    current = pod["metadata"]["resourceVersion"]
    if uid not in (None, "", meta.uid(pod)):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.uid(pod)}"
        raise conflict("pods", meta.name(pod), why)
    if wanted not in (None, "", current):
        why = (
            f"the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record "
            f"({current}). The object might have been modified"
        )
        raise conflict("Pod", meta.name(pod), why)


def spend_budget(registry: Registry, pod: Obj, *, dry_run: bool) -> None:
    """Take one disruption from the pod's budget, if it needs one; 429 when there is none left."""
    if _has_nothing_to_disrupt(pod):
        return
    budgets = [
        budget
        for budget in registry.list("poddisruptionbudgets", meta.namespace(pod))
        if from_label_selector(budget["spec"].get("selector")).matches(meta.labels(pod))
    ]
    if len(budgets) > 1:
        raise StatusError(500, "", _SEVERAL)
    for budget in budgets:
        if not _spares_unhealthy(budget, pod):
            spent = _spent(budget, pod, registry)
            if not dry_run:
                registry.update("poddisruptionbudgets", budget | {"status": spent}, "status")


def _has_nothing_to_disrupt(pod: Obj) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or meta.is_terminating(pod)


def _spares_unhealthy(budget: Obj, pod: Obj) -> bool:
    """An unhealthy pod costs nothing by the policy AlwaysAllow, or while the others are enough."""
    if meta.condition_is_true((pod.get("status") or {}).get("conditions"), "Ready"):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired: int = budget["status"].get("desiredHealthy", 0)
    return bool(budget["status"].get("currentHealthy", 0) >= desired > 0)


def _spent(budget: Obj, pod: Obj, registry: Registry) -> Obj:
    """The budget's status after one more disruption."""
    name, status = meta.name(budget), budget["status"]
    allowed = status.get("disruptionsAllowed", 0)
    disrupted = status.get("disruptedPods") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _refused(
            f"The disruption budget {name} is still being processed by the server.", {"retryAfterSeconds": 10}
        )
    if allowed < 0:
        raise forbidden("poddisruptionbudget", name, "pdb disruptions allowed is negative", "policy")
    if len(disrupted) > MAX_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("poddisruptionbudget", name, why, "policy")
    if allowed == 0:
        desired, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise _refused(f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
    spent: Obj = status | {
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": disrupted | {meta.name(pod): meta.format_time(registry.now())},
    }
    if allowed == 1:
        condition = {"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": ""}
        condition["observedGeneration"] = status.get("observedGeneration", 0)
        spent["conditions"] = meta.with_condition(status.get("conditions"), condition, registry.now())
    return spent


def _refused(why: str, more: Obj | None = None) -> StatusError:
    causes = [{"reason": "DisruptionBudget", "message": why}]
    return StatusError(429, "TooManyRequests", _VIOLATION, {"causes": causes} | (more or {}))
