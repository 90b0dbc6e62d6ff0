"""Strategic merge patch, as `kubectl apply`, `edit`, `patch` and `rollout` send it. Called by the registry.

What lists and maps do when merged comes from the schema through `PatchSchema`. Directives: `$patch` (replace, delete),
`$retainKeys`, `$setElementOrder/<list>`, `$deleteFromPrimitiveList/<list>`. After the API conventions' description and
apimachinery's `util/strategicpatch`, whose outcome and error texts are matched also in odd cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from kubelite.errors import StatusError, bad_request
from kubelite.objects.go_value import go_value

Obj = dict[str, Any]

_DIRECTIVE = "$patch"
_RETAIN_KEYS = "$retainKeys"
_ORDER = "$setElementOrder"
_DELETE_FROM = "$deleteFromPrimitiveList"


@dataclass(frozen=True, slots=True)
class PatchRules:
    """How one field is merged: `strategy` is "merge", "replace" or "" (maps merge, lists are replaced)."""

    strategy: str = ""
    merge_key: str = ""
    inner: PatchSchema | None = None


class PatchSchema(Protocol):
    """The object type a map is of: gives the rules of its fields."""

    def patch_rules(self, field: str) -> PatchRules: ...


_NO_RULES = PatchRules()


def strategic_merge(original: Obj, patch: Obj, schema: PatchSchema | None) -> Obj:
    """`original` with `patch` merged in; neither is changed. Raises StatusError for a malformed patch."""
    return _merge_map(original, patch, schema)


def _merge_map(original: Obj, patch: Obj, schema: PatchSchema | None) -> Obj:
    if _DIRECTIVE in patch:
        return _directed(patch)
    merged = _retained(original, patch)
    pending = {key: value for key, value in patch.items() if key != _RETAIN_KEYS}
    for key in [key for key in pending if key.startswith(_ORDER)]:
        name = _target(key, _ORDER)
        ordered = _merge_ordered(merged.get(name), pending.get(name), pending.pop(key), _rules(schema, name))
        pending.pop(name, None)
        if ordered is not None:
            merged[name] = ordered
    for key, value in pending.items():
        if key.startswith(_DELETE_FROM):
            _delete_from(merged, _target(key, _DELETE_FROM), value)
        else:
            _merge_field(merged, key, value, schema)
    return merged


def _directed(patch: Obj) -> Obj:
    match patch[_DIRECTIVE]:
        case "replace":
            return {key: value for key, value in patch.items() if key != _DIRECTIVE}
        case "delete":
            return {}
        case other:
            raise _fault(f"unknown patch type: {other} in map: {patch}")


def _retained(original: Obj, patch: Obj) -> Obj:
    """The original without the keys that `$retainKeys` doesn't list."""
    if _RETAIN_KEYS not in patch:
        return dict(original)
    keep = patch[_RETAIN_KEYS]
    set_keys = [
        key
        for key, value in patch.items()
        if value is not None and key != _RETAIN_KEYS and not key.startswith((_ORDER, _DELETE_FROM))
    ]
    if not isinstance(keep, list) or any(key not in keep for key in set_keys):
        raise bad_request("invalid patch format of retainKeys")
    return {key: value for key, value in original.items() if key in keep}


def _target(key: str, prefix: str) -> str:
    found, slash, name = key.partition("/")
    if found == prefix and slash:
        return name
    kind = "setElementOrder" if prefix == _ORDER else "primitive"
    raise bad_request(f"invalid patch format of {kind} list")


def _rules(schema: PatchSchema | None, name: str) -> PatchRules:
    return schema.patch_rules(name) if schema else _NO_RULES


def _delete_from(merged: Obj, name: str, values: Any) -> None:
    current = merged.get(name)
    if values is None:
        merged.pop(name, None)
    elif isinstance(current, list) and isinstance(values, list):
        merged[name] = [entry for entry in current if entry not in values]


def _merge_field(merged: Obj, name: str, value: Any, schema: PatchSchema | None) -> None:
    current = merged.get(name)
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, dict) and isinstance(current, dict):
        rules = _rules(schema, name)
        merged[name] = value if rules.strategy == "replace" else _merge_map(current, value, rules.inner)
    elif isinstance(value, list) and isinstance(current, list):
        merged[name] = _merge_list(current, value, _rules(schema, name))
    elif isinstance(value, dict) and _DIRECTIVE in value:
        merged.pop(name, None)
    else:
        merged[name] = _clean(value)


def _clean(value: Any) -> Any:
    """A value that is new in the object: without nulls in maps, without parts that are directives."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items() if item is not None and not _is_directive(item)}
    if isinstance(value, list):
        return [_clean(item) for item in value if not _is_directive(item)]
    return value


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and _DIRECTIVE in value


def _merge_list(original: list[Any], patch: list[Any], rules: PatchRules) -> list[Any]:
    if rules.strategy != "merge":
        return patch
    if not original and not patch:
        return original
    if not _holds_maps(original, patch):
        merged = [*original, *(entry for entry in patch if entry not in original)]
        return _in_order(merged, patch, original, "")
    if not rules.merge_key:
        raise _fault("cannot merge lists without merge key for struct")
    kept, additions = _apply_list_directives(original, patch, rules.merge_key)
    merged = _merge_entries(kept, additions, rules)
    return _in_order(merged, additions, kept, rules.merge_key)


def _holds_maps(*lists: list[Any]) -> bool:
    kinds = {type(entry) for entries in lists for entry in entries}
    if list in kinds:
        raise StatusError(422, "Invalid", "lists of lists are not supported")
    if dict in kinds and len(kinds) > 1:
        raise _fault(f"list element types are not identical: {list(lists)}")
    return dict in kinds


def _apply_list_directives(original: list[Obj], patch: list[Obj], key: str) -> tuple[list[Obj], list[Obj]]:
    """What remains of the original after deletes and replace, and the patch's ordinary entries."""
    additions = [entry for entry in patch if _DIRECTIVE not in entry]
    kept, replace = original, False
    for entry in patch:
        match entry.get(_DIRECTIVE):
            case None:
                continue
            case "delete":
                doomed = _key_of(entry, key)
                kept = [item for item in kept if item.get(key) != doomed]
            case "replace":
                replace = True
            case "merge":
                raise _fault("merging lists cannot yet be specified in the patch")
            case other:
                raise _fault(f"unknown patch type: {other} in map: {entry}")
    return (additions, []) if replace else (kept, additions)


def _merge_entries(original: list[Obj], additions: list[Obj], rules: PatchRules) -> list[Obj]:
    merged = list(original)
    places = {_hashable(entry.get(rules.merge_key)): i for i, entry in reversed(list(enumerate(merged)))}
    for entry in additions:
        key = _hashable(_key_of(entry, rules.merge_key))
        if key in places:
            merged[places[key]] = _merge_map(merged[places[key]], entry, rules.inner)
        else:
            places[key] = len(merged)
            merged.append(entry)
    return merged


def _merge_ordered(original: Any, patch: Any, order: Any, rules: PatchRules) -> list[Any] | None:
    """Merges one list and puts it in the order that `$setElementOrder` asks for; None when there is no list."""
    if not isinstance(order, list) or not isinstance(original or [], list) or not isinstance(patch or [], list):
        raise bad_request("invalid patch format of setElementOrder list")
    if original is None and patch is None:
        return None
    _check_order(patch or [], order, rules.merge_key)
    if patch is None:
        merged = original
    elif original is None:
        merged = _clean(patch)
    else:
        merged = _merge_list(original, patch, rules)
    return _in_order(merged, order, original or [], rules.merge_key)


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """The patch's entries must stand in the order list, in the same sequence."""
    if not order:
        return
    remaining = iter([_identity(entry, merge_key) for entry in order])
    for entry in patch:
        if not _is_directive(entry) and _identity(entry, merge_key) not in remaining:
            raise _fault(f"The order in patch list:\n{patch}\n doesn't match {_ORDER} list:\n{order}\n")


def _in_order(merged: list[Any], order: list[Any], live: list[Any], merge_key: str) -> list[Any]:
    """Entries named in `order` follow it, the others keep their place relative to them in the live list."""
    wanted = _positions(order, merge_key)
    places = _positions(live, merge_key)
    named = sorted(
        (e for e in merged if _identity(e, merge_key) in wanted), key=lambda e: wanted[_identity(e, merge_key)]
    )
    others = [entry for entry in merged if _identity(entry, merge_key) not in wanted]
    result: list[Any] = []
    for entry in named:
        place = places.get(_identity(entry, merge_key), -1)
        while others and places.get(_identity(others[0], merge_key), len(places)) < place:
            result.append(others.pop(0))
        result.append(entry)
    return result + others


def _positions(entries: list[Any], merge_key: str) -> dict[Any, int]:
    return {_identity(entry, merge_key): i for i, entry in reversed(list(enumerate(entries)))}


def _identity(entry: Any, merge_key: str) -> Any:
    return _hashable(_key_of(entry, merge_key) if merge_key else entry)


def _key_of(entry: Any, merge_key: str) -> Any:
    if not isinstance(entry, dict) or merge_key not in entry:
        raise _fault(f"map: {go_value(entry)} does not contain declared merge key: {merge_key}")
    return entry[merge_key]


def _hashable(value: Any) -> Any:
    return str(value) if isinstance(value, dict | list) else value


def _fault(text: str) -> StatusError:
    """Upstream answers these with a bare 500."""
    return StatusError(500, "", text)
