"""How Table cells show durations, ages and lists; after apimachinery's `duration` and upstream's printers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from kubelite.objects.meta import Obj, parse_time

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


def human_duration(duration: timedelta) -> str:
    """Two or three significant figures: `45s`, `2m5s`, `3h10m`, `2d4h`, `400d`, `2y35d`."""
    seconds = int(duration.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    return _human_days(hours)


def _human_days(hours: int) -> str:
    days, years = hours // 24, hours // 24 // 365
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if years < 2:
        return f"{days}d"
    if years < 8:
        return _pair(years, "y", days % 365, "d")
    return f"{years}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def translate_timestamp(text: str | None, now: datetime) -> str:
    """How long ago a time of an object was."""
    return human_duration(now - parse_time(text)) if text else UNKNOWN


def age(obj: Obj, now: datetime) -> str:
    return translate_timestamp(obj["metadata"].get("creationTimestamp"), now)


def format_labels(labels: Mapping[str, str] | None) -> str:
    """A selector as wide columns show it."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def first_three(shown: Sequence[str]) -> str:
    """A list that may be long: three of it and how many more there are."""
    listed = ",".join(shown[:3])
    return f"{listed} + {len(shown) - 3} more..." if len(shown) > 3 else listed
