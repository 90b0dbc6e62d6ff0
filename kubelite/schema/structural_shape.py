"""How server-side apply merges custom resources: the Shape of a CustomResourceDefinition's schema; pure."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from kubelite.objects.patch_apply import LEAF, NO_DEFAULT, Shape
from kubelite.schema.model import definition

Schema = dict[str, Any]

OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def of_resource(schema: Schema) -> Shape:
    """Of the root, and of objects embedded in it: they have a type and metadata beside what the schema says."""
    inner = of(schema)
    own = {"metadata": definition(OBJECT_META).shape, "apiVersion": LEAF, "kind": LEAF}
    return Shape("struct", member=cache(lambda name: own.get(name) or inner.part(name)))


def of(schema: Schema) -> Shape:
    match schema.get("type"):
        case "object" if schema.get("x-kubernetes-embedded-resource"):
            return of_resource({**schema, "x-kubernetes-embedded-resource": False})
        case "object" if schema.get("x-kubernetes-map-type") != "atomic":
            return _of_object(schema)
        case "array" if isinstance(schema.get("items"), dict):
            return _of_list(schema)
        case None if schema.get("x-kubernetes-preserve-unknown-fields"):
            return UNTYPED
        case _:
            return LEAF


def _of_object(schema: Schema) -> Shape:
    properties: dict[str, Schema] = schema.get("properties") or {}
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict) and not properties:
        return Shape("map", item=partial(of, rest))
    unknown = UNTYPED if schema.get("x-kubernetes-preserve-unknown-fields") else LEAF
    return Shape("struct", member=cache(lambda name: of(properties[name]) if name in properties else unknown))


def _of_list(schema: Schema) -> Shape:
    item = partial(of, schema["items"])
    match schema.get("x-kubernetes-list-type"):
        case "map":
            properties = schema["items"].get("properties") or {}
            keys = schema.get("x-kubernetes-list-map-keys") or ()
            return Shape("list", {key: properties.get(key, {}).get("default", NO_DEFAULT) for key in keys}, item=item)
        case "set":
            return Shape("set", item=item)
        case _:
            return LEAF


def _untyped() -> Shape:
    return UNTYPED


# What no schema speaks of: objects are merged key by key, everything else is replaced as a whole.
UNTYPED: Shape = Shape("map", item=_untyped)
