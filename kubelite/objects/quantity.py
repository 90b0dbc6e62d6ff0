"""Resource quantities (`100Mi`, `250m`, `1e3`), after apimachinery's `pkg/api/resource`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

PATTERN_MESSAGE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")


def parse(value: str | int | float) -> Decimal:
    """The quantity as a number; ValueError with upstream's message when it isn't one."""
    found = _QUANTITY.fullmatch(str(value).strip() if not isinstance(value, str) else value)
    if found is None:
        raise ValueError(PATTERN_MESSAGE)
    number, exponent, suffix = found.groups()
    if exponent:
        return Decimal(number + exponent)
    return Decimal(number) * _SUFFIXES[suffix or ""]


def to_bytes(value: str | int | float) -> int:
    """Whole bytes, rounded up as upstream's Value() does."""
    return int(parse(value).to_integral_value(ROUND_CEILING))


def to_milli(value: str | int | float) -> int:
    """Thousandths, rounded up as upstream's MilliValue() does."""
    return int((parse(value) * 1000).to_integral_value(ROUND_CEILING))
