"""Schedules of CronJobs: five fields, descriptors such as `@daily`, and `@every <duration>`.

The grammar and its messages are those of upstream's parser (robfig/cron v3), which knows less than cron programs do;
finding the moments, with all that time zones do to clocks, is cronsim's. Used by the CronJob's rules and by its
controller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


class Schedule(Protocol):
    def next(self, after: datetime) -> datetime | None:
        """The first moment after `after`; None when there is none in the next five years."""
        ...


@dataclass(frozen=True, slots=True)
class _Field:
    low: int
    high: int
    names: Mapping[str, int]


def _named(names: str, first: int) -> dict[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


_MONTHS = _named("jan feb mar apr may jun jul aug sep oct nov dec", 1)
_DAYS = _named("sun mon tue wed thu fri sat", 0)
_FIELDS = (_Field(0, 59, {}), _Field(0, 23, {}), _Field(1, 31, {}), _Field(1, 12, _MONTHS), _Field(0, 6, _DAYS))
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_HORIZON_YEARS = 5
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S*)\s*(.*)")


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule of fields. With a field for the seconds cronsim follows the clock alone, as upstream does: a moment
    that daylight saving skips is left out, one that it repeats happens twice."""

    fields: str
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        try:
            found = next(CronSim(f"0 {self.fields}", after.astimezone(self.zone)), None)
        except CronSimError:  # a day that no month has
            return None
        if found is None or found.year > after.year + _HORIZON_YEARS:
            return None
        return found.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed distance from the last time."""

    delay: timedelta

    def next(self, after: datetime) -> datetime | None:
        return after.replace(microsecond=0) + self.delay


def parse(text: str, time_zone: str | None = None) -> Schedule:
    """ValueError with upstream's message when `text` isn't a schedule."""
    zone: tzinfo = UTC if time_zone is None else zone_of(time_zone)
    if not text:
        raise ValueError("empty spec string")
    if found := _ZONE.fullmatch(text):
        try:
            zone = zone_of(found[1])
        except ValueError as error:
            raise ValueError(f"provided bad location {found[1]}: {error}") from None
        text = found[2]
    if text.startswith("@"):
        return _descriptor(text, zone)
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(parts)}: [{' '.join(parts)}]")
    return Cron(" ".join(_field(part, bounds) for part, bounds in zip(parts, _FIELDS, strict=True)), zone)


def zone_of(name: str) -> tzinfo:
    """The time zone; ValueError with upstream's message when nobody knows it."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"unknown time zone {name}") from None


def _descriptor(text: str, zone: tzinfo) -> Schedule:
    if text in _DESCRIPTORS:
        return Cron(_DESCRIPTORS[text], zone)
    if text.startswith("@every "):
        duration = text.removeprefix("@every ")
        try:
            seconds = _seconds(duration)
        except ValueError as error:
            raise ValueError(f"failed to parse duration {text}: {error}") from None
        return Every(timedelta(seconds=max(math.floor(seconds), 1)))
    raise ValueError(f"unrecognized descriptor: {text}")


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)"


def _seconds(duration: str) -> float:
    sign, digits = (-1, duration[1:]) if duration.startswith("-") else (1, duration.removeprefix("+"))
    if digits != "0" and not re.fullmatch(f"({_NUMBER})+", digits):
        raise ValueError(f'time: invalid duration "{duration}"')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in re.findall(_NUMBER, digits))


def _field(text: str, bounds: _Field) -> str:
    """The field as a list of numbers; a star stays one, since it decides how the two fields of days go together."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, last, step, every = _range(part, bounds)
        if every and step == 1:
            return "*"
        numbers.update(range(first, last + 1, step))
    if not numbers:
        raise ValueError(f"failed to parse int from {text}: empty field")
    return ",".join(map(str, sorted(numbers)))


def _range(text: str, bounds: _Field) -> tuple[int, int, int, bool]:
    """First, last, step, and whether it is a star."""
    limits, *steps = text.split("/")
    low, *high = limits.split("-")
    every = low in ("*", "?")
    first, last = bounds.low, bounds.high
    if not every:
        first = last = _number(low, bounds.names)
        if len(high) > 1:
            raise ValueError(f"too many hyphens: {text}")
        if high:
            last = _number(high[0], bounds.names)
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not high:
        last = bounds.high
    _check(text, first, last, step, bounds)
    return first, last, step, every


def _check(text: str, first: int, last: int, step: int, bounds: _Field) -> None:
    if first < bounds.low:
        raise ValueError(f"beginning of range ({first}) below minimum ({bounds.low}): {text}")
    if last > bounds.high:
        raise ValueError(f"end of range ({last}) above maximum ({bounds.high}): {text}")
    if first > last:
        raise ValueError(f"beginning of range ({first}) beyond end of range ({last}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")


def _number(text: str, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch("[+-]?[0-9]+", text):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise ValueError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
