"""`/openapi/v3`: an index and one document for each group and version, in JSON.

Built when first asked for and kept. The hash in the index is of what a document is made from, so that the index
costs nothing. Read by kubectl (explain, apply, validation) and by clients that are driven by OpenAPI.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from kubelite.schema.descriptions import describe
from kubelite.schema.nested import with_inner
from kubelite.schema.openapi_paths import (
    ANSWER_TYPES,
    Operation,
    Served,
    ServedPath,
    all_definitions,
    group_version_path,
    paths,
    query_type,
    reachable,
)

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
_UNIONS: dict[str, Json] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "oneOf": [{"type": "integer"}, {"type": "string"}],
        "format": "int-or-string",
    },
}


class OpenApiV3:
    """The documents for a list of resources; `version` is the one the server reports (`v1.32.0`).

    `prose` is a file with descriptions (see `descriptions.definitions_file`).
    """

    def __init__(self, resources: Iterable[Served], version: str, prose: Path | None = None) -> None:
        self._version = version
        self._prose = prose
        self._resources: dict[str, list[Served]] = {}
        for resource in resources:
            key = group_version_path(resource.group, resource.version)
            self._resources.setdefault(key, []).append(resource)
        self._documents: dict[str, bytes] = {}

    @cached_property
    def index(self) -> bytes:
        entries = {key: {"serverRelativeURL": f"/openapi/v3/{key}?hash={self.etag(key)}"} for key in self._resources}
        return msgspec.json.encode({"paths": entries})

    def etag(self, key: str) -> str:
        """Of the document for `api/v1`, `apis/apps/v1`, ...: changes whenever the document does."""
        parts = [
            (r.group, r.version, r.kind, r.plural, r.namespaced, sorted(r.subresources), sorted(r.verbs), r.definitions)
            for r in self._resources[key]
        ]
        return hashlib.sha256(msgspec.json.encode([self._version, str(self._prose), parts])).hexdigest().upper()

    @property
    def keys(self) -> Collection[str]:
        return self._resources.keys()

    def document(self, key: str) -> bytes:
        if key not in self._documents:
            self._documents[key] = msgspec.json.encode(self._build(self._resources[key]))
        return self._documents[key]

    def _build(self, resources: Collection[Served]) -> Json:
        found = [path for resource in resources for path in paths(resource)]
        known = all_definitions(resources)
        definitions = {name: _definition(name, known) for name in reachable(found, known)}
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": self._version},
            "paths": {path.template: _path(path) for path in found},
            "components": {"schemas": describe(definitions, self._prose)},
        }


def _definition(name: str, known: Mapping[str, Json]) -> Json:
    return _UNIONS.get(name) or _schema(known[name])


def _schema(schema: Json) -> Json:
    """A reference has nothing beside it."""
    found = with_inner(schema, _schema)
    name = found.pop("$ref", None)
    if name is None:
        return found
    reference = {"$ref": _PREFIX + name}
    return {"allOf": [reference], **found} if found else reference


def _path(path: ServedPath) -> Json:
    item: Json = {operation.method: _operation(operation) for operation in path.operations}
    if path.parameters:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path.parameters
        ]
    return item


def _operation(operation: Operation) -> Json:
    group, version, kind = operation.target
    rendered: Json = {
        "operationId": operation.id,
        "parameters": [{"name": name, "in": "query", "schema": {"type": query_type(name)}} for name in operation.query],
        "responses": {code: _response(operation.result) for code in operation.codes},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": version},
    }
    if operation.body:
        schema = {"$ref": _PREFIX + operation.body}
        rendered["requestBody"] = {"content": {media: {"schema": schema} for media in operation.body_types}}
    return rendered


def _response(result: str) -> Json:
    if not result:
        return {"description": "OK"}
    content = {media: {"schema": {"$ref": _PREFIX + result}} for media in ANSWER_TYPES}
    return {"description": "OK", "content": content}
