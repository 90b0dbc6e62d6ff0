"""`/metrics` in Prometheus' text format: requests served, objects kept, the process itself.

Names and labels are kube-apiserver's and its process collector's, as far as there is something to tell.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Iterator
from pathlib import Path

from aiohttp import web

from kubelite.api.exposition import Sample, build_info, exposed, family
from kubelite.api.flowcontrol import seats
from kubelite.api.path import Target
from kubelite.errors import StatusError
from kubelite.registry.registry import Registry

_LABELS = ("code", "group", "resource", "scope", "subresource", "verb", "version")


class Telemetry:
    """Counts requests and answers `/metrics`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._started = time.time()

    async def counted(
        self, method: str, target: Target, answer: Awaitable[web.StreamResponse], *, watching: bool
    ) -> web.StreamResponse:
        """The answer, once it is counted."""
        code = 500
        try:
            response = await answer
            code = response.status
            return response
        except StatusError as error:
            code = error.code
            raise
        finally:
            scope = "resource" if target.name else "namespace" if target.namespace else "cluster"
            kind, verb = target.kind, _verb(method, target, watching)
            self._requests[(str(code), kind.group, kind.plural, scope, target.subresource, verb, kind.version)] += 1

    async def answer(self, request: web.Request) -> web.StreamResponse:
        return exposed(self._lines())

    def _lines(self) -> Iterator[str]:
        store, usage = self._registry.store, resource.getrusage(resource.RUSAGE_SELF)
        requests = ((dict(zip(_LABELS, key, strict=True)), count) for key, count in sorted(self._requests.items()))
        yield from family("apiserver_request_total", "counter", "Requests by verb, resource and code.", requests)
        kept = sorted({kind.resource for kind in self._registry.kinds})
        objects: list[Sample] = [({"resource": name}, store.count(name)) for name in kept]
        yield from family("apiserver_storage_objects", "gauge", "Objects kept, by resource.", objects)
        limits = seats(self._registry.list("prioritylevelconfigurations")).items()
        nominal = (({"priority_level": name}, count) for name, count in limits)
        yield from family("apiserver_flowcontrol_nominal_limit_seats", "gauge", "Seats of each level.", nominal)
        yield from build_info()
        for name, kind, text, value in (
            ("process_cpu_seconds_total", "counter", "Processor time.", usage.ru_utime + usage.ru_stime),
            ("process_open_fds", "gauge", "Open files.", len(os.listdir("/proc/self/fd"))),
            ("process_resident_memory_bytes", "gauge", "Resident memory.", _resident()),
            ("process_start_time_seconds", "gauge", "When the process started.", self._started),
        ):
            yield from family(name, kind, text, [({}, value)])


def _verb(method: str, target: Target, watching: bool) -> str:
    if watching:
        return "WATCH"
    if target.subresource in ("exec", "attach", "portforward", "proxy"):
        return "CONNECT"
    if not target.name:
        return {"GET": "LIST", "DELETE": "DELETECOLLECTION"}.get(method, method)
    return method


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
