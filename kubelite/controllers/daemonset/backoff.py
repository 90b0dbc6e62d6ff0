"""How long a DaemonSet waits before it replaces a pod that failed again on the same node."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST = timedelta(seconds=1)
CAP = timedelta(minutes=15)

BackoffKey = tuple[str, str]  # uid and observed generation of the DaemonSet, node


class Backoff:
    """Doubles with every failure; forgotten after twice the cap without one."""

    def __init__(self) -> None:
        self._entries: dict[BackoffKey, tuple[datetime, timedelta]] = {}

    def failed(self, key: BackoffKey, now: datetime) -> None:
        _, delay = self._entries.get(key, (now, FIRST / 2))
        self._entries[key] = now, min(delay * 2, CAP)

    def remaining(self, ds: str, now: datetime) -> dict[str, float]:
        """Seconds still to wait for each node that has to."""
        self._entries = {key: entry for key, entry in self._entries.items() if now - entry[0] < 2 * CAP}
        waits = {
            node: (since + delay - now).total_seconds()
            for (owner, node), (since, delay) in self._entries.items()
            if owner == ds
        }
        return {node: seconds for node, seconds in waits.items() if seconds > 0}
