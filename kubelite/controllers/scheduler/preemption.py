"""Which pods of less importance could make room for one that fits nowhere. PURE; after upstream's DefaultPreemption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kubelite.controllers.scheduler.snapshot import Misfit, Snapshot, priority
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector

Filter = Callable[[Obj, Snapshot], Misfit | None]  # of one pod: a node of a snapshot

NO_VICTIMS = Misfit(("No preemption victims found for incoming pod",), resolvable=False)
NOT_HELPFUL = "Preemption is not helpful for scheduling"
REASON = "PreemptionByScheduler"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that takes the pod once the victims are gone."""

    node: str
    victims: tuple[Obj, ...]
    violations: int  # of disruption budgets


def objection(pod: Obj, snapshot: Snapshot, problems: Mapping[str, Misfit]) -> str:
    """Why the pod may not push others away (now); empty when it may. `problems` are the nodes'."""
    if pod["spec"].get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    promised = str((pod.get("status") or {}).get("nominatedNodeName") or "")
    if promised in problems and not problems[promised].resolvable:
        return ""
    leaving = (
        other
        for other in snapshot.pods
        if other["spec"]["nodeName"] == promised and meta.is_terminating(other) and priority(other) < priority(pod)
    )
    if promised and any(_is_victim(other) for other in leaving):
        return "not eligible due to a terminating pod on the nominated node."
    return ""


def _is_victim(pod: Obj) -> bool:
    condition = meta.condition((pod.get("status") or {}).get("conditions"), "DisruptionTarget")
    return condition is not None and condition.get("reason") == REASON


def candidate(pod: Obj, node: Obj, snapshot: Snapshot, budgets: Sequence[Obj], filter: Filter) -> Candidate | Misfit:
    """The fewest and least important victims on the node, or why their end wouldn't help."""
    lower = [other for other in snapshot.on(node) if priority(other) < priority(pod)]
    if not lower:
        return NO_VICTIMS
    if problem := filter(node, snapshot.without({meta.uid(other) for other in lower})):
        return problem
    protected, others = _by_budget(sorted(lower, key=_importance), budgets)
    gone = {meta.uid(other) for other in lower}
    for other in [*protected, *others]:
        if filter(node, snapshot.without(gone - {meta.uid(other)})) is None:
            gone.discard(meta.uid(other))
    victims = tuple(other for other in [*protected, *others] if meta.uid(other) in gone)
    return Candidate(meta.name(node), victims, sum(meta.uid(other) in gone for other in protected))


def _importance(pod: Obj) -> tuple[int, str]:
    """The most important first: by priority, then the one that runs longest."""
    return -priority(pod), _start(pod)


def _start(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("startTime") or "9")


def _by_budget(pods: Iterable[Obj], budgets: Sequence[Obj]) -> tuple[list[Obj], list[Obj]]:
    """Those whose end would violate a disruption budget, and the others."""
    left = [int((budget.get("status") or {}).get("disruptionsAllowed") or 0) for budget in budgets]
    protected: list[Obj] = []
    others: list[Obj] = []
    for pod in pods:
        covering = [index for index, budget in enumerate(budgets) if _covers(budget, pod)]
        for index in covering:
            left[index] -= 1
        (protected if any(left[index] < 0 for index in covering) else others).append(pod)
    return protected, others


def _covers(budget: Obj, pod: Obj) -> bool:
    if meta.namespace(budget) != meta.namespace(pod) or not meta.labels(pod):
        return False
    selector = budget["spec"].get("selector")
    if not selector or meta.name(pod) in ((budget.get("status") or {}).get("disruptedPods") or {}):
        return False
    return from_label_selector(selector).matches(meta.labels(pod))


def best(candidates: Sequence[Candidate]) -> Candidate:
    """Fewest violations, then the least important victims, then the fewest of them."""

    def cost(found: Candidate) -> tuple[int, int, int, int]:
        priorities = [priority(victim) for victim in found.victims]
        return found.violations, max(priorities, default=-(2**31)), sum(priorities), len(priorities)

    return min(candidates, key=cost)
