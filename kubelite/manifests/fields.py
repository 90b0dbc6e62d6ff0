"""Which type the schema has for a place in a document."""

from __future__ import annotations

from collections.abc import Iterator

from kubelite.manifests.document import Path
from kubelite.schema.model import Definition, Type, schemas


def type_at(definition: Definition, path: Path) -> Type | None:
    """The type of the value at `path`; None where the schema has no such field."""
    current: Type | None = Type("object", definition=definition)
    for part in path:
        if current is None:
            return None
        if current.definition is not None:
            field = current.definition.fields.get(str(part))
            current = field.type if field else None
        else:
            current = current.item
    return current


def fields_at(definition: Definition, path: Path) -> Definition | None:
    """The object type of the value at `path`; None when no object belongs there."""
    found = type_at(definition, path)
    return found.definition if found else None


def builtin_kinds() -> Iterator[tuple[str, str]]:
    """(apiVersion, kind) of everything that manifests can hold."""
    for name, schema in schemas().items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            if "metadata" in schema.get("properties", {}) and not name.endswith("List"):
                yield (f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]), gvk["kind"]
