"""Sets of field paths, as `metadata.managedFields` holds them (FieldsV1 of structured-merge-diff).

A path is a tuple of elements: `f:name` is a field or a map's key, `k:{"name":"c"}` an entry of a list by its keys,
`v:"x"` an entry of a set. Called by `patch_apply` and by the registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
FieldSet = frozenset[Path]

_ITSELF = "."


def field(name: str) -> str:
    return f"f:{name}"


def by_keys(keys: Mapping[str, Any]) -> str:
    return "k:" + _compact({name: keys[name] for name in sorted(keys)})


def by_value(value: Any) -> str:
    return "v:" + _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encode(fields: Iterable[Path]) -> dict[str, Any]:
    """The JSON form: a node that has parts says with `.` that it is itself in the set."""
    root: dict[str, Any] = {}
    members = set(fields)
    for path in sorted(members):
        node = root
        for length, element in enumerate(path, 1):
            node = node.setdefault(element, {})
            if length < len(path) and path[:length] in members:
                node.setdefault(_ITSELF, {})
    return root


def decode(tree: Mapping[str, Any]) -> FieldSet:
    return frozenset(_members(tree, ()))


def _members(tree: Mapping[str, Any], above: Path) -> Iterator[Path]:
    for element, inner in tree.items():
        if element == _ITSELF:
            yield above
        elif inner:
            yield from _members(inner, (*above, element))
        else:
            yield (*above, element)


def with_parents(fields: Iterable[Path]) -> FieldSet:
    """Together with every field that something in the set is a part of."""
    found = set(fields)
    for path in tuple(found):
        found.update(path[:length] for length in range(1, len(path)) if path[length - 1].startswith("f:"))
    return frozenset(found)


def show(path: Path) -> str:
    """As messages name it: `.spec.containers[name="c"].image`."""
    return "".join(map(_show, path))


def _show(element: str) -> str:
    form, _, text = element.partition(":")
    if form == "f":
        return f".{text}"
    if form == "v":
        return f"[={text}]"
    return "[" + ",".join(f"{name}={_compact(value)}" for name, value in json.loads(text).items()) + "]"
