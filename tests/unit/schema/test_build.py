from kubelite.schema.build import compact


def test_compact_keeps_structure_and_drops_prose_and_prereleases() -> None:
    gvk = {"group": "", "kind": "DeleteOptions", "version": "v1"}
    kept = compact(
        {
            "io.k8s.api.core.v1.Thing": {
                "description": "long",
                "type": ["object", "null"],
                "required": ["a"],
                "properties": {
                    "a": {"type": "string", "description": "long", "enum": ["x"]},
                    "description": {"type": ["integer", "null"], "format": "int32"},
                    "list": {"type": ["array", "null"], "items": {"$ref": "#/$defs/io.k8s.api.core.v1.Other"}},
                    "map": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
                },
                "x-kubernetes-group-version-kind": [gvk, {**gvk, "group": "apps"}],
            },
            "io.k8s.api.core.v1alpha1.Thing": {"type": "object"},
            "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        }
    )
    assert kept == {
        "io.k8s.api.core.v1.Thing": {
            "type": "object",
            "required": ["a"],
            "properties": {
                "a": {"type": "string"},
                "description": {"type": "integer", "format": "int32"},
                "list": {"type": "array", "items": {"$ref": "io.k8s.api.core.v1.Other"}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "x-kubernetes-group-version-kind": [gvk],
        },
        "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    }
