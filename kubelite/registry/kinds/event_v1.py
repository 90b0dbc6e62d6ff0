"""Events of events.k8s.io/v1: the stored core Events under that group's field names."""

from __future__ import annotations

from dataclasses import replace

from kubelite.errors import FieldError, invalid_value, required
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.event import EVENT
from kubelite.registry.validation import unchanged

# core name -> the newer one; all other fields are called the same.
_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_BACK = {newer: core for core, newer in _RENAMED.items()}
# Core writes these even when they are unset.
_ALWAYS: Obj = {
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "reportingComponent": "",
    "reportingInstance": "",
}


def _encode(event: Obj) -> Obj:
    renamed = {_RENAMED.get(key, key): value for key, value in event.items()}
    return {**renamed, "apiVersion": EVENT_V1.api_version}


def _decode(event: Obj) -> Obj:
    renamed = {_BACK.get(key, key): value for key, value in event.items()}
    return {**_ALWAYS, "involvedObject": {}, **renamed, "apiVersion": EVENT.api_version}


_UNSET = ("firstTimestamp", "lastTimestamp", "count", "source")
_FIXED = (
    *("involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime"),
    *("action", "related", "reportingComponent", "reportingInstance"),
)


def _of_version(new: Obj, old: Obj | None) -> list[FieldError]:
    """Strict where core is not, under core's names (upstream's `core/validation/events.go`)."""
    if old is not None:
        errors = _series(new) if new.get("series") != old.get("series") else []
        return errors + [error for name in _FIXED for error in unchanged(_path(name), new.get(name), old.get(name))]
    errors = _series(new)
    if not new.get("eventTime"):
        errors.append(required("eventTime"))
    if new.get("type") not in ("Normal", "Warning"):
        errors.append(invalid_value("type", "", f"has invalid value: {new.get('type') or ''}"))
    return errors + [invalid_value(name, "", "needs to be unset") for name in _UNSET if new.get(name)]


def _path(name: str) -> str:
    return "reportingController" if name == "reportingComponent" else name


def _series(event: Obj) -> list[FieldError]:
    series = event.get("series")
    if series is None:
        return []
    errors = [] if series.get("count", 0) >= 2 else [invalid_value("series.count", "", "should be at least 2")]
    return errors if series.get("lastObservedTime") else [*errors, required("series.lastObservedTime")]


EVENT_V1 = replace(
    EVENT,
    group="events.k8s.io",
    fields={
        (
            f"regarding.{path.partition('.')[2]}" if path.startswith("involvedObject.") else _RENAMED.get(path, path)
        ): read
        for path, read in EVENT.fields.items()
        if path != "source"
    },
    stored_as=EVENT,
    of_version=_of_version,
    encode=_encode,
    decode=_decode,
)
