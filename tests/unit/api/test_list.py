"""Lists: selectors, pages over changing data, versions and their matches, refused options."""

from __future__ import annotations

import pytest

from kubelite.registry.registry import Registry
from kubelite.store import Store
from tests.unit.api.caller import CORE, Caller, config_map
from tests.unit.conftest import Clock

MAPS = f"{CORE}/configmaps"


@pytest.fixture
async def maps(call: Caller) -> list[str]:
    """Five config maps, a to e; the resourceVersion of each."""
    versions = []
    for name in "abcde":
        made = config_map(name)
        made["metadata"]["labels"] = {"name": name, "half": "first" if name < "c" else "second"}
        versions.append((await call.post(MAPS, made)).json["metadata"]["resourceVersion"])
    return versions


async def test_a_list_carries_its_kind_and_the_newest_version(
    call: Caller, maps: list[str], registry: Registry
) -> None:
    answer = (await call.get(MAPS)).json
    assert (answer["kind"], answer["apiVersion"]) == ("ConfigMapList", "v1")
    assert answer["metadata"] == {"resourceVersion": str(registry.store.revision)}


async def test_lists_span_namespaces(call: Caller, maps: list[str]) -> None:
    await call.post("/api/v1/namespaces/kube-system/configmaps", config_map("z"))
    assert (await call.get("/api/v1/configmaps")).names == ["a", "b", "c", "d", "e", "z"]
    assert (await call.get(MAPS)).names == ["a", "b", "c", "d", "e"]
    assert (await call.get("/api/v1/namespaces/nowhere/configmaps")).names == []


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("labelSelector=name%3Da", ["a"]),
        ("labelSelector=name%20in%20(a,b)", ["a", "b"]),
        ("labelSelector=half!%3Dfirst", ["c", "d", "e"]),
        ("labelSelector=!half", []),
        ("labelSelector=half%3Dfirst,name%3Db", ["b"]),
        ("fieldSelector=metadata.name%3Dc", ["c"]),
        ("fieldSelector=metadata.name!%3Dc", ["a", "b", "d", "e"]),
        ("fieldSelector=metadata.namespace%3Dother", []),
    ],
)
async def test_selectors_choose(call: Caller, maps: list[str], query: str, names: list[str]) -> None:
    assert (await call.get(f"{MAPS}?{query}")).names == names


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("fieldSelector=metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        (
            "fieldSelector=data.k%3Dv",
            '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("limit=many", 'strconv.ParseInt: parsing "many": invalid syntax'),
        (
            "resourceVersion=new",
            'resourceVersion: Invalid value: "new": strconv.ParseUint: parsing "new": invalid syntax',
        ),
        ("continue=x", "continue key is not valid"),
        ("includeObject=Some", None),
    ],
)
async def test_what_cannot_be_read_is_refused(call: Caller, query: str, message: str | None) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    answer = await call.get(f"{MAPS}?{query}", Accept=accept)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert message is None or message in answer.message


async def test_fields_of_a_kind_are_selectable(call: Caller) -> None:
    answer = await call.get(f"{CORE}/pods?fieldSelector=status.color%3Dred")
    assert answer.message == "field label not supported: status.color"
    assert (await call.get(f"{CORE}/pods?fieldSelector=status.phase%3DRunning,spec.nodeName%3D")).status == 200


async def test_pages_say_how_many_remain(call: Caller, maps: list[str]) -> None:
    first = await call.get(f"{MAPS}?limit=2")
    assert first.names == ["a", "b"]
    assert first.json["metadata"]["remainingItemCount"] == 3
    second = await call.get(f"{MAPS}?limit=2&continue={first.json['metadata']['continue']}")
    assert (second.names, second.json["metadata"]["remainingItemCount"]) == (["c", "d"], 1)
    last = await call.get(f"{MAPS}?limit=2&continue={second.json['metadata']['continue']}")
    assert last.names == ["e"]
    assert "continue" not in last.json["metadata"]


async def test_pages_of_a_selection_do_not_count(call: Caller, maps: list[str]) -> None:
    answer = (await call.get(f"{MAPS}?limit=1&labelSelector=half")).json["metadata"]
    assert answer["continue"]
    assert "remainingItemCount" not in answer


async def test_pages_show_one_moment_while_objects_come_and_go(call: Caller, maps: list[str]) -> None:
    first = await call.get(f"{MAPS}?limit=2")
    await call.delete(f"{MAPS}/d")
    await call.post(MAPS, config_map("ca"))
    await call.patch(f"{MAPS}/e", {"data": {"k": "new"}})
    rest = await call.get(f"{MAPS}?continue={first.json['metadata']['continue']}")
    assert rest.names == ["c", "d", "e"]
    assert rest.json["items"][-1]["data"] == {"k": "v"}
    assert rest.json["metadata"]["resourceVersion"] == first.json["metadata"]["resourceVersion"]


async def test_a_page_too_old_offers_to_go_on_inconsistently(call: Caller, maps: list[str], registry: Registry) -> None:
    first = await call.get(f"{MAPS}?limit=2")
    await call.post(MAPS, config_map("ca"))
    forget_history(registry.store)
    answer = await call.get(f"{MAPS}?limit=9&continue={first.json['metadata']['continue']}")
    assert (answer.status, answer.json["reason"]) == (410, "Expired")
    assert answer.message.startswith("The provided continue parameter is too old")
    rest = await call.get(f"{MAPS}?limit=9&continue={answer.json['metadata']['continue']}")
    assert rest.names == ["c", "ca", "d", "e"]


async def test_pages_can_be_asked_for_until_upstream_would_have_compacted(
    call: Caller, maps: list[str], clock: Clock
) -> None:
    token = (await call.get(f"{MAPS}?limit=1")).json["metadata"]["continue"]
    clock.advance(200)
    token = (await call.get(f"{MAPS}?limit=1&continue={token}")).json["metadata"]["continue"]
    clock.advance(200)
    answer = await call.get(f"{MAPS}?limit=1&continue={token}")
    assert answer.status == 410
    rest = await call.get(f"{MAPS}?limit=1&continue={answer.json['metadata']['continue']}")
    assert (rest.names, rest.json["metadata"]["remainingItemCount"]) == (["c"], 2)
    assert (await call.get(f"{MAPS}?continue={rest.json['metadata']['continue']}")).names == ["d", "e"]


def forget_history(store: Store) -> None:
    store._limit = 0
    store.compact()


@pytest.mark.parametrize("query", ["resourceVersionMatch=Exact", "limit=9"])
async def test_exact_lists_show_the_past(call: Caller, maps: list[str], query: str) -> None:
    await call.delete(f"{MAPS}/a")
    answer = await call.get(f"{MAPS}?resourceVersion={maps[2]}&{query}")
    assert (answer.names, answer.json["metadata"]["resourceVersion"]) == (["a", "b", "c"], maps[2])


async def test_lists_not_older_than_a_version_are_the_newest(call: Caller, maps: list[str]) -> None:
    for match in ("", "&resourceVersionMatch=NotOlderThan"):
        assert (await call.get(f"{MAPS}?resourceVersion={maps[2]}{match}")).names == ["a", "b", "c", "d", "e"]


async def test_version_zero_takes_no_limit(call: Caller, maps: list[str]) -> None:
    assert (await call.get(f"{MAPS}?resourceVersion=0&limit=2")).names == ["a", "b", "c", "d", "e"]


async def test_exact_versions_out_of_history_are_expired(call: Caller, maps: list[str], registry: Registry) -> None:
    forget_history(registry.store)
    answer = await call.get(f"{MAPS}?resourceVersion={maps[0]}&resourceVersionMatch=Exact")
    assert (answer.status, answer.message) == (410, "The resourceVersion for the provided list is too old.")


@pytest.mark.parametrize("path", [MAPS, f"{MAPS}/a"])
async def test_versions_that_are_not_there_yet_time_out(call: Caller, maps: list[str], path: str) -> None:
    answer = await call.get(f"{path}?resourceVersion=1000000")
    assert (answer.status, answer.json["reason"]) == (504, "Timeout")
    assert answer.message.startswith("Timeout: Too large resource version: 1000000, current: ")
    assert answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("resourceVersionMatch=Exact", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=1&resourceVersionMatch=Exact&continue=x", "resourceVersionMatch is forbidden for continue"),
        ("resourceVersion=1&resourceVersionMatch=Near", 'Unsupported value: "Near"'),
        ("resourceVersion=0&resourceVersionMatch=Exact", 'resourceVersionMatch "exact" is forbidden'),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
    ],
)
async def test_options_that_contradict_each_other_are_invalid(call: Caller, query: str, message: str) -> None:
    answer = await call.get(f"{MAPS}?{query}")
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert answer.message.startswith('ListOptions.meta.k8s.io "" is invalid: ')
    assert message in answer.message


async def test_a_token_and_a_version_exclude_each_other(call: Caller, maps: list[str]) -> None:
    token = (await call.get(f"{MAPS}?limit=1")).json["metadata"]["continue"]
    answer = await call.get(f"{MAPS}?resourceVersion=2&continue={token}")
    assert (answer.status, answer.message) == (
        400,
        "specifying resource version is not allowed when using continue",
    )


async def test_large_lists_are_compressed_for_who_takes_it(call: Caller) -> None:
    await call.post(MAPS, config_map("big", k="x" * 300_000))
    assert "Content-Encoding" not in (await call.get(MAPS, Accept_Encoding="identity")).headers
    assert (await call.get(MAPS, Accept_Encoding="gzip")).headers["Content-Encoding"] == "gzip"
