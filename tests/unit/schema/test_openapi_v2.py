"""Reads the document back with the field numbers of gnostic's OpenAPIv2.proto."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from kubelite.schema import structural_publish
from kubelite.schema.openapi_v2 import MEDIA_TYPE, OpenApiV2

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    subresources: frozenset[str] = frozenset()
    verbs: tuple[str, ...] = VERBS
    definitions: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def openapi() -> OpenApiV2:
    return OpenApiV2([Resource("apps", "v1", "StatefulSet", "statefulsets")], "v1.32.0")


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        tag, position = varint(data, position)
        value, position = varint(data, position)
        if tag & 7 == 2:
            position += value
            yield tag >> 3, data[position - value : position]
        else:
            yield tag >> 3, value


def varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while data[position] & 0x80:
        value |= (data[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | data[position] << shift, position + 1


def all_of(data: bytes, number: int) -> list[Any]:
    return [value for found, value in fields(data) if found == number]


def one(data: bytes, *numbers: int) -> Any:
    for number in numbers:
        (data,) = all_of(data, number)
    return data


def named(data: bytes, number: int) -> dict[str, bytes]:
    return {one(entry, 1).decode(): one(entry, 2) for entry in all_of(data, number)}


def extension(data: bytes, number: int, name: str) -> Any:
    return json.loads(one(named(data, number)[name], 2))


def test_document_has_the_paths_and_every_definition_it_refers_to(openapi: OpenApiV2) -> None:
    document = openapi.document
    assert one(document, 1) == b"2.0"
    assert one(document, 2, 2) == b"v1.32.0"
    definitions = named(one(document, 9), 1)
    references = {part.split(b"\n")[0] for part in document.split(b"#/definitions/")[1:]}
    assert "io.k8s.api.apps.v1.StatefulSet" in definitions
    assert all(any(text.startswith(name.encode()) for name in definitions) for text in references)


def test_patch_operation_tells_kubectl_what_it_looks_for(openapi: OpenApiV2) -> None:
    path = named(one(openapi.document, 8), 2)["/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"]
    patch = one(path, 8)
    assert b"application/strategic-merge-patch+json" in all_of(patch, 7)
    gvk = extension(patch, 13, "x-kubernetes-group-version-kind")
    assert gvk == {"group": "apps", "kind": "StatefulSet", "version": "v1"}
    bodies = [one(parameter, 1) for parameter in all_of(patch, 8)]
    queries = [one(body, 2, 3) for body in bodies if all_of(body, 2)]
    assert b"fieldValidation" in [one(query, 4) for query in queries]
    path_names = [one(parameter, 1, 2, 4, 4) for parameter in all_of(path, 9)]
    assert path_names == [b"name", b"namespace"]


def test_definitions_keep_types_and_patch_keys(openapi: OpenApiV2) -> None:
    found = named(one(openapi.document, 9), 1)
    pod_spec = named(one(found["io.k8s.api.core.v1.PodSpec"], 25), 1)
    containers = pod_spec["containers"]
    assert one(containers, 22, 1) == b"array"
    assert one(containers, 23, 1, 1) == b"#/definitions/io.k8s.api.core.v1.Container"
    assert extension(containers, 31, "x-kubernetes-patch-merge-key") == "name"
    assert one(pod_spec["nodeSelector"], 21, 1, 22, 1) == b"string"
    assert one(pod_spec["priority"], 2) == b"int32"
    assert one(found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"], 2) == b"int-or-string"


def test_descriptions_are_there_for_kubectl_explain() -> None:
    spec = {"type": "object", "description": "What is wanted."}
    schema = {"type": "object", "description": "A Foo.", "properties": {"spec": spec}}
    made = structural_publish.definitions("example.com", "v1", "Foo", "FooList", schema)
    document = OpenApiV2([Resource("example.com", "v1", "Foo", "foos", definitions=made)], "v1.32.0").document
    found = named(one(document, 9), 1)["com.example.v1.Foo"]
    properties = named(one(found, 25), 1)
    assert (one(found, 4), one(properties["spec"], 4)) == (b"A Foo.", b"What is wanted.")
    assert one(properties["apiVersion"], 4).startswith(b"APIVersion defines")


def test_etag_and_media_type_suit_go_clients(openapi: OpenApiV2) -> None:
    assert openapi.etag == OpenApiV2([Resource("apps", "v1", "StatefulSet", "statefulsets")], "v1.32.0").etag
    assert "@" not in MEDIA_TYPE
