"""Events live for an hour after they were last written, as the API server's default has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta
from kubelite.objects.meta import Obj

TTL = 3600.0


def last_written(event: Obj) -> datetime:
    """When it was created or counted up, whichever came last: it may tell of what was long ago."""
    counted = event.get("lastTimestamp"), (event.get("series") or {}).get("lastObservedTime")
    times = [event["metadata"]["creationTimestamp"], *(moment for moment in counted if moment)]
    return max(meta.parse_time(moment) for moment in times)


class EventExpiry(Controller):
    """Deletes events an hour after they last changed."""

    name = "event-expiry"

    def watches(self) -> Mapping[str, Mapper]:
        return {"events": own}

    def reconcile(self, key: Key) -> float | None:
        event = self.client.find("events", *key)
        if event is None:
            return None
        left = TTL - (self.now() - last_written(event)).total_seconds()
        if left > 0:
            return left
        self.client.delete("events", *key)
        return None
