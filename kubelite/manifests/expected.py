"""A value of the wrong type in words: what the field holds, what was found, and how it is probably meant."""

from __future__ import annotations

import json
import re
from typing import Any

from kubelite.manifests.document import Document, Path
from kubelite.manifests.fields import type_at
from kubelite.schema.model import Definition, Type
from kubelite.schema.strict import WrongValue

_HOLDS = {
    "string": "text",
    "boolean": "true or false",
    "int32": "a whole number",
    "int64": "a whole number",
    "number": "a number",
    "bytes": "base64 text",
    "time": "a time such as 2026-01-31T12:00:00Z",
    "micro-time": "a time such as 2026-01-31T12:00:00.000000Z",
    "quantity": "a quantity such as 100Mi, 1.5Gi or 500m",
    "int-or-string": "a whole number or text",
    "object": "a mapping (field: value)",
    "map": "a mapping (key: value)",
    "list": "a list",
}
_QUANTITY = re.compile(r"\s*([0-9.]+)\s*([kKmMgGtTpPeE])(i?)([bB]?)\s*")


def wrong_value(document: Document, definition: Definition, wrong: WrongValue) -> tuple[str, str]:
    """(message, hint)."""
    path = document.nearest(wrong.path).path
    wanted = type_at(definition, path)
    value = _value_at(document.value, path)
    if wanted is None:
        return wrong.message, ""
    return f"must be {_HOLDS.get(wanted.form, wanted.go_name)}, but is {_told(value)}", _hint(wanted, value)


def _value_at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _told(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the text {json.dumps(value, ensure_ascii=False)}" if len(value) < 60 else "a long text"
        case None:
            return "empty"
        case _:
            return json.dumps(value)


def _hint(wanted: Type, value: Any) -> str:
    match wanted.form, value:
        case "list", dict():
            return 'begin each entry with "- "'
        case "list", str() | int() | float():
            return f"did you mean [{json.dumps(value, ensure_ascii=False)}]?"
        case (("object" | "map"), [dict()]):
            return 'leave out the "- "'
        case (("int32" | "int64" | "number"), str()) if value.strip().lstrip("-").isdecimal():
            return f"leave out the quotes: {value.strip()}"
        case "boolean", str() if value.lower() in _BOOLEANS:
            return f"did you mean {_BOOLEANS[value.lower()]}?"
        case "string", bool() | int() | float():
            return f'put it in quotes: "{json.dumps(value)}"'
        case "quantity", str():
            return _quantity(value)
        case _:
            return ""


_BOOLEANS = {"true": "true", "yes": "true", "on": "true", "1": "true"} | dict.fromkeys(
    ("false", "no", "off", "0"), "false"
)


def _quantity(text: str) -> str:
    """Units people know from elsewhere: MB, GB, gi, a blank in between."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        return ""
    amount, unit, binary, byte = found.groups()
    large = unit.upper() if unit != "k" or binary else unit
    decimal = "k" if large == "K" else large
    if binary:
        return f'did you mean "{amount}{large}i"?'
    return (
        f'did you mean "{amount}{large.upper()}i" or "{amount}{decimal}"?'
        if byte
        else f'did you mean "{amount}{unit}"?'
    )
