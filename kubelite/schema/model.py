"""Typed access to the built-in kinds' fields: what the validator, the patches and the OpenAPI documents look up.

`definition_for("apps", "v1", "StatefulSet")` gives a `Definition`; its fields are resolved when first asked for.
The data files in `data/` are read on first use (a few milliseconds).
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.resources import files
from typing import Any, Literal, get_args

import msgspec

from kubelite.objects.patch_apply import LEAF, NO_DEFAULT, Shape
from kubelite.objects.patch_strategic import PatchRules

Schema = dict[str, Any]
Form = Literal[
    "string", "boolean", "int32", "int64", "number", "bytes", "time", "micro-time", "quantity", "int-or-string",
    "any", "object", "list", "map",
]  # fmt: skip

_META = "io.k8s.apimachinery.pkg.apis."
_API = "io.k8s.api."
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis."
_ALIASES = {("policy", "v1beta1", "Eviction"): ("policy", "v1", "Eviction")}
_FORMATS: dict[str, Form] = {"byte": "bytes", "date-time": "time", "int32": "int32", "int64": "int64"}
_SPECIAL: dict[str, Form] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    _META + "meta.v1.Time": "time",
    _META + "meta.v1.MicroTime": "micro-time",
}


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value: a scalar's form, or what a list, a map or an object holds."""

    form: Form
    item: Type | None = None
    definition: Definition | None = None

    @property
    def go_name(self) -> str:
        """The type's name in upstream's decoding errors (as far as the schema tells it)."""
        match self.form:
            case "list":
                return f"[]{self._inner.go_name}"
            case "map":
                return "v1.ResourceList" if self._inner.form == "quantity" else f"map[string]{self._inner.go_name}"
            case "object":
                assert self.definition is not None
                return self.definition.go_name
            case _:
                return _GO_NAMES.get(self.form, self.form)

    @property
    def _inner(self) -> Type:
        assert self.item is not None
        return self.item


_GO_NAMES = {
    "boolean": "bool",
    "number": "float64",
    "bytes": "[]uint8",
    "time": "string",
    "micro-time": "string",
    "int-or-string": "int32",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One property: its type, how patches merge it, and whether upstream writes its zero value."""

    name: str
    type: Type
    required: bool
    keeps_zero: bool
    patch_strategies: tuple[str, ...] = ()
    patch_merge_key: str = ""
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""

    @property
    def shape(self) -> Shape:
        """How server-side apply merges the field."""
        of = self.type
        if of.form == "object" and of.definition is not None and self.map_type != "atomic":
            return of.definition.granular_shape if self.map_type else of.definition.shape
        if of.form == "map" and of.item is not None and self.map_type != "atomic":
            return Shape("map", item=partial(_item_shape, of.item))
        if of.form == "list" and of.item is not None and self.list_type in ("map", "set"):
            keys = {key: _KEY_DEFAULTS.get(key, NO_DEFAULT) for key in self.list_map_keys}
            return Shape("list" if keys else "set", keys, item=partial(_item_shape, of.item))
        return LEAF


def _item_shape(of: Type) -> Shape:
    return of.definition.shape if of.form == "object" and of.definition is not None else LEAF


# What an entry has that leaves the key out (the published schema has lost these).
_KEY_DEFAULTS = {"protocol": "TCP"}


class Definition:
    """One object type; `fields` are resolved lazily because definitions refer to each other in circles."""

    def __init__(self, name: str, schema: Schema) -> None:
        self.name = name
        self.schema = schema

    @property
    def go_name(self) -> str:
        return ".".join(self.name.rsplit(".", 2)[1:])

    @property
    def kind(self) -> str:
        return self.name.rsplit(".", 1)[1]

    @cached_property
    def fields(self) -> dict[str, Field]:
        required = set(self.schema.get("required", ()))
        pointers = pointer_fields(self.name) if self.name in wire_messages() else None
        return {
            name: _field(name, prop, name in required, pointers is None or name in required | pointers)
            for name, prop in self.schema.get("properties", {}).items()
        }

    @cached_property
    def shape(self) -> Shape:
        """How server-side apply merges objects of this type."""
        return LEAF if self.schema.get("x-kubernetes-map-type") == "atomic" else self.granular_shape

    @cached_property
    def granular_shape(self) -> Shape:
        return Shape("struct", member=cache(self._member_shape))

    def _member_shape(self, name: str) -> Shape | None:
        found = self.fields.get(name)
        return found.shape if found else None

    def patch_rules(self, field: str) -> PatchRules:
        """How a strategic merge patch treats the field (the Protocol PatchSchema)."""
        found = self.fields.get(field)
        if found is None:
            return PatchRules()
        strategy = next((name for name in found.patch_strategies if name != "retainKeys"), "")
        inner = found.type.item if found.type.form == "list" else found.type
        return PatchRules(strategy, found.patch_merge_key, inner.definition if inner else None)


def _field(name: str, prop: Schema, required: bool, keeps_zero: bool) -> Field:
    strategy = prop.get("x-kubernetes-patch-strategy", "")
    return Field(
        name=name,
        type=_type(prop),
        required=required,
        keeps_zero=keeps_zero,
        patch_strategies=tuple(strategy.split(",")) if strategy else (),
        patch_merge_key=prop.get("x-kubernetes-patch-merge-key", ""),
        list_type=prop.get("x-kubernetes-list-type", ""),
        list_map_keys=tuple(prop.get("x-kubernetes-list-map-keys", ())),
        map_type=prop.get("x-kubernetes-map-type", ""),
    )


def _type(prop: Schema) -> Type:
    if "$ref" in prop:
        return _referred(prop["$ref"])
    match prop.get("type"):
        case "array":
            return Type("list", _type(prop["items"]))
        case "object" if isinstance(prop.get("additionalProperties"), dict):
            return Type("map", _type(prop["additionalProperties"]))
        case "string" | "integer" | "boolean" | "number" as scalar:
            form = _FORMATS.get(prop.get("format", ""), "int64" if scalar == "integer" else scalar)
            assert form in get_args(Form)
            return Type(form)
        case _:
            return Type("any")


def _referred(name: str) -> Type:
    if special := _SPECIAL.get(name):
        return Type(special)
    found = definition(name)
    return Type("object", definition=found) if "properties" in found.schema else Type("any")


@cache
def schemas() -> dict[str, Schema]:
    """All definitions by name, in OpenAPI's form; a `$ref` holds the bare name."""
    packed = files("kubelite.schema").joinpath("data/definitions.json.gz").read_bytes()
    decoded: dict[str, Schema] = msgspec.json.decode(gzip.decompress(packed))
    return decoded


@cache
def definition(name: str) -> Definition:
    return Definition(name, schemas()[name])


@cache
def _by_gvk() -> dict[tuple[str, str, str], str]:
    found = {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in schemas().items()
        for gvk in schema.get("x-kubernetes-group-version-kind", ())
    }
    return found | {alias: found[target] for alias, target in _ALIASES.items()}


def definition_for(group: str, version: str, kind: str) -> Definition | None:
    """The definition of a kind, or None when it isn't built in. DeleteOptions belong to every group."""
    name = _by_gvk().get(("", "v1", kind) if kind == "DeleteOptions" else (group, version, kind))
    return definition(name) if name else None


@dataclass(frozen=True, slots=True)
class WireField:
    """A field of a protobuf message. `message` is set when that message's fields belong to the one around it."""

    name: str
    pointer: bool
    by_value: bool
    message: str = ""


@cache
def wire_messages() -> dict[str, dict[int, WireField]]:
    """Protobuf messages by definition name: field number -> field (see the head of `data/wire.txt`)."""
    text = files("kubelite.schema").joinpath("data/wire.txt").read_text()
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {_full_name(name): dict(_wire_field(entry) for entry in entries) for name, *entries in lines}


def _wire_field(entry: str) -> tuple[int, WireField]:
    name, number = entry.rsplit("=", 1)
    message = _full_name(name[1:]) if name.startswith("@") else ""
    return int(number.rstrip("*!")), WireField(name, number.endswith("*"), number.endswith("!"), message)


def _full_name(short: str) -> str:
    if short.startswith("apiextensions."):
        return _EXTENSIONS + short
    return (_META if short.startswith("meta.") else _API) + short


@cache
def pointer_fields(name: str) -> frozenset[str]:
    """Scalar fields of a definition in which zero, false or "" is a value and not an absence."""
    found: set[str] = set()
    for field in wire_messages().get(name, {}).values():
        if field.message:
            found |= pointer_fields(field.message)
        elif field.pointer:
            found.add(field.name)
    return frozenset(found)
