"""ConfigMaps, and what they share with Secrets: key names, the size limit, immutability."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, too_long
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age

SIZE_LIMIT = 1024 * 1024
_IMMUTABLE = "field is immutable when `immutable` is set"


def decoded_size(encoded: str) -> int:
    return len(encoded.rstrip("=")) * 3 // 4


def key_errors(field: str, data: Iterable[str]) -> list[FieldError]:
    return [error for key in data for error in validation.values(f"{field}[{key}]", key, validation.config_key(key))]


def immutability_errors(new: Obj, old: Obj, fields: Iterable[str]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden_field("immutable", _IMMUTABLE)]
    changed = (field for field in fields if (new.get(field) or None) != (old.get(field) or None))
    return errors + [forbidden_field(field, _IMMUTABLE) for field in changed]


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    errors = key_errors("data", data)
    for key in data.keys() & binary.keys():
        errors.append(invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
    errors += key_errors("binaryData", binary)
    size = sum(len(value.encode()) for value in data.values()) + sum(map(decoded_size, binary.values()))
    if size > SIZE_LIMIT:
        errors.append(too_long("[]", SIZE_LIMIT))  # upstream's way to name the whole object
    if old is not None:
        errors += immutability_errors(new, old, ("data", "binaryData"))
    return errors


def _row(config: Obj, now: datetime) -> list[Any]:
    count = len(config.get("data") or {}) + len(config.get("binaryData") or {})
    return [meta.name(config), count, age(config, now)]


CONFIG_MAP = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    short_names=("cm",),
    columns=(NAME_COLUMN, Column("Data", description="How many keys it has."), AGE_COLUMN),
    row=_row,
    validate=_validate,
)
