"""An unknown field -> what was probably meant: another spelling, or another depth (the classic wrong indent)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from kubelite.manifests.document import Document, Node, Path, shown
from kubelite.manifests.fields import fields_at, type_at
from kubelite.schema.model import Definition

_ALIKE = 0.7
_DEPTH = 4


def for_unknown_field(document: Document, definition: Definition, path: str) -> str:
    """The most likely correction, empty when nothing comes to mind.

    The exact name at another depth is a wrong indent; else a name much like it beside it is a typing error.
    """
    node = document.nodes.get(path)
    here = fields_at(definition, node.path[:-1]) if node else None
    if node is None or here is None:
        return ""
    name, parent = str(node.path[-1]), node.path[:-1]
    if same := {field.lower(): field for field in here.fields}.get(name.lower()):
        return f'did you mean "{same}"?'
    if home := next(_homes(document, definition, node), None):
        return _move(document, node, home)
    if alike := _alike(name, here, document, parent):
        return f'did you mean "{alike}"?'
    for around in (parent[:length] for length in range(len(parent), -1, -1)):
        if home := _not_yet_there(document, definition, around, name):
            return f'"{name}" belongs into {shown(home)}'
    return ""


def _not_yet_there(document: Document, definition: Definition, around: Path, name: str) -> Path | None:
    """An object inside `around` that the document lacks and that has such a field."""
    found = fields_at(definition, around)
    homes = ((*around, field) for field in (found.fields if found else ()))
    return next((home for home in homes if shown(home) not in document.nodes and _takes(definition, home, name)), None)


def _takes(definition: Definition, home: Path, name: str) -> bool:
    found = fields_at(definition, home)
    return found is not None and name in found.fields


def _alike(name: str, here: Definition, document: Document, parent: Path) -> str:
    """A field of the same object whose name is close; one that isn't set yet is likelier."""
    close = get_close_matches(name, here.fields, 3, _ALIKE)
    free = [field for field in close if shown((*parent, field)) not in document.nodes]
    return (free or close or [""])[0]


def _homes(document: Document, definition: Definition, node: Node) -> Iterator[Path]:
    """Objects of the document in which the field is missing, the likeliest first."""
    name, parent = str(node.path[-1]), node.path[:-1]
    above = [parent[:length] for length in range(len(parent) - 1, -1, -1)]
    below = _below(document, parent, node)
    empty = [path for path in below[:1] if _is_empty_map(document, definition, path)]
    yield from empty
    for home in [*above[:2], *below, *above[2:]]:
        if _takes(definition, home, name) and shown((*home, name)) not in document.nodes:
            yield home


def _is_empty_map(document: Document, definition: Definition, path: Path) -> bool:
    """A mapping of free keys that was begun and has nothing in it: what follows was meant for it."""
    found = type_at(definition, path)
    has_none = not any(node.path[:-1] == path for node in document.nodes.values())
    return found is not None and found.form == "map" and has_none


def _below(document: Document, parent: Path, node: Node) -> list[Path]:
    """Objects under the same parent: those written just before the field first, the shallow before the deep."""
    inside = [
        other
        for other in document.nodes.values()
        if len(parent) < len(other.path) <= len(parent) + _DEPTH and other.path[: len(parent)] == parent
    ]
    before = [other for other in inside if other.place < node.place]
    before.sort(key=lambda other: (len(other.path), -other.place.line, -other.place.column))
    after = sorted((other for other in inside if other.place > node.place), key=lambda other: len(other.path))
    return [other.path for other in [*before, *after]]


def _move(document: Document, node: Node, home: Path) -> str:
    """Into which object, and by how many columns."""
    where = shown(home)
    if not where:
        return f'"{node.path[-1]}" belongs to the object itself: no indent'
    target = _column_inside(document, home)
    if target is None or target == node.place.column:
        return f'"{node.path[-1]}" belongs into {where}'
    by = abs(target - node.place.column)
    direction = "deeper" if target > node.place.column else "less deep"
    return f'"{node.path[-1]}" belongs into {where}: indent it {by} space{"s" * (by > 1)} {direction}'


def _column_inside(document: Document, home: Path) -> int | None:
    """The column of the fields of the object at `home`."""
    depth = len(home) + 1
    columns = [
        other.place.column for other in document.nodes.values() if len(other.path) == depth and other.path[:-1] == home
    ]
    if columns:
        return columns[0]
    owner = document.nodes.get(shown(home))
    return owner.place.column + 2 if owner else None
