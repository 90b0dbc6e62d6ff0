"""Columns and sizes."""

from __future__ import annotations

import pytest

from kubelite.cli.text import columns, size


def test_columns_are_aligned_without_blanks_at_the_end() -> None:
    assert columns([["NAME", "AGE"], ["statefulset-test-0", "5s"], ["b", ""]]) == (
        "NAME                 AGE\nstatefulset-test-0   5s\nb"
    )


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, "0"), (512, "512"), (1024, "1Ki"), (1536, "1.5Ki"), (20 << 20, "20Mi"), (3 << 40, "3.0Ti")],
)
def test_size_is_short(amount: int, expected: str) -> None:
    assert size(amount) == expected
