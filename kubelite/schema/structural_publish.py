"""The schemas of custom resources as the OpenAPI documents show them (apiextensions' `controller/openapi/builder`); pure.

References are bare names, as in the built-in definitions.
"""

from __future__ import annotations

from kubelite.schema.nested import Schema, with_inner

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
    found = with_inner(schema, _embedded)
    if schema.get("x-kubernetes-embedded-resource"):
        found["properties"] = {**found.get("properties", {}), **_TYPE, "metadata": {"$ref": _META + "ObjectMeta"}}
    return found


def root_for_v2(schema: Schema) -> Schema:
    """A definition; where unknown fields are allowed it says nothing at all, or clients would refuse them."""
    if schema.get(_PRESERVE):
        return {key: schema[key] for key in ("type", "x-kubernetes-group-version-kind")}
    own = {key: schema["properties"][key] for key in (*_TYPE, "metadata")}
    found = for_v2(schema)
    return {**found, "properties": {**found.get("properties", {}), **own}}


def for_v2(schema: Schema) -> Schema:
    """What OpenAPI v2, and the clients that validate by it, can make something of."""
    found = {key: value for key, value in schema.items() if key not in _unknown_to_v2(schema)}
    nullable = {name for name, inner in schema.get("properties", {}).items() if inner.get("nullable")}
    if nullable & set(found.get("required", ())):
        found["required"] = [name for name in found["required"] if name not in nullable]
    return with_inner(found, for_v2)


def _unknown_to_v2(schema: Schema) -> set[str]:
    dropped = set(_ONLY_V3)
    if schema.get("nullable"):
        dropped |= {"type", "items", "properties"}
    if schema.get("x-kubernetes-int-or-string"):
        dropped |= {"type"}
    if schema.get(_PRESERVE):
        dropped |= {"items", "properties"} | ({"type"} if schema.get("type") in ("array", "object") else set())
    return dropped
