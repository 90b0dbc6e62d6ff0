"""ComponentStatuses: read only and long deprecated, but still typed (`kubectl get cs`).

What upstream probes are parts of the one process here: who can answer at all answers that they are healthy. The objects
are made when a cluster comes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import NAME_COLUMN, Column, Kind

_COMPONENTS = ("controller-manager", "etcd-0", "scheduler")


def components() -> Iterator[Obj]:
    """All healthy."""
    for name in _COMPONENTS:
        yield {"metadata": {"name": name}, "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}]}


def _row(component: Obj, now: datetime) -> list[Any]:
    healthy = meta.condition(component.get("conditions"), "Healthy") or {}
    shown = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [meta.name(component), shown, healthy.get("message", ""), healthy.get("error", "")]


COMPONENT_STATUS = Kind(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    singular="componentstatus",
    namespaced=False,
    short_names=("cs",),
    columns=(
        NAME_COLUMN,
        Column("Status", description="Whether it is healthy."),
        Column("Message", description="What it says."),
        Column("Error", description="What is wrong with it."),
    ),
    row=_row,
    verbs=("get", "list"),
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
)
