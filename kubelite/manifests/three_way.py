"""What apply sends: the patch from a live object to a manifest, with what the manifest has dropped since last time.

Three objects go in: the one applied last, the one to apply, the live one. Fields that nobody applied (defaults, what
controllers set) stay. A strategic merge patch where the schema is known, a merge patch where it isn't. Called by
`apply`; the semantics are those of `kubectl apply` (apimachinery's CreateThreeWayMergePatch).
"""

from __future__ import annotations

from typing import Any

from kubelite.schema.model import Definition, Field

Obj = dict[str, Any]


def three_way(last: Obj, new: Obj, live: Obj, definition: Definition | None) -> Obj:
    """Empty when there is nothing to do."""
    patch: Obj = {}
    for name, value in new.items():
        field = definition.fields.get(name) if definition else None
        patch |= _field(name, last.get(name), value, live.get(name), field)
    dropped = [name for name in last if name not in new and name in live]
    return patch | dict.fromkeys(dropped)


def _field(name: str, last: Any, new: Any, live: Any, field: Field | None) -> Obj:
    if isinstance(new, dict) and isinstance(live, dict):
        return _mapping(name, last, new, live, field)
    if field and isinstance(new, list) and "merge" in field.patch_strategies:
        return _merged_list(name, _list(last), new, _list(live), field)
    if new == live or (new is None and live is None):
        return {}
    return {name: new}


def _mapping(name: str, last: Any, new: Obj, live: Obj, field: Field | None) -> Obj:
    strategies = field.patch_strategies if field else ()
    if "replace" in strategies:
        return {} if new == live else {name: {**new, "$patch": "replace"}}
    inner = three_way(last if isinstance(last, dict) else {}, new, live, field.type.definition if field else None)
    if inner and "retainKeys" in strategies:
        inner["$retainKeys"] = sorted(new)
    return {name: inner} if inner else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _merged_list(name: str, last: list[Any], new: list[Any], live: list[Any], field: Field) -> Obj:
    key = field.patch_merge_key
    if not key:
        return _merged_values(name, last, new, live)
    if not all(_has_unique_keys(entries, key) for entries in (last, new, live)):
        # Two entries share a key (a port for TCP and for UDP): no merge can tell them apart.
        return {} if new == live else {name: [{"$patch": "replace"}, *new]}
    before, there = ({entry[key]: entry for entry in entries} for entries in (last, live))
    changes: list[Any] = []
    for entry in new:
        if entry[key] not in there:
            changes.append(entry)
        elif inner := _entry(before.get(entry[key]), entry, there[entry[key]], field):
            changes.append({key: entry[key], **inner})
    wanted = [entry[key] for entry in new]
    gone = [value for value in before if value in there and value not in wanted]
    changes += [{"$patch": "delete", key: value} for value in gone]
    in_order = [value for value in there if value in wanted] == [value for value in wanted if value in there]
    if not changes and in_order:
        return {}
    return {f"$setElementOrder/{name}": [{key: value} for value in wanted]} | ({name: changes} if changes else {})


def _entry(last: Obj | None, new: Obj, live: Obj, field: Field) -> Obj:
    item = field.type.item
    inner = three_way(last or {}, new, live, item.definition if item else None)
    if inner and "retainKeys" in field.patch_strategies:
        inner["$retainKeys"] = sorted(new)
    return inner


def _has_unique_keys(entries: list[Any], key: str) -> bool:
    values = [entry.get(key) for entry in entries if isinstance(entry, dict)]
    return len(values) == len(entries) == len(set(map(str, values))) and None not in values


def _merged_values(name: str, last: list[Any], new: list[Any], live: list[Any]) -> Obj:
    """A list of plain values that several writers share (finalizers)."""
    added = [value for value in new if value not in live]
    gone = [value for value in last if value not in new and value in live]
    patch: Obj = {}
    if added:
        patch |= {name: added}
    if gone:
        patch[f"$deleteFromPrimitiveList/{name}"] = gone
    return patch | ({f"$setElementOrder/{name}": new} if patch else {})
