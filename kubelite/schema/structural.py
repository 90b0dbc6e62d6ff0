"""The schema that a CustomResourceDefinition brings for one version: what it keeps, fills in and refuses.

After apiextensions-apiserver's `schema/pruning`, `schema/defaulting` and `schema/objectmeta`. Pure; used by the registry
and the HTTP edge through the kinds made from definitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kubelite.errors import FieldError
from kubelite.objects.meta import Obj, copy
from kubelite.objects.patch_apply import Shape
from kubelite.schema import structural_shape, structural_validation
from kubelite.schema.model import definition
from kubelite.schema.strict import Result, WrongValue, check

Schema = dict[str, Any]

_OBJECT_META = structural_shape.OBJECT_META
_OF_RESOURCES = ("apiVersion", "kind", "metadata")
PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"


@dataclass(frozen=True)
class Structural:
    """One version's schema; `schema` is the definition's `openAPIV3Schema`."""

    schema: Schema

    def check(self, obj: Obj) -> Result:
        """What is kept of `obj`, and what isn't known."""
        pruner = _Pruner()
        kept = pruner.resource(obj, self.schema, "")
        return Result(kept, tuple(pruner.errors), tuple(sorted(pruner.unknown)))

    @cached_property
    def has_defaults(self) -> bool:
        return any("default" in schema for schema in subschemas(self.schema))

    def default(self, obj: Obj) -> None:
        """Fill in what is absent; `obj` is the caller's own."""
        if self.has_defaults:
            fill_in(obj, self.schema)

    def defaulted(self, obj: Obj) -> Obj:
        """As it is read: objects may be older than a default."""
        if not self.has_defaults:
            return obj
        filled = copy(obj)
        fill_in(filled, self.schema)
        return filled

    def faults(self, obj: Obj, old: Obj | None = None) -> list[FieldError]:
        """`old` is what an update replaces."""
        return structural_validation.faults(obj, self.schema, self.defaulted(old) if old else None)

    @cached_property
    def shape(self) -> Shape:
        return structural_shape.of_resource(self.schema)


def subschemas(schema: Schema) -> Iterator[Schema]:
    """The schema and those of everything in it (what stands in allOf and the like adds no fields)."""
    yield schema
    for inner in (schema.get("properties") or {}).values():
        yield from subschemas(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from subschemas(schema[key])


def fill_in(value: Any, schema: Schema) -> None:
    """Defaults for what is absent, in place; a null that may not be one counts as absent where there is a default."""
    if isinstance(value, dict):
        properties: dict[str, Schema] = schema.get("properties") or {}
        for name, inner in properties.items():
            if "default" in inner and (name not in value or (value[name] is None and not inner.get("nullable"))):
                value[name] = copy({"of": inner["default"]})["of"]
        rest = schema.get("additionalProperties")
        for name, item in value.items():
            found = properties.get(name, rest)
            if isinstance(found, dict):
                fill_in(item, found)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            fill_in(item, schema["items"])


@dataclass
class _Pruner:
    """One walk; paths are as users write them."""

    errors: list[WrongValue] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def resource(self, obj: Obj, schema: Schema, path: str) -> Obj:
        """An object with metadata of its own: the root, or one embedded in it."""
        kept: Obj = {key: obj[key] for key in _OF_RESOURCES if key in obj}
        if isinstance(kept.get("metadata"), dict):
            kept["metadata"] = self._metadata(kept["metadata"], _join(path, "metadata"))
        rest = {key: value for key, value in obj.items() if key not in _OF_RESOURCES}
        return kept | self._mapping(rest, schema, path)

    def _metadata(self, metadata: Obj, path: str) -> Obj:
        result = check(metadata, definition(_OBJECT_META))
        self.unknown += [_join(path, inner) for inner in result.unknown]
        for wrong in result.errors:
            message = wrong.message.replace("ObjectMeta.", "ObjectMeta.metadata.", 1)
            self.errors.append(WrongValue(_join(path, wrong.path), message, wrong.conversion))
        return result.object

    def _value(self, value: Any, schema: Schema, path: str) -> Any:
        if isinstance(value, dict):
            inside = self.resource if schema.get(EMBEDDED) else self._mapping
            return inside(value, schema, path)
        if isinstance(value, list) and isinstance(schema.get("items"), dict):
            return [self._value(item, schema["items"], f"{path}[{index}]") for index, item in enumerate(value)]
        return value

    def _mapping(self, value: Obj, schema: Schema, path: str) -> Obj:
        properties: dict[str, Schema] = schema.get("properties") or {}
        rest = schema.get("additionalProperties")
        kept = {}
        for name, item in value.items():
            inner = _join(path, name)
            if name in properties:
                kept[name] = self._value(item, properties[name], inner)
            elif isinstance(rest, dict):
                kept[name] = self._value(item, rest, inner)
            elif rest is True or schema.get(PRESERVE):
                kept[name] = item
            else:
                self.unknown.append(inner)
        return kept


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
