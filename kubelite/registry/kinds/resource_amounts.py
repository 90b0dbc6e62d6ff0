"""Amounts of resources that are added up and compared, and that are written the way they came (`1Gi` or `1G`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import reduce

from kubelite.objects import quantity as quantities
from kubelite.schema.scalars import canonical_quantity


@dataclass(frozen=True, slots=True)
class Amount:
    """A number, and whether it is written with binary suffixes."""

    number: Decimal = Decimal(0)
    binary: bool = False

    @classmethod
    def of(cls, value: str | int | float) -> Amount:
        return cls(quantities.parse(value), str(value).endswith("i"))

    def __add__(self, other: Amount) -> Amount:
        """Nothing takes the other's notation."""
        return Amount(self.number + other.number, self.binary if self.number else other.binary)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.number - other.number, self.binary)

    def rounded_up(self) -> Amount:
        return Amount(self.number.to_integral_value(ROUND_CEILING), self.binary)

    def __lt__(self, other: Amount) -> bool:
        return self.number < other.number

    def __bool__(self) -> bool:
        return bool(self.number)

    def __str__(self) -> str:
        if self.binary and abs(self.number) >= 1024:
            return canonical_quantity(f"{self.number / 1024:f}Ki")
        return canonical_quantity(f"{self.number:f}")


ONE = Amount(Decimal(1))


def total(amounts: Iterable[Amount]) -> Amount:
    return reduce(Amount.__add__, amounts, Amount())
