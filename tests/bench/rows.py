"""One line of the benchmark's answer."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """`goal` is what the figure should not exceed (None: no goal, just a figure)."""

    name: str
    value: float
    unit: str
    note: str = ""
    goal: float | None = None

    def __str__(self) -> str:
        verdict = (
            "" if self.goal is None else f"  goal <= {self.goal:g}: {'met' if self.value <= self.goal else 'MISSED'}"
        )
        note = f"  ({self.note})" if self.note else ""
        return f"{self.name:<52} {self.value:>9.3f} {self.unit:<6}{verdict}{note}"
