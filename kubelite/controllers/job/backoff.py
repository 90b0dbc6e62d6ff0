"""How long a Job waits before it replaces failed pods: 10 s, doubled by every further failure, 10 min at most.

Pure; after upstream's `backoff_utils`. The record lives in the controller's memory, as upstream's does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kubelite.controllers.job.members import all_failures_of_index, finished_at
from kubelite.objects.meta import Obj

FIRST = 10.0
LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures since the last success."""

    failures: int = 0
    last: datetime | None = None

    def after(self, succeeded: Iterable[Obj], failed: Iterable[Obj]) -> Backoff:
        """The record once these pods' ends are known, too."""
        successes, failures = sorted(map(finished_at, succeeded)), sorted(map(finished_at, failed))
        if successes:
            later = [moment for moment in failures if moment > successes[-1]]
            return Backoff(len(later), later[-1] if later else None)
        return Backoff(self.failures + len(failures), failures[-1]) if failures else self

    def remaining(self, now: datetime) -> float:
        if not self.failures or self.last is None:
            return 0.0
        wait = min(FIRST * 2.0 ** min(self.failures - 1, 16), LONGEST)
        elapsed = (now - self.last).total_seconds()
        return 0.0 if wait < elapsed else wait - elapsed


def remaining_of_index(failed: Obj | None, now: datetime) -> float:
    """`failed` is the index's last pod."""
    if failed is None:
        return 0.0
    return Backoff(all_failures_of_index(failed) + 1, finished_at(failed)).remaining(now)
