"""One line of the benchmark's answer, and how a figure is taken: the same work on both sides in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


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


def timed(action: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def spread(values: Sequence[float]) -> str:
    return f"min {min(values):.2f}, max {max(values):.2f}, {len(values)} runs"


def ratio(name: str, ours: Sequence[float], bare: Sequence[float], goal: float | None) -> Row:
    """The median of the pairs' ratios."""
    value = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    note = f"median {statistics.median(ours):.2f} s against {statistics.median(bare):.2f} s, {len(ours)} pairs"
    return Row(name, value, "x", note, goal)
