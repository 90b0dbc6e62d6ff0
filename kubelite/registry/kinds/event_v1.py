"""Events of events.k8s.io/v1: the stored core Events under that group's field names."""

from __future__ import annotations

from dataclasses import replace

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.event import EVENT

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
    encode=_encode,
    decode=_decode,
)
