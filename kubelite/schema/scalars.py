"""How upstream's typed decoder reads single values: what it accepts, its canonical form, its complaint.

Each reader takes a JSON value that isn't null and returns the form in which upstream would write it back. It raises
`WrongType` for a value of another JSON type and ValueError, with upstream's text, for a malformed one.
Called by `strict`; after Go's encoding/json and apimachinery's Time, MicroTime, IntOrString and Quantity.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from functools import lru_cache
from typing import Any

import msgspec

from kubelite.objects import quantity
from kubelite.objects.meta import format_micro_time, format_time


class WrongType(Exception):
    """The value is of a JSON type that the field can't hold; the text names the value as Go's decoder does."""


_WORDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_GO_KINDS = {str: "string", bool: "bool", int: "int64", float: "float64", list: "slice", dict: "map"}
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)
_RFC3339 = "2006-01-02T15:04:05Z07:00"
_RFC3339_MICRO = "2006-01-02T15:04:05.000000Z07:00"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def word(value: Any) -> str:
    """The JSON type as Go's decoder calls it."""
    return _WORDS[type(value)]


def go_kind(value: Any) -> str:
    """The Go type that holds the value in an untyped object."""
    return _GO_KINDS[type(value)]


def read_string(value: Any) -> str:
    if value.__class__ is not str:
        raise WrongType(word(value))
    return str(value)


def read_boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise WrongType(word(value))
    return bool(value)


def _read_integer(value: Any, limits: range) -> int:
    if value.__class__ is float:
        raise WrongType(f"number {msgspec.json.encode(value).decode()}")
    if value.__class__ is not int:
        raise WrongType(word(value))
    if value not in limits:
        raise WrongType(f"number {value}")
    return int(value)


def read_int32(value: Any) -> int:
    return _read_integer(value, _INT32)


def read_int64(value: Any) -> int:
    return _read_integer(value, _INT64)


def read_number(value: Any) -> int | float:
    if value.__class__ is int or value.__class__ is float:
        number: int | float = value
        return number
    raise WrongType(word(value))


def read_int_or_string(value: Any) -> int | str:
    return value if value.__class__ is str else read_int32(value)


def read_bytes(value: Any) -> str:
    text = re.sub(r"[\r\n]", "", read_string(value))
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        stray = re.search(r"[^A-Za-z0-9+/]", text)
        raise ValueError(f"illegal base64 data at input byte {stray.start() if stray else len(text)}") from None


def read_time(value: Any) -> str:
    return format_time(_moment(read_string(value), _RFC3339))


def read_micro_time(value: Any) -> str:
    return format_micro_time(_moment(read_string(value), _RFC3339_MICRO))


def _moment(text: str, layout: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise ValueError(f'parsing time "{text}": value out of range') from None
    raise ValueError(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"')


def read_quantity(value: Any) -> str:
    """Upstream reads a quantity from any JSON value's text and always writes it canonically."""
    text = value.strip() if value.__class__ is str else msgspec.json.encode(value).decode()
    return canonical_quantity(text)


@lru_cache(maxsize=1024)
def canonical_quantity(text: str) -> str:
    """The shortest form in the same notation: `0.5` is `500m`, `1024Mi` is `1Gi`, `1000` is `1k`."""
    number = quantity.parse(text)
    if number == 0:
        return "0"
    if text.endswith("i") and abs(number) >= 1024:
        return _binary(number)
    return _decimal(number, exponent=text[-1].isdigit() and "e" in text.lower())


def _binary(number: Decimal) -> str:
    whole, power = int(number.to_integral_value(ROUND_UP)), 0
    while whole % 1024 == 0 and power < 6:
        whole, power = whole // 1024, power + 1
    return f"{whole}{('', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei')[power]}"


def _decimal(number: Decimal, exponent: bool) -> str:
    nano = int((number * 10**9).to_integral_value(ROUND_UP))
    power = -9
    while nano % 1000 == 0 and power < 18:
        nano, power = nano // 1000, power + 3
    if exponent:
        return f"{nano}e{power}" if power else str(nano)
    return f"{nano}{dict(zip(range(-9, 19, 3), ('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'), strict=True))[power]}"


READERS: dict[str, Callable[[Any], Any]] = {
    "string": read_string,
    "boolean": read_boolean,
    "int32": read_int32,
    "int64": read_int64,
    "number": read_number,
    "bytes": read_bytes,
    "time": read_time,
    "micro-time": read_micro_time,
    "quantity": read_quantity,
    "int-or-string": read_int_or_string,
}
ZEROS: dict[str, Any] = {"string": "", "boolean": False, "int32": 0, "int64": 0, "number": 0, "bytes": ""}
