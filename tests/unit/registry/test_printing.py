from datetime import UTC, datetime, timedelta

import pytest

from kubelite.registry.printing import age, first_three, format_labels, human_duration, translate_timestamp

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-2, "<invalid>"),
        (-1.9, "0s"),
        (0, "0s"),
        (1.9, "1s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (9 * MINUTE + 59, "9m59s"),
        (10 * MINUTE + 5, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 10 * MINUTE, "3h10m"),
        (8 * HOUR + 30 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (48 * HOUR, "2d"),
        (2 * DAY + 4 * HOUR, "2d4h"),
        (7 * DAY + 23 * HOUR, "7d23h"),
        (8 * DAY + 4 * HOUR, "8d"),
        (400 * DAY, "400d"),
        (2 * 365 * DAY - 1, "729d"),
        (2 * 365 * DAY, "2y"),
        (2 * 365 * DAY + 35 * DAY, "2y35d"),
        (8 * 365 * DAY + 35 * DAY, "8y"),
    ],
)
def test_human_duration_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == shown


def test_timestamp_is_unknown_without_a_time() -> None:
    assert translate_timestamp(None, NOW) == "<unknown>"
    assert age({"metadata": {}}, NOW) == "<unknown>"


def test_timestamp_takes_whole_seconds_and_microseconds() -> None:
    assert translate_timestamp("2026-11-23T11:59:00Z", NOW) == "60s"
    assert translate_timestamp("2026-11-23T11:59:50.250000Z", NOW) == "9s"
    assert translate_timestamp("2026-11-23T12:00:30Z", NOW) == "<invalid>"


def test_labels_are_sorted_and_none_when_empty() -> None:
    assert format_labels({"b": "2", "a": "1"}) == "a=1,b=2"
    assert format_labels({}) == format_labels(None) == "<none>"


def test_long_list_shows_three_and_counts_the_rest() -> None:
    assert first_three(["a", "b", "c"]) == "a,b,c"
    assert first_three(["a", "b", "c", "d", "e"]) == "a,b,c + 2 more..."
