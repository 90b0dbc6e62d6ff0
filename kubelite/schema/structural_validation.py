"""Values against the schemas of CustomResourceDefinitions, in the words of upstream's validators.

After kube-openapi's `validation/validate` and apiextensions' `apiserver/validation` (with its ratcheting) and
`schema/listtype`. Pure.
Validation rules in CEL (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from kubelite import errors
from kubelite.errors import FieldError, invalid_value
from kubelite.schema.formats import FORMATS
from kubelite.schema.go_regexp import python_pattern

Schema = dict[str, Any]
_Faults = Iterator[FieldError]

INT_OR_STRING = "x-kubernetes-int-or-string"
_OF_RESOURCES = {"apiVersion", "kind", "metadata"}
_LIST_TYPE, _LIST_MAP_KEYS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys"
_DUPLICATE = "FieldValueDuplicate"
_NEW: Any = object()  # in the place of a value that wasn't there before


def faults(obj: dict[str, Any], schema: Schema, old: dict[str, Any] | None = None) -> list[FieldError]:
    """What is wrong with a resource, apart from its metadata; of an update, what was so before is borne."""
    if old is None:
        return _value(_body(obj), schema, "", root=True)
    found = _value(_body(obj), schema, "", _body(old), root=True)
    duplicates = [one for one in found if one.type == _DUPLICATE]
    if duplicates and any(one.type == _DUPLICATE for one in _value(_body(old), schema, "", root=True)):
        found = [one for one in found if one not in duplicates]
    return found


def _body(obj: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in obj.items() if key != "metadata"}


def type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _value(value: Any, schema: Schema, path: str, old: Any = _NEW, *, root: bool = False) -> list[FieldError]:
    """Nothing, where the value is what it was: a schema that has become stricter holds for what changes."""
    found = list(_faults(value, schema, path, old, root=root))
    return [] if found and old is not _NEW and value == old else found


def _faults(value: Any, schema: Schema, path: str, old: Any, *, root: bool) -> _Faults:
    if value is None and schema.get("nullable"):
        return
    found, wanted = type_of(value), schema.get("type")
    if schema.get(INT_OR_STRING):
        if found not in ("integer", "string"):
            yield _wrong_type(path, "integer,string", found)
            return
    elif wanted and found != wanted and not (wanted == "number" and found == "integer"):
        yield _wrong_type(path, wanted, found)
        return
    yield from _combinations(value, schema, path, old)
    if (enum := schema.get("enum")) and value not in enum:
        yield errors.not_supported(path, value, [one if isinstance(one, str) else _json(one) for one in enum])
    match value:
        case str():
            yield from _string(value, schema, path)
        case bool():
            pass
        case int() | float():
            yield from _number(value, schema, path)
        case list():
            yield from _list(value, schema, path, old)
        case dict():
            yield from _object(value, schema, path, old, root=root)


def _wrong_type(path: str, wanted: str, found: str) -> FieldError:
    return errors.FieldError(
        "FieldValueTypeInvalid", path, f'{path} in body must be of type {wanted}: "{found}"', found
    )


def _in_body(path: str, value: Any, text: str) -> FieldError:
    return invalid_value(path, value, f"{path} in body {text}")


def _string(value: str, schema: Schema, path: str) -> _Faults:
    least, most = schema.get("minLength"), schema.get("maxLength")
    if most is not None and len(value) > most:
        yield errors.too_long(path, most)
    if least is not None and len(value) < least:
        yield _in_body(path, value, f"should be at least {least} chars long")
    pattern = schema.get("pattern")
    if pattern and not re.search(python_pattern(pattern), value):
        yield _in_body(path, value, f"should match '{pattern}'")
    known = FORMATS.get(schema.get("format") or "")
    if known and not known(value):
        yield _in_body(path, value, f'must be of type {schema["format"]}: "{value}"')


def _number(value: float, schema: Schema, path: str) -> _Faults:
    least, most, step = (schema.get(key) for key in ("minimum", "maximum", "multipleOf"))
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        words = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _in_body(path, value, f"should be {words} {least:g}")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        words = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _in_body(path, value, f"should be {words} {most:g}")
    if step and value % step:
        yield _in_body(path, value, f"should be a multiple of {step:g}")


def _list(value: list[Any], schema: Schema, path: str, old: Any) -> _Faults:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if most is not None and len(value) > most:
        yield errors.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield _in_body(path, len(value), f"should have at least {least} items")
    items = schema.get("items")
    if isinstance(items, dict):
        before = {}
        if isinstance(old, list) and schema.get(_LIST_TYPE) == "map":  # entries of other lists have no identity
            before = {_json(_identity(item, schema)): item for item in old}
        for index, item in enumerate(value):
            was = before.get(_json(_identity(item, schema)), _NEW) if before else _NEW
            yield from _value(item, items, f"{path}[{index}]", was)
    yield from _duplicates(value, schema, path)


def _identity(item: Any, schema: Schema) -> Any:
    """What tells an entry from the others."""
    keys = schema.get(_LIST_MAP_KEYS) or ()
    return {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item


def _duplicates(value: list[Any], schema: Schema, path: str) -> _Faults:
    """Entries of sets and of lists that are maps must differ."""
    if schema.get(_LIST_TYPE) not in ("set", "map"):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        identity = _identity(item, schema)
        if _json(identity) in seen:
            yield errors.duplicate(f"{path}[{index}]", identity)
        seen.add(_json(identity))


def _object(value: dict[str, Any], schema: Schema, path: str, old: Any, *, root: bool) -> _Faults:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if most is not None and len(value) > most:
        yield errors.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield _in_body(path, len(value), f"should have at least {least} properties")
    if schema.get("x-kubernetes-embedded-resource"):
        for name in ("apiVersion", "kind"):
            if not value.get(name):
                yield errors.required(_join(path, name), "must not be empty")
    properties: dict[str, Schema] = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in value and not (root and name in _OF_RESOURCES):
            yield errors.required(_join(path, name))
    rest, before = schema.get("additionalProperties"), old if isinstance(old, dict) else {}
    for name, item in value.items():
        inner = properties.get(name, rest)
        if isinstance(inner, dict) and not (root and name in _OF_RESOURCES):
            yield from _value(item, inner, _join(path, name), before.get(name, _NEW))


def _combinations(value: Any, schema: Schema, path: str, old: Any) -> _Faults:
    for inner in schema.get("allOf") or ():
        yield from _value(value, inner, path, old)
    if alternatives := schema.get("anyOf"):
        tried = [_value(value, inner, path, old) for inner in alternatives]
        if all(tried):
            yield from min(tried, key=len)
            yield _of_schemas(f'"{path}" must validate at least one schema (anyOf)')
    if alternatives := schema.get("oneOf"):
        tried = [_value(value, inner, path, old) for inner in alternatives]
        fitting = tried.count([])
        if fitting != 1:
            text = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
            if not fitting:
                yield from min(tried, key=len)
            yield _of_schemas(f'"{path}" must validate one and only one schema (oneOf). {text}')
    if (unwanted := schema.get("not")) and not _value(value, unwanted, path):
        yield _of_schemas(f'"{path}" must not validate the schema (not)')


def _of_schemas(text: str) -> FieldError:
    """Upstream has no path for these."""
    return invalid_value("<nil>", "", text)


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
