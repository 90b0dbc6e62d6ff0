"""The prose of the API reference, when the package `kubernetes-validate` happens to be installed.

kubelite doesn't carry it; with it `kubectl explain` shows descriptions. Found without importing the package, which
takes longer than reading its file. Also where `build` finds the definitions.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

API_VERSION = (1, 32)

Schema = dict[str, Any]


def definitions_file() -> Path | None:
    """The installed definitions of the wanted Kubernetes version, or of the nearest one."""
    spec = find_spec("kubernetes_validate")
    if spec is None or spec.origin is None:
        return None
    folders = (Path(spec.origin).parent / "kubernetes-json-schema").glob("v*-local")
    nearest = min(folders, key=lambda folder: abs(_version(folder)[1] - API_VERSION[1]), default=None)
    return nearest / "_definitions.json" if nearest else None


def _version(folder: Path) -> tuple[int, int]:
    major, minor, *_ = folder.name.removeprefix("v").split(".")
    return int(major), int(minor)


def describe(definitions: dict[str, Schema], source: Path | None) -> dict[str, Schema]:
    """`definitions` with the descriptions of the source, as far as it has them."""
    if source is None:
        return definitions
    prose: dict[str, Schema] = msgspec.json.decode(source.read_bytes())["$defs"]
    return {name: _described(schema, prose.get(name, {})) for name, schema in definitions.items()}


def _described(schema: Schema, prose: Schema) -> Schema:
    found = _with_description(schema, prose)
    if "properties" in schema:
        texts = prose.get("properties", {})
        properties = {name: _with_description(prop, texts.get(name, {})) for name, prop in schema["properties"].items()}
        found = {**found, "properties": properties}
    return found


def _with_description(schema: Schema, prose: Schema) -> Schema:
    text = prose.get("description")
    if not text:
        return schema
    if "$ref" in schema:  # what stands beside a reference is ignored by OpenAPI 3.0
        return {"allOf": [schema], "description": text}
    return {**schema, "description": text}
