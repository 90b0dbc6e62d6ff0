"""One followed resource: where the API lists it and how its objects are cut down. Pure; filled in by DNS and proxy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Entry = TypeVar("Entry")

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Entry]):
    path: str
    entry: type[Entry]
    read: Callable[[dict[str, Any]], Entry]


def key_of(obj: dict[str, Any]) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]
