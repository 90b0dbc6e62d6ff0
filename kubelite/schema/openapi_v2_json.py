"""`/openapi/v2` in JSON, for whoever doesn't ask for protobuf; from the same operations and definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kubelite.schema.nested import with_inner
from kubelite.schema.openapi_paths import ANSWER_TYPES, Operation, ServedPath, query_type

Json = dict[str, Any]

_PREFIX = "#/definitions/"


def document(version: str, paths: Sequence[ServedPath], definitions: Mapping[str, Json]) -> bytes:
    return msgspec.json.encode(
        {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": version},
            "paths": {path.template: _path(path) for path in paths},
            "definitions": {name: _schema(schema) for name, schema in definitions.items()},
        }
    )


def _schema(schema: Json) -> Json:
    found = with_inner(schema, _schema)
    return {**found, "$ref": _PREFIX + schema["$ref"]} if "$ref" in schema else found


def _path(path: ServedPath) -> Json:
    item: Json = {operation.method: _operation(operation) for operation in path.operations}
    if path.parameters:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True}
            for name in path.parameters
        ]
    return item


def _operation(operation: Operation) -> Json:
    group, version, kind = operation.target
    parameters: list[Json] = [
        {"name": name, "in": "query", "type": query_type(name), "uniqueItems": True} for name in operation.query
    ]
    if operation.body:
        parameters.append(
            {"name": "body", "in": "body", "required": True, "schema": {"$ref": _PREFIX + operation.body}}
        )
    return {
        "operationId": operation.id,
        "consumes": list(operation.body_types) if operation.body else ["*/*"],
        "produces": list(ANSWER_TYPES),
        "schemes": ["https"],
        "parameters": parameters,
        "responses": {code: _response(operation.result) for code in operation.codes},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": version},
    }


def _response(result: str) -> Json:
    return {"description": "OK", "schema": {"$ref": _PREFIX + result}} if result else {"description": "OK"}
