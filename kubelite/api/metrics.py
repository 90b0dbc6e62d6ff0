"""metrics.k8s.io/v1beta1, which `kubectl top` reads: what nodes and pods use at this moment.

Shaped as kubernetes-sigs/metrics-server's answers; measured by the node.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from kubelite import errors
from kubelite.api import selection
from kubelite.api.answer import Answer, send
from kubelite.api.negotiation import answer_form
from kubelite.api.table import table
from kubelite.api.views import include_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.usage import Meter, Usage
from kubelite.registry.kind import NAME_COLUMN, Column, Kind
from kubelite.registry.registry import Registry

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
PREFIX = f"/apis/{GROUP}/{VERSION}/"
RESOURCES: Sequence[tuple[str, str, bool]] = (("nodes", "NodeMetrics", False), ("pods", "PodMetrics", True))


def _row(measured: Obj, now: datetime) -> list[Any]:
    usages = [one["usage"] for one in measured.get("containers", [measured])]
    cpu, memory = (sum(int(usage[name].rstrip("nKi")) for usage in usages) for name in ("cpu", "memory"))
    return [meta.name(measured), f"{cpu}n", f"{memory}Ki", measured["window"]]


def _kind(kind: str, plural: str, *, namespaced: bool) -> Kind:
    columns = (
        Column("cpu", format="quantity"),
        Column("memory", format="quantity"),
        Column("Window", format="duration"),
    )
    return Kind(
        group=GROUP,
        version=VERSION,
        kind=kind,
        plural=plural,
        singular="",
        namespaced=namespaced,
        columns=(NAME_COLUMN, *columns),
        row=_row,
    )


_PODS, _NODES = (_kind(kind, plural, namespaced=namespaced) for plural, kind, namespaced in reversed(RESOURCES))


class Metrics:
    """`answer` handles every path of the group."""

    def __init__(self, registry: Registry, meter: Meter) -> None:
        self._registry = registry
        self._meter = meter

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        match request.path.removeprefix(PREFIX).strip("/").split("/"):
            case ["nodes"]:
                return self._list(request, _NODES, await self._nodes(self._selected(request, "nodes", None)))
            case ["nodes", name]:
                return self._one(request, _NODES, await self._nodes(self._named("nodes", None, name)), name)
            case ["pods"]:
                return self._list(request, _PODS, await self._pods(self._selected(request, "pods", None)))
            case ["namespaces", namespace, "pods"]:
                return self._list(request, _PODS, await self._pods(self._selected(request, "pods", namespace)))
            case ["namespaces", namespace, "pods", name]:
                found = await self._pods(self._named("pods", namespace, name))
                return self._one(request, _PODS, found, f"{namespace}/{name}")
        raise errors.page_not_found()

    def _selected(self, request: web.Request, plural: str, namespace: str | None) -> list[Obj]:
        chosen = selection.of_query(self._registry.kind(plural), request.query)
        return [obj for obj in self._registry.list(plural, namespace) if chosen.matches(obj)]

    def _named(self, plural: str, namespace: str | None, name: str) -> list[Obj]:
        found = self._registry.find(plural, namespace, name)
        return [found] if found else []

    def _one(self, request: web.Request, kind: Kind, found: Sequence[Obj], name: str) -> web.StreamResponse:
        """What isn't there and what isn't measured yet are the same."""
        if not found:
            raise errors.not_found(kind.kind.lower(), name, GROUP)
        return self._shown(request, kind, found, found[0])

    def _list(self, request: web.Request, kind: Kind, items: Sequence[Obj]) -> web.StreamResponse:
        body = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": {}, "items": items}
        return self._shown(request, kind, items, body)

    def _shown(self, request: web.Request, kind: Kind, items: Sequence[Obj], plain: Obj) -> web.StreamResponse:
        form = answer_form(request.headers.get("Accept", ""))
        if form.type != "Table":
            return send(request, Answer(plain), form)
        now, include = self._registry.now(), include_of(request.query)
        return send(
            request, Answer(table(kind, items, now, include=include, metadata={}, version=form.api_version)), form
        )

    async def _pods(self, pods: Iterable[Obj]) -> list[Obj]:
        measured = list(pods)
        found = await self._meter.of(measured)
        return [self._pod(pod, found[meta.uid(pod)]) for pod in measured if meta.uid(pod) in found]

    def _pod(self, pod: Obj, containers: Mapping[str, Usage]) -> Obj:
        shown = [{"name": name, "usage": _amounts([usage])} for name, usage in sorted(containers.items())]
        return {**self._measured("PodMetrics", pod, containers.values()), "containers": shown}

    async def _nodes(self, nodes: Iterable[Obj]) -> list[Obj]:
        """A node's usage is that of everything kubelite runs on it."""
        found = await self._meter.of(self._registry.list("pods"))
        on: dict[str, list[Usage]] = {}
        for pod in self._registry.list("pods"):
            on.setdefault(pod["spec"].get("nodeName") or "", []).extend(found.get(meta.uid(pod), {}).values())
        return [
            {**self._measured("NodeMetrics", node, usages), "usage": _amounts(usages)}
            for node, usages in ((node, on.get(meta.name(node), [])) for node in nodes)
        ]

    def _measured(self, kind: str, obj: Obj, usages: Collection[Usage]) -> Obj:
        now = self._registry.now()
        oldest = max((usage.age for usage in usages), default=0.0)
        window = max((usage.window for usage in usages), default=0.0)
        metadata = {key: obj["metadata"][key] for key in ("name", "namespace", "labels") if key in obj["metadata"]}
        return {
            "kind": kind,
            "apiVersion": f"{GROUP}/{VERSION}",
            "metadata": {**metadata, "creationTimestamp": meta.format_time(now)},
            "timestamp": meta.format_time(now - timedelta(seconds=oldest)),
            "window": f"{round(window, 3):g}s" if window >= 1 else f"{window * 1000:.0f}ms",
        }


def _amounts(usages: Collection[Usage]) -> dict[str, str]:
    cpu, memory = sum(usage.cpu for usage in usages), sum(usage.memory for usage in usages)
    return {"cpu": f"{cpu}n", "memory": f"{memory // 1024}Ki"}
