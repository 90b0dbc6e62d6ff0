"""Events as they are recorded: counted, combined and filtered like client-go's."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.events import EventRecorder
from kubelite.registry.registry import Registry
from tests.unit.conftest import Clock


@pytest.fixture
def about(registry: Registry) -> Obj:
    return registry.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})


@pytest.fixture
def recorder(registry: Registry, clock: Clock) -> EventRecorder:
    return EventRecorder(registry, "controller", now=clock)


def told(registry: Registry) -> list[tuple[str, int]]:
    """(message, count), the first written first."""
    events = sorted(registry.list("events"), key=lambda event: event["metadata"]["name"])
    return [(event["message"], event["count"]) for event in events]


def test_the_same_again_is_counted(registry: Registry, recorder: EventRecorder, about: Obj, clock: Clock) -> None:
    recorder.event(about, "Normal", "Made", "made")
    clock.advance(60)
    recorder.event(about, "Normal", "Made", "made")
    (event,) = registry.list("events")
    assert (event["count"], event["firstTimestamp"], event["lastTimestamp"]) == (
        *(2, "2026-01-02T03:04:05Z"),
        "2026-01-02T03:05:05Z",
    )
    assert event["source"] == {"component": "controller"}
    assert event["reportingComponent"] == "controller"


@pytest.mark.parametrize(
    "other",
    [
        ("Warning", "Made", "made", ""),
        ("Normal", "Changed", "made", ""),
        ("Normal", "Made", "made", "spec.containers{web}"),
        ("Normal", "Made", "made again", ""),
    ],
)
def test_what_differs_is_another_event(
    registry: Registry, recorder: EventRecorder, about: Obj, clock: Clock, other: tuple[str, str, str, str]
) -> None:
    recorder.event(about, "Normal", "Made", "made")
    clock.advance(1)
    recorder.event(about, *other)  # type: ignore[arg-type]
    assert len(registry.list("events")) == 2


def test_ten_messages_of_one_reason_are_combined(
    registry: Registry, recorder: EventRecorder, about: Obj, clock: Clock
) -> None:
    for number in range(12):
        recorder.event(about, "Normal", "Made", f"made {number}")
        clock.advance(1)
    *plain, combined = told(registry)
    assert plain == [(f"made {number}", 1) for number in range(9)]
    assert combined == ("(combined from similar events): made 11", 3)


def test_after_ten_quiet_minutes_messages_are_told_apart_again(
    registry: Registry, recorder: EventRecorder, about: Obj, clock: Clock
) -> None:
    for number in range(10):
        recorder.event(about, "Normal", "Made", f"made {number}")
        clock.advance(1)
    clock.advance(600)
    recorder.event(about, "Normal", "Made", "made late")
    assert told(registry)[-1] == ("made late", 1)


def test_a_source_says_25_things_about_an_object_and_then_one_in_five_minutes(
    registry: Registry, recorder: EventRecorder, about: Obj, clock: Clock
) -> None:
    for _ in range(40):
        recorder.event(about, "Normal", "Made", "made")
    assert told(registry) == [("made", 25)]
    clock.advance(301)
    recorder.event(about, "Normal", "Made", "made")
    recorder.event(about, "Normal", "Made", "made")
    assert told(registry) == [("made", 41)]  # what wasn't written was counted


def test_the_filter_is_of_one_source_and_object(
    registry: Registry, recorder: EventRecorder, about: Obj, clock: Clock
) -> None:
    other = registry.create("configmaps", {"metadata": {"name": "b", "namespace": "default"}})
    for _ in range(30):
        recorder.event(about, "Normal", "Made", "made")
    recorder.event(other, "Normal", "Made", "made")
    clock.advance(1)
    EventRecorder(registry, "kubelet", "node", now=clock).event(about, "Normal", "Seen", "seen")
    assert sorted(told(registry)) == [("made", 1), ("made", 25), ("seen", 1)]


def test_an_event_that_aged_out_is_written_anew_with_its_count(
    registry: Registry, recorder: EventRecorder, about: Obj
) -> None:
    recorder.event(about, "Normal", "Made", "made")
    (event,) = registry.list("events")
    registry.delete("events", "default", event["metadata"]["name"])
    recorder.event(about, "Normal", "Made", "made")
    assert told(registry) == [("made", 2)]
