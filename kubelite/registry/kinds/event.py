"""Events (core v1): light validation, the selectable fields that `describe` asks for, the Table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import Column, Kind
from kubelite.registry.printing import translate_timestamp

_REQUIRED_WITH_TIME = ("reportingComponent", "reportingInstance", "action", "reason")
_LIMITS = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}


def _default(event: Obj) -> None:
    event.setdefault("reportingComponent", "")
    event.setdefault("reportingInstance", "")


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    involved = (new.get("involvedObject") or {}).get("namespace") or ""
    own = meta.namespace(new) or ""
    errors = []
    if new.get("eventTime"):
        matches = bool(involved) or own in ("default", "kube-system")
        errors += _new_style_errors(new)
    else:
        matches = own == (involved or "default")
    if not matches:
        errors.insert(0, invalid_value("involvedObject.namespace", involved, "does not match event.namespace"))
    return errors


def _new_style_errors(event: Obj) -> list[FieldError]:
    """An event with an eventTime is one of the newer API, which has more rules."""
    errors = []
    for field in _REQUIRED_WITH_TIME:
        path = "reportingController" if field == "reportingComponent" else field
        value = event.get(field) or ""
        if not value:
            errors.append(required(path))
        if field == "reportingComponent":
            errors += validation.values(path, value, validation.qualified_name(value))
    return errors + [
        invalid_value(field, "", f"can have at most {limit} characters")
        for field, limit in _LIMITS.items()
        if len((event.get(field) or "").encode()) > limit
    ]


def _source(event: Obj) -> str:
    return (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""


def _host(event: Obj) -> str:
    return (event.get("source") or {}).get("host") or event.get("reportingInstance") or ""


def _involved(field: str) -> Callable[[Obj], str]:
    return lambda event: str((event.get("involvedObject") or {}).get(field) or "")


def _plain(field: str) -> Callable[[Obj], str]:
    return lambda event: str(event.get(field) or "")


def _row(event: Obj, now: datetime) -> list[Any]:
    first = translate_timestamp(event.get("firstTimestamp") or event.get("eventTime"), now)
    last = translate_timestamp(event["lastTimestamp"], now) if event.get("lastTimestamp") else first
    count = event.get("count") or 1
    if series := event.get("series"):
        last = translate_timestamp(series.get("lastObservedTime"), now)
        count = series.get("count") or 0
    involved = event.get("involvedObject") or {}
    kind, name = (involved.get("kind") or "").lower(), involved.get("name")
    return [
        last,
        event.get("type") or "",
        event.get("reason") or "",
        f"{kind}/{name}" if name else kind,
        involved.get("fieldPath") or "",
        ", ".join(filter(None, (_source(event), _host(event)))),
        (event.get("message") or "").strip(),
        first,
        count,
        meta.name(event),
    ]


_INVOLVED_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

EVENT = Kind(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    short_names=("ev",),
    columns=(
        Column("Last Seen", description="When it happened last."),
        Column("Type", description="Normal or Warning."),
        Column("Reason", description="Why it was recorded, in one word."),
        Column("Object", description="What it is about."),
        Column("Subobject", description="Which part of that object.", priority=1),
        Column("Source", description="Who recorded it.", priority=1),
        Column("Message", description="What happened."),
        Column("First Seen", description="When it happened first.", priority=1),
        Column("Count", description="How often it happened.", priority=1),
        Column("Name", format="name", description="Name of the event.", priority=1),
    ),
    row=_row,
    default=_default,
    validate=_validate,
    fields={f"involvedObject.{field}": _involved(field) for field in _INVOLVED_FIELDS}
    | {field: _plain(field) for field in ("reason", "type", "reportingComponent")}
    | {"source": _source},
    create_on_update=True,
)
