"""Events go an hour after they were last written."""

from __future__ import annotations

import pytest

from kubelite.controllers.expiry import EventExpiry
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock, Controllers, Recorded


def event(**fields: object) -> Obj:
    return {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"namespace": "default"}, **fields}


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 3600),
        ({"lastTimestamp": "2017-09-19T13:49:16Z"}, 3600),
        ({"lastTimestamp": "2026-01-02T03:14:05Z"}, 4200),
        ({"series": {"count": 2, "lastObservedTime": "2026-01-02T03:14:05.000000Z"}}, 4200),
    ],
)
def test_an_hour_after_the_last_write(
    registry: Registry, recorded: Recorded, clock: Clock, fields: Obj, seconds: float
) -> None:
    expiry = EventExpiry(registry, recorded, clock)
    registry.create("events", event(**fields))
    assert expiry.reconcile(("default", "e")) == seconds
    clock.advance(seconds)
    expiry.reconcile(("default", "e"))
    assert registry.find("events", "default", "e") is None


def test_what_happened_long_ago_is_kept(registry: Registry, recorded: Recorded, clock: Clock) -> None:
    told = event(
        eventTime="2017-09-19T13:49:16.000000Z",
        action="Do",
        reason="Test",
        reportingComponent="test-controller",
        reportingInstance="n",
    )
    registry.create("events", told)
    Controllers(registry, EventExpiry(registry, recorded, clock)).settle()
    assert meta.name(registry.get("events", "default", "e")) == "e"
