"""The tokens that a pod's volumes show, each kept until it is time for a new one. Held by the pod's disk.

Follows upstream's `kubelet/token`: a token is renewed when a fifth of its life is left, and at the latest after a day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from kubelite.node.volume_payload import TokenSource
from kubelite.objects.meta import Obj

MAX_AGE = 24 * 3600.0
_EARLY = timedelta(seconds=10)  # upstream's jitter: who is called on time finds the token due


def renewal(seconds: int) -> float:
    """The age at which a token of so many seconds is renewed."""
    return min(seconds * 0.8, MAX_AGE)


class PodTokens:
    """One pod's; `issue` makes new ones."""

    def __init__(self, issue: TokenSource, now: Callable[[], datetime]) -> None:
        self._issue = issue
        self._now = now
        self._issued: dict[tuple[str, int], tuple[str, datetime]] = {}

    def token(self, pod: Obj, audience: str, seconds: int) -> str:
        now = self._now()
        text, issued = self._issued.get((audience, seconds), ("", now))
        if not text or now - issued >= timedelta(seconds=renewal(seconds)) - _EARLY:
            text = self._issue(pod, audience, seconds)
            self._issued[audience, seconds] = (text, now)
        return text
