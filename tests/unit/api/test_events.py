"""The two groups of events: one set of objects under two sets of names."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.events import EventRecorder
from kubelite.registry.registry import Registry
from tests.unit.api.caller import CORE, Caller, config_map

NEWER = "/apis/events.k8s.io/v1/namespaces/default/events"
EVENT = {
    "metadata": {"name": "e"},
    "eventTime": "2026-01-02T03:04:05.000000Z",
    "action": "Binding",
    "reason": "Scheduled",
    "type": "Normal",
    "note": "assigned",
    "reportingController": "example.com/scheduler",
    "reportingInstance": "s-1",
    "regarding": {"kind": "Pod", "namespace": "default", "name": "p"},
}


async def test_recorded_events_show_under_the_newer_names(call: Caller, registry: Registry) -> None:
    about = registry.create("configmaps", {**config_map(), "metadata": {"name": "a", "namespace": "default"}})
    EventRecorder(registry, "controller", now=registry.now).event(about, "Normal", "Made", "it was made")
    (event,) = (await call.get(NEWER)).json["items"]
    assert (event["apiVersion"], event["note"], event["deprecatedCount"]) == ("events.k8s.io/v1", "it was made", 1)
    assert event["regarding"]["name"] == "a"
    assert event["deprecatedSource"] == {"component": "controller"}
    assert not {"message", "involvedObject", "count", "source"} & set(event)


async def test_events_of_the_newer_group_are_core_events(call: Caller) -> None:
    created = await call.post(f"{NEWER}?fieldValidation=Strict", EVENT)
    assert (created.status, created.json["note"]) == (201, "assigned")
    core = (await call.get(f"{CORE}/events/e")).json
    assert (core["apiVersion"], core["message"], core["reportingComponent"]) == (
        "v1",
        "assigned",
        "example.com/scheduler",
    )
    assert core["involvedObject"]["name"] == "p"
    table = await call.get(NEWER, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert table.json["rows"][0]["cells"][1:4] == ["Normal", "Scheduled", "pod/p"]


async def test_a_series_is_patched_under_the_newer_names(call: Caller) -> None:
    await call.post(NEWER, EVENT)
    series = {"count": 2, "lastObservedTime": "2026-01-02T03:05:05.000000Z"}
    patched = await call.patch(f"{NEWER}/e", {"series": series})
    assert patched.json["series"] == series
    assert (await call.get(f"{CORE}/events/e")).json["series"] == series
    unknown = await call.patch(f"{NEWER}/e?fieldValidation=Strict", {"message": "core's name"})
    assert 'unknown field "message"' in unknown.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eventTime": None}, "eventTime: Required value"),
        ({"type": "Loud"}, 'type: Invalid value: "": has invalid value: Loud'),
        ({"deprecatedCount": 1}, 'count: Invalid value: "": needs to be unset'),
        ({"deprecatedSource": {"component": "c"}}, 'source: Invalid value: "": needs to be unset'),
        ({"series": {"count": 1, "lastObservedTime": EVENT["eventTime"]}}, "series.count: Invalid value"),
        ({"series": {"count": 2}}, "series.lastObservedTime: Required value"),
    ],
)
async def test_the_newer_group_is_strict(call: Caller, change: Obj, message: str) -> None:
    answer = await call.post(NEWER, {**EVENT, **change})
    assert (answer.status, message in answer.message) == (422, True), answer.message


async def test_only_the_series_of_a_newer_event_changes(call: Caller) -> None:
    await call.post(NEWER, EVENT)
    refused = await call.patch(f"{NEWER}/e", {"note": "again", "reportingController": "example.com/other"})
    assert refused.message == (
        'Event "e" is invalid: [message: Invalid value: "again": field is immutable, '
        'reportingController: Invalid value: "example.com/other": field is immutable]'
    )
    assert (await call.patch(f"{CORE}/events/e", {"message": "again"})).status == 200
    assert (await call.put(f"{NEWER}/e", (await call.get(f"{NEWER}/e")).json)).status == 200


async def test_watches_speak_the_asked_for_version(call: Caller) -> None:
    await call.post(NEWER, EVENT)
    (event,) = await call.events(f"{NEWER}?watch=1", 1)
    assert (event["object"]["apiVersion"], event["object"]["regarding"]["name"]) == ("events.k8s.io/v1", "p")
    (event,) = await call.events(f"{CORE}/events?watch=1", 1)
    assert (event["object"]["apiVersion"], event["object"]["involvedObject"]["name"]) == ("v1", "p")


async def test_selectable_fields_have_their_names(call: Caller) -> None:
    await call.post(NEWER, EVENT)
    assert (await call.get(f"{NEWER}?fieldSelector=regarding.name%3Dp,reason%3DScheduled")).names == ["e"]
    assert (await call.get(f"{NEWER}?fieldSelector=regarding.name%3Dq")).names == []
    assert (await call.get(f"{CORE}/events?fieldSelector=involvedObject.name%3Dp")).names == ["e"]


async def test_a_newer_event_says_who_and_what(call: Caller) -> None:
    answer = await call.post(NEWER, {key: value for key, value in EVENT.items() if key != "action"})
    assert (answer.status, "action: Required value" in answer.message) == (422, True)


async def test_delete_of_one_is_delete_of_both(call: Caller) -> None:
    await call.post(NEWER, EVENT)
    assert (await call.delete(f"{NEWER}/e")).status == 200
    assert (await call.get(f"{CORE}/events/e")).status == 404
