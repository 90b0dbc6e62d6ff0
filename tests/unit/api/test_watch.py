"""Watches: where they begin, what selections see, bookmarks, forms, ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubelite.api import watch
from kubelite.registry.registry import Registry
from tests.unit.api.caller import CORE, Caller, config_map, pod
from tests.unit.api.test_list import forget_history

MAPS = f"{CORE}/configmaps"
STREAMING = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


def told(events: list[Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


async def create(call: Caller, name: str, **labels: str) -> str:
    made = config_map(name)
    made["metadata"]["labels"] = labels
    return str((await call.post(MAPS, made)).json["metadata"]["resourceVersion"])


@pytest.mark.parametrize("start", ["", "&resourceVersion=", "&resourceVersion=0"])
async def test_without_a_version_a_watch_begins_with_what_is_there(call: Caller, start: str) -> None:
    await create(call, "a")
    stream = call.watch(f"{MAPS}?watch=true{start}")
    first = await anext(stream)
    await create(call, "b")
    assert told([first, await anext(stream)]) == [("ADDED", "a"), ("ADDED", "b")]
    await stream.aclose()


async def test_a_watch_goes_on_behind_its_version(call: Caller) -> None:
    await create(call, "a")
    version = await create(call, "b")
    await call.delete(f"{MAPS}/a")
    await create(call, "c")
    events = await call.events(f"{MAPS}?watch=true&resourceVersion={version}", 2)
    assert told(events) == [("DELETED", "a"), ("ADDED", "c")]
    assert int(events[0]["object"]["metadata"]["resourceVersion"]) > int(version)


async def test_initial_events_can_be_declined(call: Caller) -> None:
    await create(call, "a")
    stream = call.watch(f"{MAPS}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan")
    waiting = asyncio.ensure_future(anext(stream))
    await call.get(f"{MAPS}?watch=1&timeoutSeconds=1")  # by its end the watch above has begun
    await create(call, "b")
    assert told([await waiting]) == [("ADDED", "b")]
    await stream.aclose()


async def test_a_version_out_of_history_is_an_error_in_the_stream(call: Caller, registry: Registry) -> None:
    await create(call, "a")
    forget_history(registry.store)
    (event,) = await call.events(f"{MAPS}?watch=true&resourceVersion=1", 9)
    assert event["type"] == "ERROR"
    assert (event["object"]["kind"], event["object"]["code"], event["object"]["reason"]) == ("Status", 410, "Expired")
    assert event["object"]["message"].startswith("too old resource version: 1 (")


async def test_a_watch_of_one_name(call: Caller) -> None:
    for name in ("a", "b"):
        await create(call, name)
    events = await call.events(f"{MAPS}?watch=true&fieldSelector=metadata.name%3Db", 1)
    assert told(events) == [("ADDED", "b")]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/api/v1/watch/configmaps", ["a", "b", "z"]),
        ("/api/v1/watch/namespaces/default/configmaps", ["a", "b"]),
        ("/api/v1/watch/namespaces/default/configmaps/b", ["b"]),
        ("/api/v1/watch/namespaces/default", ["default"]),
    ],
)
async def test_the_old_watch_paths(call: Caller, path: str, names: list[str]) -> None:
    for name in ("a", "b"):
        await create(call, name)
    await call.post("/api/v1/namespaces/kube-system/configmaps", config_map("z"))
    events = await call.events(f"{path}?timeoutSeconds=1", len(names))
    assert [name for _, name in told(events)] == names


async def test_watch_on_an_object_is_a_plain_read(call: Caller) -> None:
    await create(call, "a")
    assert (await call.get(f"{MAPS}/a?watch=true")).json["kind"] == "ConfigMap"


async def test_objects_enter_and_leave_a_selection(call: Caller) -> None:
    version = await create(call, "a", color="red")
    for labels in ({"color": "blue"}, {"color": "blue", "more": "x"}, {"color": "red"}):
        changed = await call.patch(f"{MAPS}/a", {"metadata": {"labels": labels}, "data": {"k": labels["color"]}})
        if labels == {"color": "red"}:
            left = changed.json["metadata"]["resourceVersion"]
    await call.delete(f"{MAPS}/a")
    events = await call.events(f"{MAPS}?watch=1&resourceVersion={version}&labelSelector=color%3Dblue", 3)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    last = events[-1]["object"]
    assert (last["data"], last["metadata"]["resourceVersion"]) == ({"k": "blue"}, left)


async def test_a_field_selection_follows_the_field(call: Caller, registry: Registry) -> None:
    created = registry.create("pods", {**pod(), "metadata": {"name": "web", "namespace": "default"}})
    registry.bind(created, "node-1")
    events = await call.events(
        f"{CORE}/pods?watch=1&resourceVersion={created['metadata']['resourceVersion']}"
        "&fieldSelector=spec.nodeName%3Dnode-1",
        1,
    )
    assert told(events) == [("ADDED", "web")]


async def test_a_streaming_list_ends_with_its_bookmark(call: Caller, registry: Registry) -> None:
    await create(call, "a")
    first, mark = await call.events(f"{MAPS}?{STREAMING}", 2)
    assert first["type"] == "ADDED"
    assert mark == {
        "type": "BOOKMARK",
        "object": {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {
                "resourceVersion": str(registry.store.revision),
                "creationTimestamp": None,
                "annotations": {"k8s.io/initial-events-end": "true"},
            },
        },
    }


async def test_a_streaming_list_without_bookmarks_has_none(call: Caller) -> None:
    await create(call, "a")
    path = f"{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    assert told(await call.events(path, 9)) == [("ADDED", "a")]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("resourceVersionMatch=NotOlderThan", "resourceVersionMatch is forbidden for watch unless sendInitialEvents"),
        ("sendInitialEvents=true&resourceVersionMatch=Exact", 'Unsupported value: "Exact"'),
    ],
)
async def test_watch_options_that_contradict_each_other(call: Caller, query: str, message: str) -> None:
    answer = await call.get(f"{MAPS}?watch=1&{query}")
    assert answer.status == 422
    assert message in answer.message


async def test_a_quiet_watch_brings_bookmarks(
    call: Caller, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "BOOKMARK_EVERY", 0.01)
    await call.post(f"{CORE}/secrets", {"metadata": {"name": "elsewhere"}})
    (event,) = await call.events(f"{MAPS}?watch=1&allowWatchBookmarks=true", 1)
    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"]["resourceVersion"] == str(registry.store.revision)


async def test_a_watch_ends_after_its_timeout(call: Caller, registry: Registry) -> None:
    await create(call, "a")
    assert len(await call.events(f"{MAPS}?watch=1&timeoutSeconds=1", 9)) == 1
    assert not registry.store._watches


async def test_tables_carry_their_columns_once(call: Caller) -> None:
    for name in ("a", "b"):
        await create(call, name)
    first, second = await call.events(
        f"{MAPS}?watch=1", 2, Accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    )
    assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert not second["object"]["columnDefinitions"]
    row = second["object"]["rows"][0]
    assert row["cells"][:2] == ["b", 1]
    assert (row["object"]["kind"], row["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "b")


async def test_metadata_alone(call: Caller) -> None:
    await create(call, "a")
    first, mark = await call.events(
        f"{MAPS}?{STREAMING}", 2, Accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    )
    assert set(first["object"]) == {"kind", "apiVersion", "metadata"}
    assert mark["object"]["kind"] == "PartialObjectMetadata"


async def test_a_streaming_list_is_no_table(call: Caller) -> None:
    await create(call, "a")
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    assert (await call.get(f"{MAPS}?{STREAMING}", Accept=table)).status == 406
    added, mark = await call.events(f"{MAPS}?{STREAMING}", 2, Accept=f"{table},application/json")
    assert (added["object"]["kind"], mark["object"]["kind"]) == ("ConfigMap", "ConfigMap")
