"""Quantities as numbers."""

from __future__ import annotations

import pytest

from kubelite.objects import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [("100Mi", 100 * 2**20), ("1.5", 2), ("1k", 1000), ("1e3", 1000), ("0", 0), ("100m", 1), (5, 5), ("-1.5", -1)],
)
def test_bytes_are_whole_and_rounded_up(text: str | int, number: int) -> None:
    assert quantity.to_bytes(text) == number


@pytest.mark.parametrize(("text", "number"), [("250m", 250), ("1", 1000), ("100100u", 101), ("0.5", 500)])
def test_milli_units_are_rounded_up(text: str, number: int) -> None:
    assert quantity.to_milli(text) == number


@pytest.mark.parametrize("text", ["", "1X", "Mi", "1.2.3", "1 Gi", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        quantity.parse(text)
