"""The parts every object shares: metadata, conditions, owner references, times.

Objects are plain dicts in their JSON shape and are treated as immutable once they are stored: take `copy` before
changing one. Times in objects are RFC 3339 strings in UTC (`2026-01-02T03:04:05Z`).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

Obj = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def copy(obj: Obj) -> Obj:
    """A deep copy (a JSON round trip: five times faster than `copy.deepcopy`)."""
    copied: Obj = _decode(_encode(obj))
    return copied


def name(obj: Obj) -> str:
    return str(obj["metadata"].get("name", ""))


def namespace(obj: Obj) -> str | None:
    return obj["metadata"].get("namespace") or None


def uid(obj: Obj) -> str:
    return str(obj["metadata"].get("uid", ""))


def labels(obj: Obj) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def annotations(obj: Obj) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def resource_version(obj: Obj) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def newest(objs: Iterable[Obj]) -> Obj | None:
    """Of equally old ones the first by name."""
    named = sorted(objs, key=name)
    return max(named, key=lambda obj: str(obj["metadata"].get("creationTimestamp", "")), default=None)


def is_terminating(obj: Obj) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def owner_references(obj: Obj) -> list[Obj]:
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference that manages the object, if any."""
    return next((owner for owner in owner_references(obj) if owner.get("controller")), None)


def is_controlled_by(obj: Obj, owner: Obj) -> bool:
    ref = controller_of(obj)
    return ref is not None and ref["uid"] == uid(owner)


def owner_reference(owner: Obj, *, controller: bool = True) -> Obj:
    """A reference to `owner` as controllers write it: controller=true, blockOwnerDeletion=true."""
    ref = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
    }
    return ref | {"controller": True, "blockOwnerDeletion": True} if controller else ref


def reference(obj: Obj) -> Obj:
    """An ObjectReference, as events and bindings carry it."""
    meta = obj["metadata"]
    ref = {
        "kind": obj["kind"],
        "namespace": meta.get("namespace"),
        "name": meta.get("name"),
        "uid": meta.get("uid"),
        "apiVersion": obj["apiVersion"],
        "resourceVersion": meta.get("resourceVersion"),
    }
    return {key: value for key, value in ref.items() if value}


def format_time(moment: datetime) -> str:
    """metav1.Time: whole seconds."""
    return _with_zulu(moment, "seconds")


def format_micro_time(moment: datetime) -> str:
    """metav1.MicroTime: microseconds."""
    return _with_zulu(moment, "microseconds")


def _with_zulu(moment: datetime, precision: str) -> str:
    """Years have four digits, which not every platform's strftime gives to those before 1000."""
    return moment.astimezone(UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def condition(conditions: Iterable[Obj] | None, kind: str) -> Obj | None:
    return next((entry for entry in conditions or () if entry.get("type") == kind), None)


def condition_is_true(conditions: Iterable[Obj] | None, kind: str) -> bool:
    found = condition(conditions, kind)
    return found is not None and found.get("status") == "True"


def with_condition(conditions: Sequence[Obj] | None, new: Obj, now: datetime) -> list[Obj]:
    """`conditions` with `new` (type, status, and perhaps reason, message) put in its place.

    lastTransitionTime moves only when the status changes, as upstream's helpers do.
    """
    old = condition(conditions, new["type"])
    if old is not None and old.get("status") == new["status"]:
        moved = old.get("lastTransitionTime", format_time(now))
    else:
        moved = format_time(now)
    entry = new | {"lastTransitionTime": moved}
    if old is None:
        return [*(conditions or ()), entry]
    return [entry if item.get("type") == new["type"] else item for item in conditions or ()]
