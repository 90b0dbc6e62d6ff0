"""Small rules that the fields of a pod spec share: choices, paths, file modes, ports, user ids."""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.errors import FieldError, invalid_value, not_supported, required
from kubelite.objects.meta import Obj
from kubelite.registry.validation import between, port_name, port_number, values

Errors = list[FieldError]
FILE_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
MAX_INT32 = 2**31 - 1


def one_of(path: str, value: str | None, choices: Sequence[str]) -> Errors:
    return within(path, value, choices) if value else [required(path)]


def within(path: str, value: str | None, choices: Sequence[str]) -> Errors:
    return [] if value is None or value in choices else [not_supported(path, value, choices)]


def required_fields(path: str, obj: Obj, names: Sequence[str]) -> Errors:
    return [required(f"{path}.{name}") for name in names if obj.get(name) in (None, "", [], {})]


def no_backsteps(path: str, value: str) -> Errors:
    return [invalid_value(path, value, "must not contain '..'")] if ".." in value.split("/") else []


def descending_path(path: str, value: str) -> Errors:
    errors = [invalid_value(path, value, "must be a relative path")] if value.startswith("/") else []
    return errors + no_backsteps(path, value)


def file_path(path: str, value: str) -> Errors:
    """A file in a volume: relative, and no name that the volume's own `..data` links need."""
    errors = descending_path(path, value)
    if value.startswith("..") and not value.startswith("../"):
        errors.append(invalid_value(path, value, "must not start with '..'"))
    return errors


def file_mode(path: str, value: int | None) -> Errors:
    return [] if value is None or 0 <= value <= 0o777 else [invalid_value(path, value, FILE_MODE)]


def port(path: str, value: int | str) -> Errors:
    """A port by number or by name."""
    return values(path, value, port_number(value) if isinstance(value, int) else port_name(value))


def user_id(path: str, value: int | None) -> Errors:
    return [] if value is None or 0 <= value <= MAX_INT32 else [invalid_value(path, value, between(0, MAX_INT32))]
