"""Schemas hold schemas: one way to change them all. Pure; used by whatever writes schemas in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]


def with_inner(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """A copy whose immediate inner schemas are changed."""
    found = dict(schema)
    if "properties" in schema:
        found["properties"] = {name: change(inner) for name, inner in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found[key] = change(schema[key])
    return found
