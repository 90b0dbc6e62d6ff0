"""What clients ask a node's kubelet for through the API: `/healthz`, `/pods`, `/metrics`, `/metrics/resource`.

The kubelet has no port of its own here. The metrics are those of upstream's `kubelet/metrics`, as far as there is
something to tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from kubelite.api.answer import Answer, send
from kubelite.api.exposition import Sample, build_info, exposed, family
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.usage import Measured, Meter
from kubelite.registry.registry import Registry

_BILLION = 10**9
_STATES = ("created", "exited", "running")


class _Counted(Protocol):
    @property
    def total(self) -> int: ...

    @property
    def memory(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _Used:
    """Nanoseconds of processor time so far, and bytes."""

    labels: Mapping[str, str]
    total: int
    memory: int


class KubeletPaths:
    """`answer` handles what follows the node's `proxy`."""

    def __init__(self, registry: Registry, meter: Meter) -> None:
        self._registry = registry
        self._meter = meter

    async def answer(self, request: web.Request, node: str, path: str) -> web.StreamResponse:
        self._registry.get("nodes", None, node)
        match path.rstrip("/"):
            case "/healthz":
                return web.Response(text="ok")
            case "/pods":
                items = self._pods(node)
                return send(request, Answer({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}))
            case "/metrics":
                return exposed(kubelet_metrics(node, self._pods(node)))
            case "/metrics/resource":
                pods = self._pods(node)
                return exposed(resource_metrics(pods, await self._meter.of(pods)))
            case _:
                return web.Response(status=404, text="404 page not found\n")

    def _pods(self, node: str) -> list[Obj]:
        return [pod for pod in self._registry.list("pods") if pod["spec"].get("nodeName") == node]


def kubelet_metrics(node: str, pods: Sequence[Obj]) -> Iterator[str]:
    """Of the kubelet itself."""
    statuses = [pod.get("status") or {} for pod in pods]
    states = Counter(_state(container) for status in statuses for container in status.get("containerStatuses") or ())
    counted = (({"container_state": state}, states[state]) for state in _STATES)
    yield from family("kubelet_node_name", "gauge", "The node's name. The count is always 1.", [({"node": node}, 1)])
    yield from family("kubelet_running_containers", "gauge", "Number of containers by their state", counted)
    running = sum(status.get("phase") == "Running" for status in statuses)
    yield from family(
        "kubelet_running_pods", "gauge", "Number of pods that have a running pod sandbox", [({}, running)]
    )
    yield from build_info()


def _state(container: Obj) -> str:
    """In the container runtime's words."""
    state = container.get("state") or {}
    return "running" if "running" in state else "exited" if "terminated" in state else "created"


def resource_metrics(pods: Sequence[Obj], measured: Measured) -> Iterator[str]:
    """Of the node, its pods and their containers; the node's is the sum of what runs on it."""
    containers: list[_Used] = []
    summed: list[_Used] = []
    for pod in pods:
        labels = {"namespace": meta.namespace(pod) or "", "pod": meta.name(pod)}
        usages = measured.get(meta.uid(pod), {})
        containers += [_Used({"container": name, **labels}, one.total, one.memory) for name, one in usages.items()]
        if usages:
            summed.append(_sum(labels, usages.values()))
    yield from _used("container", containers)
    yield from _used("node", [_sum({}, summed)])
    yield from _used("pod", summed)
    text = "Start time of the container since unix epoch in seconds"
    yield from family("container_start_time_seconds", "gauge", text, _start_times(pods))
    text = "1 if there was an error while getting container metrics, 0 otherwise"
    yield from family("resource_scrape_error", "gauge", text, [({}, 0)])
    yield from family("scrape_error", "gauge", text, [({}, 0)])


def _sum(labels: Mapping[str, str], usages: Collection[_Counted]) -> _Used:
    return _Used(labels, sum(one.total for one in usages), sum(one.memory for one in usages))


def _used(what: str, usages: Sequence[_Used]) -> Iterator[str]:
    text = f"Cumulative cpu time consumed by the {what} in core-seconds"
    spent: list[Sample] = [(one.labels, one.total / _BILLION) for one in usages]
    yield from family(f"{what}_cpu_usage_seconds_total", "counter", text, spent)
    text = f"Current working set of the {what} in bytes"
    yield from family(f"{what}_memory_working_set_bytes", "gauge", text, [(one.labels, one.memory) for one in usages])


def _start_times(pods: Sequence[Obj]) -> Iterator[Sample]:
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            running = (status.get("state") or {}).get("running")
            if running and running.get("startedAt"):
                labels = {"container": status["name"], "namespace": meta.namespace(pod) or "", "pod": meta.name(pod)}
                yield labels, meta.parse_time(running["startedAt"]).timestamp()
