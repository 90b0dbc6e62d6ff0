"""Writes `data/definitions.json.gz` from the definitions in the package `kubernetes-validate`.

A developer runs `python -m kubelite.schema.build` when the API version moves; that package (108 MB) is never needed
at run time. What is kept of each definition: properties, types, formats, required, patch strategies and merge keys,
list types and map keys, group-version-kinds. Prose and everything that isn't generally available is dropped.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import msgspec

from kubelite.schema.descriptions import definitions_file

DATA = Path(__file__).parent / "data" / "definitions.json.gz"

_Schema = dict[str, Any]
_PRERELEASE = re.compile(r"\.v\d+(alpha|beta)\d+\.")
_DROPPED = {"description", "enum"}
_SCALARS: dict[str, _Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": "string", "format": "int-or-string"},
}
_SHARED_KINDS = {"DeleteOptions", "WatchEvent"}


def compact(source: dict[str, _Schema]) -> dict[str, _Schema]:
    kept = {name: schema for name, schema in source.items() if not _PRERELEASE.search(name)}
    return {name: _SCALARS.get(name) or _compact_schema(schema) for name, schema in sorted(kept.items())}


def _compact_schema(schema: _Schema) -> _Schema:
    return {key: _compact_value(key, value) for key, value in schema.items() if key not in _DROPPED}


def _compact_value(key: str, value: Any) -> Any:
    match key:
        case "properties":  # by name: JSONSchemaProps has fields called `description`, `enum`, `$ref`
            return {name: _compact_schema(schema) for name, schema in value.items()}
        case "items" | "additionalProperties":
            return _compact_schema(value) if isinstance(value, dict) else value
        case "type":
            return value if isinstance(value, str) else value[0]
        case "$ref":
            return value.rsplit("/", 1)[1]
        case "x-kubernetes-group-version-kind":
            return [gvk for gvk in value if gvk["kind"] not in _SHARED_KINDS or gvk["group"] == ""]
        case _:
            return value


def main() -> None:
    found = definitions_file()
    if found is None:
        raise SystemExit("the package kubernetes-validate isn't installed")
    kept = compact(msgspec.json.decode(found.read_bytes())["$defs"])
    DATA.write_bytes(gzip.compress(msgspec.json.encode(kept), mtime=0))
    print(f"{DATA}: {len(kept)} definitions, {DATA.stat().st_size} bytes")


if __name__ == "__main__":
    main()
