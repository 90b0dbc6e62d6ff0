"""Reads an object as upstream's typed decoder does: every unknown field and wrong type, and what remains.

`check` decides and never raises; `accept` and `accept_patched` turn its findings into upstream's answers under the
field validation directive of a request (Strict, Warn, Ignore). Called by the HTTP edge and by the registry.
Wording after apimachinery's strict decoding errors and the API server's create and patch handlers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from kubelite import errors
from kubelite.objects.go_value import go_value
from kubelite.schema.decode import Duplicate
from kubelite.schema.model import Definition, Field, Type, definition_for
from kubelite.schema.scalars import READERS, ZEROS, WrongType, go_kind, word

Obj = dict[str, Any]
Directive = Literal["Strict", "Warn", "Ignore"]
_Path = tuple["_Path", str, bool] | None  # what it hangs on, `.field` or `[0]` or `.key`, whether it is a field
_LIMIT = 100
_ABSENT = object()
_PLAIN = {"string": str, "boolean": bool}


@dataclass(frozen=True, slots=True)
class WrongValue:
    """A value that its field can't hold: where, as Go's JSON decoder says it, as the patch converter says it."""

    path: str
    message: str
    conversion: str


@dataclass(frozen=True, slots=True)
class Result:
    """`object`: what upstream would keep (no unknown fields, nulls or empty optionals; canonical quantities)."""

    object: Obj
    errors: tuple[WrongValue, ...]
    unknown: tuple[str, ...]


class Checker(Protocol):
    """A schema that isn't built in."""

    def check(self, obj: Obj) -> Result: ...


def check(obj: Obj, definition: Definition) -> Result:
    reader = _Reader()
    kept = reader.read_object(obj, definition, None)
    return Result(kept, tuple(reader.errors), tuple(dict.fromkeys(reader.unknown)))


def prune(obj: Obj, definition: Definition) -> Obj:
    return check(obj, definition).object


@dataclass(frozen=True, slots=True)
class Findings:
    """What Strict refuses and Warn tells of: a decoder's findings in its order."""

    texts: Sequence[str]
    of_yaml: int = 0  # the first so many are YAML's own

    def __bool__(self) -> bool:
        return bool(self.texts)

    @property
    def warnings(self) -> list[str]:
        return list(self.texts[:_LIMIT])

    @property
    def error(self) -> str:
        lines, others = self.texts[: self.of_yaml], self.texts[self.of_yaml :]
        together = ["yaml: unmarshal errors:" + "".join(f"\n  {line}" for line in lines)] if lines else []
        return ", ".join([*together, *others][:_LIMIT])

    @classmethod
    def one_by_one(cls, duplicates: Sequence[Duplicate], unknown: Iterable[str] = ()) -> Findings:
        """Of decoders that look for duplicates first."""
        texts = [*(duplicate.text for duplicate in duplicates), *map(_unknown, unknown)]
        return cls(texts, sum(not duplicate.path for duplicate in duplicates))

    @classmethod
    def at_once(cls, duplicates: Sequence[Duplicate], unknown: Iterable[str]) -> Findings:
        """Of the typed decoder, which goes through the document and doesn't look into unknown fields."""
        waiting, fields = list(unknown), set(unknown)
        texts: list[str] = []
        for duplicate in duplicates:
            while waiting and waiting[0] in duplicate.earlier:
                texts.append(_unknown(waiting.pop(0)))
            if not any(_is_within(duplicate.path, field) for field in fields):
                texts.append(duplicate.text)
        return cls([*texts, *map(_unknown, waiting)])


def _unknown(path: str) -> str:
    return f"unknown field {_quoted(path)}"


def _is_within(path: str, field: str) -> bool:
    return path == field or path.startswith((f"{field}.", f"{field}["))


def accept(
    obj: Obj,
    gvk: tuple[str, str, str],
    directive: Directive = "Strict",
    duplicates: Sequence[Duplicate] = (),
    checker: Checker | None = None,
) -> tuple[Obj, list[str]]:
    """The object to work with and the warnings to send; raises the 400 upstream answers.

    `checker` is there for kinds that aren't built in.
    """
    result = _checked(obj, gvk, checker)
    if result.errors:
        raise decoding_error(gvk, result.errors[0].message)
    if directive == "Ignore":
        return result.object, []
    in_turn = checker is not None or any(not duplicate.path for duplicate in duplicates)
    found = (Findings.one_by_one if in_turn else Findings.at_once)(duplicates, result.unknown)
    if found and directive == "Strict":
        raise decoding_error(gvk, f"strict decoding error: {found.error}")
    return result.object, found.warnings


def accept_patched(
    obj: Obj,
    gvk: tuple[str, str, str],
    directive: Directive,
    patch: Obj | None = None,
    duplicates: Sequence[Duplicate] = (),
    checker: Checker | None = None,
) -> tuple[Obj, list[str]]:
    """As `accept` for the outcome of a patch, whose faults upstream answers with 422.

    `patch` is given for a strategic merge patch: it is the value the answer shows (else it is the outcome).
    """
    shown = msgspec.json.encode(obj).decode() if patch is None else go_value(patch)
    result = _checked(obj, gvk, checker)
    if result.errors:
        wrong = result.errors[0]
        raise _invalid_patch(shown, wrong.message if patch is None else wrong.conversion)
    if directive == "Ignore":
        return result.object, []
    found = Findings.one_by_one(duplicates, sorted(result.unknown))
    if found and directive == "Strict":
        raise _invalid_patch(shown, f"strict decoding error: {found.error}")
    return result.object, found.warnings


def _checked(obj: Obj, gvk: tuple[str, str, str], checker: Checker | None) -> Result:
    if checker is not None:
        return checker.check(obj)
    definition = definition_for(*gvk)
    return check(obj, definition) if definition is not None else Result(obj, (), ())


def decoding_error(gvk: tuple[str, str, str], text: str) -> errors.StatusError:
    _, version, kind = gvk
    return errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {text}')


def _invalid_patch(shown: str, text: str) -> errors.StatusError:
    return errors.invalid("", "", [errors.invalid_value("patch", shown, text)])


class _Reader:
    """One walk over an object; values that stay as they are aren't copied."""

    def __init__(self) -> None:
        self.errors: list[WrongValue] = []
        self.unknown: list[str] = []

    def read_object(self, value: Obj, definition: Definition, path: _Path) -> Obj:
        fields = definition.fields
        edits: dict[str, Any] = {}
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                self.unknown.append(_show((path, f".{key}", True)))
                edits[key] = _ABSENT
                continue
            if item and item.__class__ is _PLAIN.get(field.type.form):
                continue
            kept = self._read_field(item, field, definition, path)
            if kept is not item:
                edits[key] = kept
        return _edited(value, edits) if edits else value

    def _read_field(self, item: Any, field: Field, owner: Definition, path: _Path) -> Any:
        if item is None:
            return _ABSENT
        kept = self._read(item, field.type, owner, (path, f".{field.name}", True))
        if not kept and not field.keeps_zero and field.type.form not in ("object", "any", "int-or-string"):
            return _ABSENT
        return kept

    def _read(self, value: Any, of: Type, owner: Definition, path: _Path) -> Any:
        match of.form:
            case "any":
                return value
            case "object":
                assert of.definition is not None
                if isinstance(value, dict):
                    return self.read_object(value, of.definition, path)
            case "list":
                assert of.item is not None
                if isinstance(value, list):
                    return self._read_list(value, of.item, owner, path)
            case "map":
                assert of.item is not None
                if isinstance(value, dict):
                    return self._read_map(value, of.item, owner, path)
            case form:
                return self._read_scalar(value, of, form, owner, path)
        self._wrong_type(word(value), value, of, owner, path)
        return value

    def _read_list(self, value: list[Any], item: Type, owner: Definition, path: _Path) -> list[Any]:
        if item.form == "string" and all(entry.__class__ is str for entry in value):
            return value
        kept = [self._read_item(entry, item, owner, (path, f"[{i}]", False)) for i, entry in enumerate(value)]
        return value if all(map(_same, kept, value)) else kept

    def _read_map(self, value: Obj, item: Type, owner: Definition, path: _Path) -> Obj:
        if item.form == "string" and all(entry.__class__ is str for entry in value.values()):
            return value
        kept = {key: self._read_item(entry, item, owner, (path, f".{key}", False)) for key, entry in value.items()}
        return value if all(map(_same, kept.values(), value.values())) else kept

    def _read_item(self, value: Any, of: Type, owner: Definition, path: _Path) -> Any:
        """Inside lists and maps null stands for the type's zero value."""
        if value is not None:
            return self._read(value, of, owner, path)
        return {} if of.form == "object" else ZEROS.get(of.form)

    def _read_scalar(self, value: Any, of: Type, form: str, owner: Definition, path: _Path) -> Any:
        try:
            kept = READERS[form](value)
        except WrongType as wrong:
            self._wrong_type(str(wrong), value, of, owner, path)
        except ValueError as malformed:
            self.errors.append(WrongValue(_show(path), str(malformed), str(malformed)))
        else:
            return value if kept == value and kept.__class__ is value.__class__ else kept
        return value

    def _wrong_type(self, named: str, value: Any, of: Type, owner: Definition, path: _Path) -> None:
        field = f"{owner.kind}.{_go_path(path)}"
        message = f"json: cannot unmarshal {named} into Go struct field {field} of type {of.go_name}"
        self.errors.append(WrongValue(_show(path), message, _conversion(value, of)))


def _conversion(value: Any, of: Type) -> str:
    match of.form:
        case "object":
            return f"cannot restore struct from: {go_kind(value)}"
        case "list":
            return f"cannot restore slice from {go_kind(value)}"
        case "map":
            return f"cannot restore map from {go_kind(value)}"
        case _:
            return f"cannot convert {go_kind(value)} to {of.go_name}"


def _edited(value: Obj, edits: dict[str, Any]) -> Obj:
    merged = ((key, edits.get(key, item)) for key, item in value.items())
    return {key: item for key, item in merged if item is not _ABSENT}


def _same(kept: Any, value: Any) -> bool:
    return kept is value


def _parts(path: _Path) -> list[tuple[str, bool]]:
    parts: list[tuple[str, bool]] = []
    while path is not None:
        path, text, is_field = path
        parts.append((text, is_field))
    return parts[::-1]


def _show(path: _Path) -> str:
    return "".join(text for text, _ in _parts(path)).removeprefix(".")


def _go_path(path: _Path) -> str:
    return "".join(text for text, is_field in _parts(path) if is_field).removeprefix(".")


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
