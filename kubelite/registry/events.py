"""The event recorder: writes core/v1 Events, counting up repeated ones (client-go's `tools/record`)."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client

log = logging.getLogger(__name__)

REMEMBERED = 4096

_Key = tuple[str, str, str, str, str, str]


class EventRecorder:
    """One component's recorder; `host` is the node for the kubelet."""

    def __init__(
        self,
        client: Client,
        component: str,
        host: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._component = component
        self._host = host
        self._now = now
        self._seen: OrderedDict[_Key, tuple[str, str]] = OrderedDict()

    def event(
        self, about: Obj, type: Literal["Normal", "Warning"], reason: str, message: str, field_path: str = ""
    ) -> None:
        """Record; a failure is logged, never raised: an event is a courtesy."""
        key = (meta.uid(about) or meta.name(about), about["kind"], field_path, type, reason, message)
        try:
            if not self._count_up(key):
                self._create(key, about, type, reason, message, field_path)
        except StatusError as error:
            log.debug("event %s on %s not recorded: %s", reason, meta.name(about), error)

    def _count_up(self, key: _Key) -> bool:
        where = self._seen.get(key)
        old = self._client.find("events", *where) if where else None
        if old is None:
            return False
        self._seen.move_to_end(key)
        new = meta.copy(old)
        new["count"] = old.get("count", 1) + 1
        new["lastTimestamp"] = meta.format_time(self._now())
        self._client.update("events", new)
        return True

    def _create(self, key: _Key, about: Obj, type: str, reason: str, message: str, field_path: str) -> None:
        now = self._now()
        namespace = meta.namespace(about) or "default"
        involved = meta.reference(about) | ({"fieldPath": field_path} if field_path else {})
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        created = self._client.create(
            "events",
            {
                "metadata": {"name": f"{meta.name(about)}.{int(now.timestamp() * 1e9):x}", "namespace": namespace},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "source": source,
                "firstTimestamp": meta.format_time(now),
                "lastTimestamp": meta.format_time(now),
                "count": 1,
                "type": type,
                "eventTime": None,
                "reportingComponent": self._component,
                "reportingInstance": self._host,
            },
        )
        self._seen[key] = (namespace, meta.name(created))
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
