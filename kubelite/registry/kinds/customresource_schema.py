"""What a schema of a CustomResourceDefinition must look like: structural, and of OpenAPI only what can be honoured.

Rules and words after apiextensions-apiserver's `apis/apiextensions/validation` and `apiserver/schema`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import jsonpath
from kubelite.objects.meta import Obj
from kubelite.schema import structural_validation
from kubelite.schema.go_regexp import python_pattern
from kubelite.schema.structural_validation import INT_OR_STRING

Schema = dict[str, Any]
_Faults = Iterator[FieldError]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_ANY = (_PRESERVE, INT_OR_STRING)
_LIST_TYPES = ("atomic", "map", "set")


def faults(spec: Obj) -> list[FieldError]:
    """Of all versions; what they have in common is told once, as upstream does."""
    versions = spec.get("versions") or []
    schemas = [(version.get("schema") or {}).get("openAPIV3Schema") for version in versions]
    found: list[FieldError] = []
    shared = bool(schemas) and schemas.count(schemas[0]) == len(schemas)
    for index, (version, schema) in enumerate(zip(versions, schemas, strict=True)):
        path = f"spec.versions[{index}]"
        found += _columns(version, path)
        found += _scale(version, path)
        if schema is None:
            found.append(required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
        elif not shared or not index:
            found += _root(schema, "spec.validation.openAPIV3Schema" if shared else f"{path}.schema.openAPIV3Schema")
    return found


def _root(schema: Schema, path: str) -> _Faults:
    if schema.get("type", "") == "":
        yield required(f"{path}.type", "must not be empty at the root")
    elif schema["type"] != "object":
        yield invalid_value(f"{path}.type", schema["type"], "must be object at the root")
    if schema.get("nullable"):
        yield forbidden_field(f"{path}.nullable", "nullable cannot be true at the root")
    yield from _schema(schema, path)


def _schema(schema: Schema, path: str) -> _Faults:
    kind = schema.get("type", "")
    if kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, _TYPES)
    if schema.get("$ref"):
        yield forbidden_field(f"{path}.$ref", "$ref is not supported")
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden_field(f"{path}.uniqueItems", text)
    yield from _pattern(schema, path)
    yield from _extensions(schema, path)
    if schema.get("properties") and schema.get("additionalProperties") not in (None, False):
        yield forbidden_field(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    if schema.get("additionalProperties") is False:
        yield forbidden_field(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if "default" in schema:
        default = schema["default"]
        for wrong in structural_validation.faults({"default": default}, {"properties": {"default": schema}}):
            yield invalid_value(f"{path}.default", default, f"must validate: {wrong}")
    yield from _inner(schema, path)


def _inner(schema: Schema, path: str) -> _Faults:
    for name, inner in sorted((schema.get("properties") or {}).items()):
        yield from _typed(inner, f"{path}.properties[{name}]", "specified object fields")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _typed(schema["additionalProperties"], f"{path}.additionalProperties", "specified object fields")
    items = schema.get("items")
    if isinstance(items, list):
        yield forbidden_field(f"{path}.items", "items must be a schema object and not an array")
    elif isinstance(items, dict):
        yield from _typed(items, f"{path}.items", "specified array items")
    elif schema.get("type") == "array":
        yield required(f"{path}.items", "must be specified")


def _typed(schema: Schema, path: str, of: str) -> _Faults:
    if not schema.get("type") and not any(schema.get(key) for key in _ANY):
        yield required(f"{path}.type", f"must not be empty for {of}")
    yield from _schema(schema, path)


def _pattern(schema: Schema, path: str) -> _Faults:
    try:
        re.compile(python_pattern(schema.get("pattern") or ""))
    except re.error as fault:
        text = f"must be a valid regular expression, but isn't: {fault}"
        yield invalid_value(f"{path}.pattern", schema["pattern"], text)


def _extensions(schema: Schema, path: str) -> _Faults:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    if list_type and list_type not in _LIST_TYPES:
        yield not_supported(f"{path}.x-kubernetes-list-type", list_type, _LIST_TYPES)
    if list_type and schema.get("type") != "array":
        yield invalid_value(
            f"{path}.type", schema.get("type", ""), "must be array if x-kubernetes-list-type is specified"
        )
    if keys and list_type != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield invalid_value(f"{path}.x-kubernetes-list-type", list_type, text)
    if list_type == "map" and not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        yield required(f"{path}.x-kubernetes-list-map-keys", text)
    items = schema.get("items")
    properties = (items.get("properties") or {}) if isinstance(items, dict) else {}
    for index, key in enumerate(keys):
        if key not in properties:
            text = "entries must all be names of item properties"
            yield invalid_value(f"{path}.x-kubernetes-list-map-keys[{index}]", key, text)
    if schema.get("x-kubernetes-embedded-resource") and schema.get("type") != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid_value(f"{path}.type", schema.get("type", ""), text)


def _columns(version: Obj, path: str) -> _Faults:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        where = f"{path}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            yield required(f"{where}.name")
        if column.get("type") not in _COLUMN_TYPES:
            yield not_supported(f"{where}.type", column.get("type", ""), _COLUMN_TYPES)
        if not column.get("jsonPath"):
            yield required(f"{where}.jsonPath")


def _scale(version: Obj, path: str) -> _Faults:
    scale = (version.get("subresources") or {}).get("scale")
    if scale is None:
        return
    for key, under in (("specReplicasPath", "spec"), ("statusReplicasPath", "status")):
        names = jsonpath.names(scale.get(key) or "")
        where = f"{path}.subresources.scale.{key}"
        if not scale.get(key):
            yield required(where)
        elif names is None or names[0] != under or len(names) < 2:
            yield invalid_value(where, scale[key], f"should be a json path under .{under}")
