"""Which events are one, and which are too many: counting, combining and filtering before anything is written.

After client-go's `tools/record` (`events_cache.go`) with its defaults: the same event again is counted, events of one
reason that differ in ten messages within ten minutes become one, and a source may say 25 things about an object at
once and then one every five minutes. Used by the event recorder.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

REMEMBERED = 4096  # sources, reasons and events each

MOST_SIMILAR = 10
SIMILAR_WITHIN = timedelta(minutes=10)
BURST = 25
REFILL = timedelta(minutes=5)  # until one more is let through


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of an object, and by whom (`source`: everything that tells one speaker and object from others)."""

    source: Hashable
    field_path: str
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """An event as it is to be written: under the name it was first given, so many times since then."""

    said: Said
    name: str
    first: datetime
    count: int
    wanted: bool  # False: its source has said enough


_V = TypeVar("_V")


class Recent(OrderedDict[Hashable, _V]):
    """A bounded dict of what was written last."""

    def remember(self, key: Hashable, value: _V) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > REMEMBERED:
            self.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Tokens of a source as they were at a moment."""

    tokens: float
    at: datetime

    def filled(self, now: datetime) -> _Bucket:
        return _Bucket(min(BURST, self.tokens + (now - self.at) / REFILL), now)


@dataclass(slots=True)
class _Similar:
    """Messages of one reason, and when the last of them came."""

    last: datetime
    messages: dict[str, None] = field(default_factory=dict)


class Correlator:
    """The memory of one recorder."""

    def __init__(self) -> None:
        self._similar: Recent[_Similar] = Recent()
        self._seen: Recent[Observed] = Recent()
        self._buckets: Recent[_Bucket] = Recent()

    def observe(self, said: Said, name: str, now: datetime) -> Observed:
        """`name` is the event's, should it be the first of its kind."""
        key: Hashable = said
        if self._are_many(said, now):
            key = (said.source, said.type, said.reason)
            said = replace(said, message=f"(combined from similar events): {said.message}")
        before = self._seen.get(key)
        first = Observed(said, name, now, 1, True)
        seen = first if before is None else replace(before, said=said, count=before.count + 1)
        self._seen.remember(key, seen)
        return replace(seen, wanted=self._may_speak(said.source, now))

    def _are_many(self, said: Said, now: datetime) -> bool:
        """Whether this is one message too many of its reason."""
        group = (said.source, said.type, said.reason)
        similar = self._similar.get(group)
        if similar is None or now - similar.last > SIMILAR_WITHIN:
            similar = _Similar(now)
        similar.last = now
        similar.messages[said.message] = None
        self._similar.remember(group, similar)
        if len(similar.messages) < MOST_SIMILAR:
            return False
        del similar.messages[next(iter(similar.messages))]
        return True

    def _may_speak(self, source: Hashable, now: datetime) -> bool:
        bucket = self._buckets.get(source, _Bucket(BURST, now)).filled(now)
        allowed = bucket.tokens >= 1
        self._buckets.remember(source, replace(bucket, tokens=bucket.tokens - 1) if allowed else bucket)
        return allowed
