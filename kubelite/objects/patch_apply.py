"""Server-side apply: merging what a manager wants into an object, and who owns which fields (KEP-555).

Values and ownership go through the same walk over the schema, given as `Shape`. Outcome and order follow
structured-merge-diff (`typed`, `merge`). Called by the registry; pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kubelite.objects import field_sets
from kubelite.objects.field_sets import FieldSet, Path

Obj = dict[str, Any]
Ignored = Callable[[Path], bool]  # fields that nobody owns

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Shape:
    """How values of one place are merged.

    A leaf (also an atomic map or list) is replaced as a whole, a struct has known fields, a map any; entries of a list
    are told apart by `keys` (and what an entry without one has there), entries of a set by themselves.
    """

    relation: Literal["leaf", "struct", "map", "list", "set"]
    keys: Mapping[str, Any] = field(default_factory=dict)  # name -> default, _ABSENT without one
    item: Callable[[], Shape] = lambda: LEAF
    member: Callable[[str], Shape | None] = lambda name: None  # of a struct; None: no such field

    def part(self, name: str) -> Shape:
        return (self.member(name) if self.relation == "struct" else self.item()) or LEAF


LEAF: Shape = Shape("leaf")
NO_DEFAULT = _ABSENT


class Malformed(Exception):
    """A list whose entries can't be told apart."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{field_sets.show(path)}: {why}")


@dataclass(frozen=True, slots=True)
class Manager:
    """Who wrote, and how; appliers are the same manager in every version."""

    name: str
    operation: Literal["Apply", "Update"]
    version: str = ""
    subresource: str = ""


Managers = Mapping[Manager, FieldSet]


class Conflicts(Exception):
    """Fields that others own and that would change."""

    def __init__(self, fields: Iterable[tuple[Manager, Path]]) -> None:
        super().__init__()
        self.fields = tuple(fields)


@dataclass(frozen=True, slots=True)
class Difference:
    added: FieldSet
    modified: FieldSet
    removed: FieldSet


def apply(
    live: Obj, config: Obj, shape: Shape, managers: Managers, manager: Manager, *, force: bool, ignored: Ignored
) -> tuple[Obj, Managers]:
    """`live` as `manager` wants it now, and who owns what then. Raises Conflicts unless `force`."""
    last = managers.get(manager, frozenset())
    said = field_set(config, shape)
    after: dict[Manager, FieldSet] = {**managers, manager: _without(said, ignored)}
    merged = merge(live, config, shape)
    kept = field_sets.with_parents(said.union(*after.values()))  # its name keeps an object's metadata, owned or not
    given_up = field_sets.with_parents(last) - kept
    new: Obj = remove(merged, given_up, shape)
    found = compare(live, new, shape)
    changed = _without(found.added | found.modified, ignored)
    lost = {other: own & changed for other, own in after.items() if other != manager and own & changed}
    if lost and not force:
        raise Conflicts((other, path) for other, own in lost.items() for path in sorted(own))
    return new, _settled(after, manager, changed | found.removed)


def update(live: Obj, new: Obj, shape: Shape, managers: Managers, manager: Manager, *, ignored: Ignored) -> Managers:
    """Who owns what after an ordinary write: the writer owns what it changed."""
    found = compare(live, new, shape)
    changed = _without(found.added | found.modified, ignored)
    after = dict(_settled(managers, manager, changed | found.removed))
    own = (managers.get(manager, frozenset()) - found.removed) | changed
    return after | {manager: own} if own else {other: fields for other, fields in after.items() if other != manager}


def _settled(managers: Managers, writer: Manager, lost: FieldSet) -> Managers:
    """Everybody but the writer loses what changed; who owns nothing is forgotten."""
    left = {other: own if other == writer else own - lost for other, own in managers.items()}
    return {other: own for other, own in left.items() if own}


def _without(fields: FieldSet, ignored: Ignored) -> FieldSet:
    return frozenset(path for path in fields if not ignored(path))


# the walks


def field_set(value: Any, shape: Shape) -> FieldSet:
    """The fields that a configuration speaks of."""
    return frozenset(_fields(value, shape, ()))


def _fields(value: Any, shape: Shape, path: Path) -> Iterator[Path]:
    if _is_leaf(shape, value):
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = (*path, field_sets.field(name))
            yield from _fields(item, shape.part(name), inner)
            if item == {} or shape.relation == "map":
                yield inner
    else:
        for element, item in _entries(value, shape, path, unique=True).items():
            yield (*path, element)
            if shape.relation == "list":
                yield from _fields(item, shape.item(), (*path, element))


def _is_leaf(shape: Shape, *values: Any) -> bool:
    wanted = {"struct": dict, "map": dict, "list": list, "set": list}.get(shape.relation)
    return wanted is None or any(value is not _ABSENT and not isinstance(value, wanted) for value in values)


def _entries(values: Iterable[Any], shape: Shape, path: Path, *, unique: bool = False) -> dict[str, Any]:
    """A list's entries by path element. Of equal ones (which old objects may have) all are kept, as one entry."""
    found: dict[str, Any] = {}
    for index, value in enumerate(values):
        element = _element(value, shape, path, index)
        if element not in found:
            found[element] = value
        elif unique:
            raise Malformed(path, f"duplicate entries for key {field_sets.show((element,))}")
        else:
            known = found[element]
            found[element] = _Several([*known, value] if isinstance(known, _Several) else [known, value])
    return found


class _Several(list[Any]):
    """Entries with the same key, treated as one leaf."""


def _element(value: Any, shape: Shape, path: Path, index: int) -> str:
    if shape.relation == "set":
        return field_sets.by_value(value)
    keys = {name: value.get(name, default) for name, default in shape.keys.items()} if isinstance(value, dict) else {}
    for name in shape.keys:
        if keys.get(name, _ABSENT) is _ABSENT:
            why = f'associative list with keys has an element that omits key field "{name}"'
            raise Malformed(path, f"element {index}: {why} (and doesn't have default value)")
    return field_sets.by_keys(keys)


def compare(old: Obj, new: Obj, shape: Shape) -> Difference:
    added: set[Path] = set()
    modified: set[Path] = set()
    removed: set[Path] = set()
    _compare(old, new, shape, (), (added, modified, removed))
    return Difference(frozenset(added), frozenset(modified), frozenset(removed))


def _compare(old: Any, new: Any, shape: Shape, path: Path, into: tuple[set[Path], set[Path], set[Path]]) -> None:
    if old is new or (old is not _ABSENT and new is not _ABSENT and old == new):
        return
    added, modified, removed = into
    several = isinstance(old, _Several) or isinstance(new, _Several)
    if several or _is_leaf(shape, old, new) or not (_given(old) or _given(new)):
        (added if old is _ABSENT else removed if new is _ABSENT else modified).add(path)
        return
    for element, before, after, inner in _zipped(old, new, shape, path):
        _compare(before, after, inner, (*path, element), into)
    if old is _ABSENT:
        added.add(path)
    elif new is _ABSENT:
        removed.add(path)


def _given(value: Any) -> Any:
    return () if value is _ABSENT else value


def _zipped(old: Any, new: Any, shape: Shape, path: Path) -> Iterator[tuple[str, Any, Any, Shape]]:
    if shape.relation in ("struct", "map"):
        before, after = _given(old) or {}, _given(new) or {}
        for name in dict.fromkeys((*before, *after)):
            was, now = before.get(name), after.get(name)  # null is as good as nothing
            part = shape.part(name)
            yield field_sets.field(name), _ABSENT if was is None else was, _ABSENT if now is None else now, part
    else:
        before, after = _entries(_given(old), shape, path), _entries(_given(new), shape, path)
        for element in dict.fromkeys((*before, *after)):
            yield element, before.get(element, _ABSENT), after.get(element, _ABSENT), shape.item()


def merge(live: Any, config: Any, shape: Shape) -> Any:
    """`live` with `config` laid over it; neither is changed."""
    if _is_leaf(shape, live, config):
        return config
    if isinstance(config, dict):
        merged = {
            name: merge(live[name], value, shape.part(name)) if name in live else value
            for name, value in config.items()
        }
        return {**live, **merged}
    return _merge_list(live, config, shape)


def _merge_list(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    """In the order of the configuration; what only the live list has stays in front of what it preceded there."""
    mine, theirs = _entries(config, shape, (), unique=True), _entries(live, shape, ())
    shared = iter([element for element in mine if element in theirs])
    waiting, upcoming = deque(theirs), next(shared, None)
    merged: list[Any] = []

    def take_live_only(until: str | None) -> None:
        while waiting and waiting[0] != until:
            element = waiting.popleft()
            if element not in mine:
                merged.extend(_all_of(theirs[element]))

    for element, value in mine.items():
        take_live_only(upcoming)
        known = theirs.get(element)
        whole = known is None or isinstance(known, _Several) or shape.relation == "set"
        merged.append(value if whole else merge(known, value, shape.item()))
        if element == upcoming:
            upcoming = next(shared, None)
    take_live_only(None)
    return merged


def _all_of(entry: Any) -> list[Any]:
    return entry if isinstance(entry, _Several) else [entry]


def remove(value: Any, doomed: FieldSet, shape: Shape) -> Any:
    """Without the fields in `doomed`, and without maps and lists that this leaves empty."""
    return _remove(value, field_sets.encode(doomed), shape) if doomed else value


def _remove(value: Any, doomed: Mapping[str, Any], shape: Shape) -> Any:
    if _is_leaf(shape, value):
        return value
    if isinstance(value, dict):
        kept = {}
        for name, item in value.items():
            inner = doomed.get(field_sets.field(name))
            if inner is None:
                kept[name] = item
            elif inner and "." not in inner and (left := _remove(item, inner, shape.part(name))):
                kept[name] = left
        return kept
    left = []
    for index, item in enumerate(value):
        inner = doomed.get(_element(item, shape, (), index))
        if inner is None:
            left.append(item)
        elif inner and "." not in inner:
            left.append(_remove(item, inner, shape.item()))
    return left
