"""Numbers and percentages."""

import pytest

from kubelite.controllers import amounts


@pytest.mark.parametrize(
    ("value", "total", "round_up", "expected"),
    [
        (3, 10, True, 3),
        ("25%", 10, True, 3),
        ("25%", 10, False, 2),
        ("100%", 7, False, 7),
        ("0%", 7, True, 0),
        ("150%", 2, True, 3),
        (None, 8, True, 4),
    ],
)
def test_amount_of(value: int | str | None, total: int, round_up: bool, expected: int) -> None:
    assert amounts.of(value, total, round_up=round_up, default="50%") == expected
