"""The Table form of objects, as `kubectl get` prints it; pure (meta.k8s.io/v1 Table)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Column, Kind

Include = Literal["None", "Metadata", "Object"]
META_V1 = "meta.k8s.io/v1"


def column_definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def partial_metadata(obj: Obj, version: str = META_V1) -> Obj:
    return {"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": obj["metadata"]}


def _row(kind: Kind, obj: Obj, now: datetime, include: Include, version: str) -> dict[str, Any]:
    cells = kind.row(obj, now) if kind.row else [meta.name(obj), obj["metadata"].get("creationTimestamp")]
    if include == "None":
        return {"cells": cells}
    return {"cells": cells, "object": obj if include == "Object" else partial_metadata(obj, version)}


def table(
    kind: Kind,
    objects: Iterable[Obj],
    now: datetime,
    *,
    include: Include,
    metadata: Obj,
    header: bool = True,
    version: str = META_V1,
) -> dict[str, Any]:
    """`metadata` is the list's (resourceVersion, continue); `header` is off for all but a watch's first event."""
    return {
        "kind": "Table",
        "apiVersion": version,
        "metadata": metadata,
        "columnDefinitions": [column_definition(column) for column in kind.columns] if header else None,
        "rows": [_row(kind, obj, now, include, version) for obj in objects],
    }
