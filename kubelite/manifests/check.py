"""What can be said of a document without asking the server: its type, its fields, their types. All faults at once."""

from __future__ import annotations

from difflib import get_close_matches

from kubelite.manifests.document import Document
from kubelite.manifests.expected import wrong_value
from kubelite.manifests.fields import builtin_kinds
from kubelite.manifests.problem import Problem
from kubelite.manifests.suggest import for_unknown_field
from kubelite.schema import strict
from kubelite.schema.model import Definition, definition_for


def check(document: Document) -> list[Problem]:
    return _identity(document) or _fields(document)


def definition_of(document: Document) -> Definition | None:
    """The schema of the document's kind; None when kubelite has none."""
    group, _, version = document.value["apiVersion"].rpartition("/")
    return definition_for(group, version, document.value["kind"])


def problem(document: Document, path: str, message: str, hint: str = "") -> Problem:
    """At the field, or at the nearest one around it that is there."""
    return Problem(document.nearest(path).place, path, message, hint)


def _identity(document: Document) -> list[Problem]:
    """Which object it is; nothing else can be checked without."""
    value = document.value
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else "plain text"
        return [Problem(document.place, "", f"this is {what}, not an object with apiVersion and kind")]
    found = [
        problem(document, key, "is missing" if not value.get(key) else "must be text", _misspelt(key, value))
        for key in ("apiVersion", "kind")
        if not value.get(key) or not isinstance(value[key], str)
    ]
    return found or _name(document)


def _misspelt(key: str, value: dict[str, object]) -> str:
    close = get_close_matches(key, [name for name in value if name not in ("apiVersion", "kind")], 1, 0.75)
    return f'found "{close[0]}" in its place' if close else ""


def _name(document: Document) -> list[Problem]:
    metadata = document.value.get("metadata")
    if not isinstance(metadata, dict):
        return [] if metadata is not None else [problem(document, "metadata.name", "is missing")]
    if metadata.get("generateName") and not metadata.get("name"):
        text = "apply needs a name: with a generated one it could not find the object again"
        return [problem(document, "metadata.generateName", text)]
    return [] if metadata.get("name") else [problem(document, "metadata.name", "is missing")]


def _fields(document: Document) -> list[Problem]:
    definition = definition_of(document)
    if definition is None:
        return []
    result = strict.check(document.value, definition)
    unknown = [
        problem(document, path, "unknown field", for_unknown_field(document, definition, path))
        for path in result.unknown
    ]
    wrong = [problem(document, one.path, *wrong_value(document, definition, one)) for one in result.errors]
    return unknown + wrong


def unknown_kind(document: Document) -> Problem:
    """For a type that the server doesn't have: the likely one."""
    api_version, kind = document.value["apiVersion"], document.value["kind"]
    kinds: dict[str, list[str]] = {}
    for served, name in builtin_kinds():
        kinds.setdefault(name, []).append(served)
    if api_version in kinds.get(kind, ()):
        return problem(document, "kind", f"{kind} is a kind of Kubernetes that kubelite doesn't serve")
    if kind in kinds:
        text = f"{api_version} has no kind {kind}"
        return problem(document, "apiVersion", text, f'did you mean "{_closest(api_version, kinds[kind])}"?')
    close = get_close_matches(kind, kinds, 1, 0.6)
    lower = {name.lower(): name for name in kinds}
    guess = lower.get(kind.lower()) or lower.get(kind.lower().removesuffix("s")) or (close[0] if close else "")
    return problem(
        document, "kind", f"there is no kind {kind} in {api_version}", f'did you mean "{guess}"?' if guess else ""
    )


def _closest(wanted: str, offered: list[str]) -> str:
    return (get_close_matches(wanted, offered, 1, 0.0) or offered)[0]
