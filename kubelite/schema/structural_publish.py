"""The schemas of custom resources as the OpenAPI documents show them (apiextensions' `controller/openapi/builder`); pure.

References are bare names, as in the built-in definitions.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    "schemas to the latest internal value, and may reject unrecognized values. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
    "endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_TYPE = {
    "apiVersion": {"type": "string", "description": _API_VERSION},
    "kind": {"type": "string", "description": _KIND},
}
_ONLY_V3 = ("allOf", "anyOf", "default", "not", "nullable", "oneOf")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"


def name(group: str, version: str, kind: str) -> str:
    """`com.example.stable.v1.CronTab`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def definitions(group: str, version: str, kind: str, list_kind: str, schema: Schema) -> dict[str, Schema]:
    """Of the resource and of its lists."""
    own, gvk = name(group, version, kind), {"group": group, "version": version}
    metadata = {"$ref": _META + "ObjectMeta"}
    properties = {**_embedded(schema).get("properties", {}), **_TYPE, "metadata": metadata}
    items = {"type": "array", "items": {"$ref": own}, "description": f"List of {kind}."}
    return {
        own: {
            **_embedded(schema),
            "type": "object",
            "properties": properties,
            "x-kubernetes-group-version-kind": [{**gvk, "kind": kind}],
        },
        name(group, version, list_kind): {
            "type": "object",
            "required": ["items"],
            "properties": {**_TYPE, "metadata": {"$ref": _META + "ListMeta"}, "items": items},
            "x-kubernetes-group-version-kind": [{**gvk, "kind": list_kind}],
        },
    }


def _embedded(schema: Schema) -> Schema:
    """With the type and metadata of the objects that are inside."""
    found = dict(schema)
    if "properties" in schema:
        found["properties"] = {key: _embedded(inner) for key, inner in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found[key] = _embedded(schema[key])
    if schema.get("x-kubernetes-embedded-resource"):
        found["properties"] = {**found.get("properties", {}), **_TYPE, "metadata": {"$ref": _META + "ObjectMeta"}}
    return found


def root_for_v2(schema: Schema) -> Schema:
    """A definition, which has its type and metadata whatever becomes of the rest."""
    own = {key: schema["properties"][key] for key in (*_TYPE, "metadata")}
    found = for_v2(schema)
    return {**found, "properties": {**found.get("properties", {}), **own}}


def for_v2(schema: Schema) -> Schema:
    """What OpenAPI v2, and the clients that validate by it, can make something of."""
    dropped = set(_ONLY_V3)
    if schema.get("nullable"):
        dropped |= {"type", "items", "properties", "additionalProperties"}
    if schema.get("x-kubernetes-int-or-string"):
        dropped |= {"type"}
    if schema.get(_PRESERVE):
        dropped |= {"items", "properties"}
    kept = {key: value for key, value in schema.items() if key not in dropped}
    if "properties" in kept:
        kept["properties"] = {key: for_v2(inner) for key, inner in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = for_v2(kept[key])
    return kept
