"""Schemas of custom resources: what is pruned, filled in, refused, and how it merges."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.patch_apply import field_set
from kubelite.schema.structural import Structural

STRING: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}


def schema(**properties: Any) -> Structural:
    return Structural({"type": "object", "properties": properties})


def objects(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("of", "value", "kept", "unknown"),
    [
        (objects(a=STRING), {"a": "x", "b": 1}, {"a": "x"}, ["s.b"]),
        ({"type": "object"}, {"b": 1}, {}, ["s.b"]),
        (objects(a=objects(b=STRING)), {"a": {"b": "x", "c": 1}}, {"a": {"b": "x"}}, ["s.a.c"]),
        ({"type": "array", "items": objects(a=STRING)}, [{"a": "x"}, {"b": 1}], [{"a": "x"}, {}], ["s[1].b"]),
        ({"type": "object", "additionalProperties": objects(a=STRING)}, {"k": {"b": 1}}, {"k": {}}, ["s.k.b"]),
        (
            {**objects(a=objects(b=STRING)), "x-kubernetes-preserve-unknown-fields": True},
            {"z": {"y": 1}, "a": {"c": 1}},
            {"z": {"y": 1}, "a": {}},
            ["s.a.c"],
        ),
        (
            {**objects(), "x-kubernetes-embedded-resource": True},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "strange": 1}, "other": 1},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}},
            ["s.metadata.strange", "s.other"],
        ),
    ],
)
def test_what_a_schema_does_not_know_is_pruned(of: dict[str, Any], value: Any, kept: Any, unknown: list[str]) -> None:
    result = schema(s=of).check({"apiVersion": "e/v1", "kind": "E", "metadata": {"name": "n"}, "s": value})
    assert result.object == {"apiVersion": "e/v1", "kind": "E", "metadata": {"name": "n"}, "s": kept}
    assert list(result.unknown) == unknown


def test_metadata_has_its_own_schema() -> None:
    result = schema().check({"metadata": {"name": "n", "labels": {"a": 5}}})
    assert "cannot unmarshal number" in result.errors[0].message


@pytest.mark.parametrize(
    ("of", "before", "after"),
    [
        ({**STRING, "default": "d"}, {}, {"s": "d"}),
        ({**STRING, "default": "d"}, {"s": ""}, {"s": ""}),
        ({**STRING, "default": "d"}, {"s": None}, {"s": "d"}),
        ({**STRING, "default": "d", "nullable": True}, {"s": None}, {"s": None}),
        (objects(a={**INTEGER, "default": 1}), {}, {}),
        (objects(a={**INTEGER, "default": 1}), {"s": {}}, {"s": {"a": 1}}),
        ({**objects(a={**INTEGER, "default": 1}), "default": {}}, {}, {"s": {"a": 1}}),
        ({"type": "array", "items": objects(a={**INTEGER, "default": 1})}, {"s": [{}]}, {"s": [{"a": 1}]}),
        (
            {"type": "object", "additionalProperties": objects(a={"default": 1})},
            {"s": {"k": {}}},
            {"s": {"k": {"a": 1}}},
        ),
    ],
)
def test_defaults_fill_in_what_is_absent(of: dict[str, Any], before: Any, after: Any) -> None:
    assert schema(s=of).defaulted(before) == after


@pytest.mark.parametrize(
    ("of", "value", "fault"),
    [
        (STRING, 5, 's: Invalid value: "integer": s in body must be of type string: "integer"'),
        (STRING, None, 's: Invalid value: "null": s in body must be of type string: "null"'),
        (INTEGER, 1.5, 's: Invalid value: "number": s in body must be of type integer: "number"'),
        (INTEGER, True, 's: Invalid value: "boolean": s in body must be of type integer: "boolean"'),
        (objects(), [], 's: Invalid value: "array": s in body must be of type object: "array"'),
        (
            {"x-kubernetes-int-or-string": True},
            [],
            's: Invalid value: "array": s in body must be of type integer,string: "array"',
        ),
        ({**STRING, "enum": ["a", "b"]}, "c", 's: Unsupported value: "c": supported values: "a", "b"'),
        ({**STRING, "pattern": "^a+$"}, "b", "s: Invalid value: \"b\": s in body should match '^a+$'"),
        ({**STRING, "maxLength": 2}, "abc", "s: Too long: may not be more than 2 bytes"),
        ({**STRING, "minLength": 2}, "a", 's: Invalid value: "a": s in body should be at least 2 chars long'),
        ({**STRING, "format": "date-time"}, "x", 's: Invalid value: "x": s in body must be of type date-time: "x"'),
        ({**STRING, "format": "ipv4"}, "1.2.3", 's: Invalid value: "1.2.3": s in body must be of type ipv4: "1.2.3"'),
        ({**INTEGER, "minimum": 2}, 1, "s: Invalid value: 1: s in body should be greater than or equal to 2"),
        (
            {**INTEGER, "minimum": 2, "exclusiveMinimum": True},
            2,
            "s: Invalid value: 2: s in body should be greater than 2",
        ),
        ({**INTEGER, "maximum": 2}, 3, "s: Invalid value: 3: s in body should be less than or equal to 2"),
        ({**INTEGER, "multipleOf": 2}, 3, "s: Invalid value: 3: s in body should be a multiple of 2"),
        ({"type": "array", "items": STRING, "maxItems": 1}, ["a", "b"], "s: Too many: 2: must have at most 1 items"),
        (
            {"type": "array", "items": STRING, "minItems": 1},
            [],
            "s: Invalid value: 0: s in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": INTEGER},
            ["a"],
            's[0]: Invalid value: "string": s[0] in body must be of type integer: "string"',
        ),
        ({"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}, ["a", "a"], 's[1]: Duplicate value: "a"'),
        (
            {
                "type": "array",
                "items": objects(k=STRING),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
            },
            [{"k": "a"}, {"k": "a"}],
            's[1]: Duplicate value: {"k":"a"}',
        ),
        ({**objects(a=STRING), "required": ["a"]}, {}, "s.a: Required value"),
        (
            {**objects(), "x-kubernetes-embedded-resource": True},
            {"kind": "x"},
            "s.apiVersion: Required value: must not be empty",
        ),
        (
            {**objects(), "not": {"required": ["b"]}},
            {"b": 1},
            '<nil>: Invalid value: "": "s" must not validate the schema (not)',
        ),
    ],
)
def test_values_that_do_not_fit(of: dict[str, Any], value: Any, fault: str) -> None:
    assert [str(error) for error in schema(s=of).faults({"s": value})] == [fault]


def test_alternatives() -> None:
    of = {**objects(), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    faults = [str(error) for error in schema(s=of).faults({"s": {}})]
    assert faults[-1] == '<nil>: Invalid value: "": "s" must validate one and only one schema (oneOf). Found none valid'
    both = schema(s=of).faults({"s": {"a": 1, "b": 1}})
    assert str(both[0]).endswith("(oneOf). Found 2 valid alternatives")
    assert schema(s=of).faults({"s": {"a": 1}}) == []


@pytest.mark.parametrize(
    ("of", "value"),
    [
        ({**STRING, "nullable": True}, None),
        ({"type": "number"}, 1),
        (INTEGER, 1.0),
        ({"x-kubernetes-int-or-string": True}, "50%"),
        ({"x-kubernetes-preserve-unknown-fields": True}, [1, "a"]),
        ({**STRING, "format": "unknown"}, "x"),
        ({**STRING, "format": "uuid"}, "123e4567-e89b-12d3-a456-426614174000"),
    ],
)
def test_values_that_fit(of: dict[str, Any], value: Any) -> None:
    assert schema(s=of).faults({"s": value}) == []


STRICT: dict[str, Any] = {"type": "string", "enum": ["new"]}
KEYED: dict[str, Any] = {
    "type": "array",
    "items": objects(key=STRING, field=STRICT),
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["key"],
}
SET: dict[str, Any] = {"type": "array", "items": STRICT, "x-kubernetes-list-type": "set"}


@pytest.mark.parametrize(
    ("of", "before", "after", "faults"),
    [
        (STRICT, "old", "old", []),
        (STRICT, "old", "other", ["spec"]),
        (objects(a=STRICT, b=STRING), {"a": "old"}, {"a": "old", "b": "x"}, []),
        (objects(a=STRICT, b=STRICT), {"a": "old"}, {"a": "old", "b": "old"}, ["spec.b"]),
        ({"type": "object", "additionalProperties": STRICT}, {"k": "old"}, {"k": "old", "l": "new"}, []),
        (KEYED, [{"key": "a", "field": "old"}], [{"key": "b", "field": "new"}, {"key": "a", "field": "old"}], []),
        (KEYED, [{"key": "a", "field": "old"}], [{"key": "b", "field": "old"}], ["spec[0].field"]),
        (KEYED, [{"key": "a"}, {"key": "a"}], [{"key": "a"}, {"key": "a"}, {"key": "b"}], []),
        (KEYED, [{"key": "a"}], [{"key": "a"}, {"key": "a"}], ["spec[1]"]),
        (SET, ["old", "older"], ["old", "older"], []),
        (SET, ["old"], ["old", "new"], ["spec[0]"]),
        ({"type": "array", "items": STRICT}, ["old"], ["old", "new"], ["spec[0]"]),
        ({**objects(a=STRING), "required": ["a"]}, {}, {}, []),
        ({**objects(a=STRING, b=STRING), "required": ["a"]}, {}, {"b": "x"}, ["spec.a"]),
    ],
)
def test_an_update_answers_for_what_it_changes_alone(
    of: dict[str, Any], before: Any, after: Any, faults: list[str]
) -> None:
    found = schema(spec=of).faults({"spec": after}, {"spec": before})
    assert [one.path for one in found] == faults


def test_lists_and_maps_merge_as_the_schema_says() -> None:
    ports = {
        "type": "array",
        "items": objects(port=INTEGER, name=STRING),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port"],
    }
    shape = schema(
        ports=ports, atomic={"type": "array", "items": STRING}, free={"x-kubernetes-preserve-unknown-fields": True}
    )
    value = {"metadata": {"labels": {"l": "v"}}, "ports": [{"port": 1, "name": "n"}], "atomic": ["a"], "free": {"x": 1}}
    fields = field_set(value, shape.shape)
    assert ("f:metadata", "f:labels", "f:l") in fields
    assert ("f:ports", 'k:{"port":1}', "f:name") in fields
    assert ("f:atomic",) in fields
    assert ("f:free", "f:x") in fields
