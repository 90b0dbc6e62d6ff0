"""How many replicas one metric asks for. Pure; after upstream's `replica_calculator`: usage over target, rounded up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from kubelite.controllers.autoscaler.samples import Samples, Unmeasurable, requests, take
from kubelite.objects import quantity
from kubelite.objects.meta import Obj
from kubelite.objects.usage import Measured

TOLERANCE = 0.1

_SUFFIXES = ("m", "", "k", "M", "G", "T", "P", "E")

Ratio = Callable[[Mapping[str, int]], float]  # usage by pod uid -> usage over target


@dataclass(frozen=True, slots=True)
class Proposal:
    """`name` is the metric in events and conditions, `status` what currentMetrics shows of it."""

    replicas: int
    name: str
    status: Obj


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured: a resource of the pods, or of one container of them."""

    field: str  # resource | containerResource
    resource: str
    container: str
    utilization: int | None
    average: int | None


def target_of(metric: Obj) -> Target | None:
    """None for metrics of other sources than the pods' own usage."""
    field = {"Resource": "resource", "ContainerResource": "containerResource"}.get(metric["type"])
    if field is None:
        return None
    source = metric[field]
    wanted, average = source["target"], source["target"].get("averageValue")
    return Target(
        field,
        source["name"],
        source.get("container", ""),
        wanted.get("averageUtilization"),
        None if average is None else quantity.to_milli(average),
    )


def propose(target: Target, pods: Sequence[Obj], measured: Measured, current: int, now: datetime) -> Proposal:
    """Unmeasurable with upstream's message when there is nothing to go by."""
    if not any(measured.values()):
        text = f"unable to get metrics for resource {target.resource}: no metrics returned from resource metrics API"
        raise Unmeasurable(text)
    if not pods:
        raise Unmeasurable("no pods returned by selector while calculating replica count")
    samples = take(pods, measured, target.resource, target.container, now)
    if not samples.used:
        raise Unmeasurable("did not receive metrics for targeted pods (pods might be unready)")
    if target.average is not None:
        return _of_average(target, target.average, samples, current)
    return _of_utilization(target, target.utilization or 0, pods, samples, current)


def _of_average(target: Target, wanted: int, samples: Samples, current: int) -> Proposal:
    def ratio(used: Mapping[str, int]) -> float:
        return sum(used.values()) // len(used) / wanted

    replicas = _replicas(samples, current, ratio, lambda uid: wanted)
    reached = {"averageValue": decimal(sum(samples.used.values()) // len(samples.used))}
    return Proposal(replicas, _name(target, f"{target.resource} resource"), _status(target, reached))


def _of_utilization(target: Target, wanted: int, pods: Sequence[Obj], samples: Samples, current: int) -> Proposal:
    asked = requests(pods, target.resource, target.container)

    def percent(used: Mapping[str, int]) -> int:
        total = sum(asked[uid] for uid in used)
        if not total:
            raise Unmeasurable("no metrics returned matched known pods")
        return sum(used.values()) * 100 // total

    full = max(100, wanted)
    replicas = _replicas(samples, current, lambda used: percent(used) / wanted, lambda uid: asked[uid] * full // 100)
    average = sum(samples.used.values()) // len(samples.used)
    reached = {"averageUtilization": percent(samples.used), "averageValue": decimal(average)}
    name = f"{target.resource} resource utilization (percentage of request)"
    return Proposal(replicas, _name(target, name), _status(target, reached))


def _name(target: Target, name: str) -> str:
    if not target.container:
        return name
    of = "container resource utilization (percentage of request)" if target.average is None else "container resource"
    return f"{target.resource} {of}"


def _status(target: Target, reached: Obj) -> Obj:
    kind = "Resource" if target.field == "resource" else "ContainerResource"
    source: Obj = {"name": target.resource, "current": reached}
    return {"type": kind, target.field: source | ({"container": target.container} if target.container else {})}


def _replicas(samples: Samples, current: int, ratio: Ratio, full: Callable[[str], int]) -> int:
    """Pods of which nothing is known are taken for idle when that means fewer new ones, for busy (`full`) otherwise."""
    first = ratio(samples.used)
    starting = samples.unready if first > 1 else frozenset()
    if not starting and not samples.missing:
        return current if _is_close(first) else ceil(first * samples.ready)
    used = dict(samples.used)
    if first < 1:
        used |= {uid: full(uid) for uid in samples.missing}
    elif first > 1:
        used |= dict.fromkeys(samples.missing, 0)
    used |= dict.fromkeys(starting, 0)
    second = ratio(used)
    wanted = ceil(second * len(used))
    turned = (first < 1 < second) or (second < 1 < first)
    contradicts = (second < 1 and wanted > current) or (second > 1 and wanted < current)
    return current if _is_close(second) or turned or contradicts else wanted


def _is_close(ratio: float) -> bool:
    return abs(1 - ratio) <= TOLERANCE


def decimal(milli: int) -> str:
    """A quantity of thousandths, with the largest suffix that leaves it whole."""
    number, place = milli, 0
    while number and number % 1000 == 0 and place < len(_SUFFIXES) - 1:
        number, place = number // 1000, place + 1
    return f"{number}{_SUFFIXES[place]}" if number else "0"
