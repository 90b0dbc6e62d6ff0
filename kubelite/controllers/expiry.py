"""Events live for an hour, as the API server's default has it."""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, own
from kubelite.objects import meta

TTL = 3600.0


class EventExpiry(Controller):
    """Deletes events an hour after they last changed."""

    name = "event-expiry"

    def watches(self) -> Mapping[str, Mapper]:
        return {"events": own}

    def reconcile(self, key: Key) -> float | None:
        event = self.client.find("events", *key)
        if event is None:
            return None
        metadata = event["metadata"]
        last = event.get("lastTimestamp") or event.get("eventTime") or metadata["creationTimestamp"]
        left = TTL - (self.now() - meta.parse_time(last)).total_seconds()
        if left > 0:
            return left
        self.client.delete("events", *key)
        return None
