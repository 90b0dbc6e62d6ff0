"""`/openapi/v2` in protobuf, the only form in which kubectl asks for it (needed by kubectl up to 1.28).

Encodes gnostic's `openapi.v2.Document` directly; the field numbers are those of its OpenAPIv2.proto. Vendor
extensions are YAML texts there; JSON is YAML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from kubelite.schema import openapi_v2_json
from kubelite.schema.openapi_paths import (
    ANSWER_TYPES,
    Operation,
    Schema,
    Served,
    ServedPath,
    all_definitions,
    paths,
    query_type,
    reachable,
)
from kubelite.schema.structural_publish import root_for_v2

# Go's mime parser refuses an "@" in the answer's content type.
MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}  # of PathItem


class OpenApiV2:
    """The document for a list of resources, built when first asked for."""

    def __init__(self, resources: Iterable[Served], version: str) -> None:
        self._resources = list(resources)
        self._version = version

    @cached_property
    def document(self) -> bytes:
        found, definitions = self._parts
        info = _text(1, "Kubernetes") + _text(2, self._version)
        items = b"".join(_field(2, _text(1, path.template) + _field(2, _path_item(path))) for path in found)
        schemas = b"".join(_named_schema(name, schema) for name, schema in definitions.items())
        return _text(1, "2.0") + _field(2, info) + _field(8, items) + _field(9, schemas)

    @cached_property
    def json(self) -> bytes:
        """The same for those who don't ask for protobuf."""
        return openapi_v2_json.document(self._version, *self._parts)

    @property
    def _parts(self) -> tuple[list[ServedPath], dict[str, Schema]]:
        known = all_definitions(self._resources)
        custom = {name for resource in self._resources for name in resource.definitions}
        found = [path for resource in self._resources for path in paths(resource)]
        return found, {
            name: root_for_v2(known[name]) if name in custom else known[name] for name in reachable(found, known)
        }

    @cached_property
    def etag(self) -> str:
        return hashlib.sha256(self.document).hexdigest().upper()


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(_text(number, text) for text in texts)


def _true(number: int) -> bytes:
    return _varint(number << 3) + b"\x01"


def _extensions(number: int, values: dict[str, Any]) -> bytes:
    return b"".join(
        _field(number, _text(1, name) + _field(2, _field(2, msgspec.json.encode(value))))
        for name, value in values.items()
        if name.startswith("x-")
    )


def _named_schema(name: str, schema: dict[str, Any]) -> bytes:
    return _field(1, _text(1, name) + _field(2, _schema(schema)))


def _schema(schema: dict[str, Any]) -> bytes:
    parts = [_text(1, "#/definitions/" + schema["$ref"])] if "$ref" in schema else []
    if "format" in schema:
        parts.append(_text(2, schema["format"]))
    if "description" in schema:
        parts.append(_text(4, schema["description"]))
    parts.append(_texts(19, schema.get("required", ())))
    if isinstance(schema.get("additionalProperties"), dict):
        parts.append(_field(21, _field(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        parts.append(_field(22, _text(1, schema["type"])))
    if "items" in schema:
        parts.append(_field(23, _field(1, _schema(schema["items"]))))
    if "properties" in schema:
        properties = (_named_schema(name, inner) for name, inner in schema["properties"].items())
        parts.append(_field(25, b"".join(properties)))
    parts.append(_extensions(31, schema))
    return b"".join(parts)


def _path_item(path: ServedPath) -> bytes:
    operations = (_field(_METHODS[operation.method], _operation(operation)) for operation in path.operations)
    return b"".join(operations) + b"".join(_field(9, _path_parameter(name)) for name in path.parameters)


def _path_parameter(name: str) -> bytes:
    schema = _true(1) + _text(2, "path") + _text(4, name) + _text(5, "string")
    return _field(1, _field(2, _field(4, schema)))


def _query_parameter(name: str) -> bytes:
    schema = _text(2, "query") + _text(4, name) + _text(6, query_type(name))
    return _field(1, _field(2, _field(3, schema)))


def _body_parameter(definition: str) -> bytes:
    schema = _field(5, _text(1, "#/definitions/" + definition))
    return _field(1, _field(1, _text(2, "body") + _text(3, "body") + _true(4) + schema))


def _operation(operation: Operation) -> bytes:
    parameters = [_query_parameter(name) for name in operation.query]
    if operation.body:
        parameters.append(_body_parameter(operation.body))
    group, version, kind = operation.target
    marks = {
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": version},
    }
    return b"".join(
        (
            _text(5, operation.id),
            _texts(6, ANSWER_TYPES),
            _texts(7, operation.body_types if operation.body else ("*/*",)),
            *(_field(8, parameter) for parameter in parameters),
            _field(9, b"".join(_response(code, operation.result) for code in operation.codes)),
            _extensions(13, marks),
        )
    )


def _response(code: str, result: str) -> bytes:
    schema = _field(2, _field(1, _text(1, "#/definitions/" + result))) if result else b""
    return _field(1, _text(1, code) + _field(2, _field(1, _text(1, "OK") + schema)))
