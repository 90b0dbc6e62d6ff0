"""The event recorder: writes core/v1 Events as client-go's `tools/record` does, from what the correlation leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client
from kubelite.registry.event_correlation import Correlator, Observed, Said
from kubelite.registry.webhook_review import reviewed

log = logging.getLogger(__name__)


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
        self._correlator = Correlator()

    def event(
        self, about: Obj, type: Literal["Normal", "Warning"], reason: str, message: str, field_path: str = ""
    ) -> None:
        """Record; a failure is logged, never raised: an event is a courtesy."""
        now, name = self._now(), meta.name(about)
        source = (about["kind"], about.get("apiVersion"), meta.namespace(about), name, meta.uid(about))
        said = Said(source, field_path, type, reason, message)
        observed = self._correlator.observe(said, f"{name}.{int(now.timestamp() * 1e9):x}", now)
        if not observed.wanted:
            return
        try:
            with reviewed(None):
                self._record(about, observed, now)
        except StatusError as error:
            log.debug("event %s on %s not recorded: %s", reason, name, error)

    def _record(self, about: Obj, observed: Observed, now: datetime) -> None:
        if observed.count == 1 or not self._count_up(about, observed, now):
            self._create(about, observed, now)

    def _count_up(self, about: Obj, observed: Observed, now: datetime) -> bool:
        old = self._client.find("events", meta.namespace(about) or "default", observed.name)
        if old is None:
            return False
        counted = {"count": observed.count, "lastTimestamp": meta.format_time(now), "message": observed.said.message}
        self._client.update("events", {**meta.copy(old), **counted})
        return True

    def _create(self, about: Obj, observed: Observed, now: datetime) -> None:
        said = observed.said
        involved = meta.reference(about) | ({"fieldPath": said.field_path} if said.field_path else {})
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        self._client.create(
            "events",
            {
                "metadata": {"name": observed.name, "namespace": meta.namespace(about) or "default"},
                "involvedObject": involved,
                "reason": said.reason,
                "message": said.message,
                "source": source,
                "firstTimestamp": meta.format_time(observed.first),
                "lastTimestamp": meta.format_time(now),
                "count": observed.count,
                "type": said.type,
                "eventTime": None,
                "reportingComponent": self._component,
                "reportingInstance": self._host,
            },
        )
