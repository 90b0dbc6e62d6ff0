"""Columns and sizes, as commands print them."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows under each other as kubectl aligns them: three spaces between columns, none at the end of a line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def size(amount: int) -> str:
    """A number of bytes in the units of quantities: `0`, `512`, `1.5Ki`, `20Mi`."""
    value = float(amount)
    for unit in ("", "Ki", "Mi", "Gi"):
        if value < 1024:
            return f"{value:.1f}".removesuffix(".0") + unit if value < 10 else f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.1f}Ti"
