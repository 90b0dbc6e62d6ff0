"""Schedules: what is refused and how, and the moments that follow."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kubelite.registry.kinds.cronjob_schedule import parse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("L * * * *", 'failed to parse int from L: strconv.Atoi: parsing "L": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every 1x", 'failed to parse duration @every 1x: time: invalid duration "1x"'),
        ("TZ=Nowhere/Land * * * * *", "provided bad location Nowhere/Land: unknown time zone Nowhere/Land"),
    ],
)
def test_a_wrong_schedule_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "after", "following"),
    [
        ("* * * * *", "2026-01-02T03:04:05", "2026-01-02T03:05:00"),
        ("*/15 * * * *", "2026-01-02T03:04:05", "2026-01-02T03:15:00"),
        ("5/20 * * * *", "2026-01-02T03:26:00", "2026-01-02T03:45:00"),
        ("5-5/20 * * * *", "2026-01-02T03:06:00", "2026-01-02T04:05:00"),
        ("0 6,18 * * *", "2026-01-02T06:00:00", "2026-01-02T18:00:00"),
        ("0 0 * jan,MAR *", "2026-01-31T00:00:00", "2026-03-01T00:00:00"),
        ("0 0 * * mon-Fri", "2026-01-02T00:00:00", "2026-01-05T00:00:00"),
        ("0 0 13 * 5", "2026-01-02T00:00:00", "2026-01-09T00:00:00"),
        ("0 0 13 * *", "2026-01-02T00:00:00", "2026-01-13T00:00:00"),
        ("0 0 ? * 0", "2026-01-02T00:00:00", "2026-01-04T00:00:00"),
        ("0 0 */10 * 0", "2026-01-02T00:00:00", "2026-01-04T00:00:00"),
        ("0 0 29 2 *", "2026-01-02T00:00:00", "2028-02-29T00:00:00"),
        ("@hourly", "2026-01-02T03:04:05", "2026-01-02T04:00:00"),
        ("@weekly", "2026-01-02T03:04:05", "2026-01-04T00:00:00"),
        ("@every 1h30m", "2026-01-02T03:04:05", "2026-01-02T04:34:05"),
        ("@every 10ms", "2026-01-02T03:04:05", "2026-01-02T03:04:06"),
    ],
)
def test_the_next_moment(text: str, after: str, following: str) -> None:
    found = parse(text).next(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(following).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "59 23 31 4,6 *"])
def test_a_day_that_never_comes_has_no_next_moment(text: str) -> None:
    assert parse(text).next(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("text", "after", "following"),
    [
        ("30 8 * * *", "2026-01-02T00:00:00", "2026-01-02T07:30:00"),  # winter, an hour ahead of UTC
        ("30 8 * * *", "2026-07-02T00:00:00", "2026-07-02T06:30:00"),
        ("30 2 * * *", "2026-03-29T00:00:00", "2026-03-30T00:30:00"),  # the clock skips that half hour
        ("30 2 * * *", "2026-10-25T00:30:00", "2026-10-25T01:30:00"),  # and passes this one twice
    ],
)
def test_moments_follow_the_clock_of_the_time_zone(text: str, after: str, following: str) -> None:
    found = parse(text, "Europe/Berlin").next(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_the_schedule_itself_may_name_its_zone() -> None:
    found = parse("CRON_TZ=Asia/Tokyo 0 9 * * *").next(datetime(2026, 1, 2, tzinfo=UTC))
    assert found == datetime(2026, 1, 3, tzinfo=UTC)
