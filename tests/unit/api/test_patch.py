"""Patches: the kinds of them, what they may change, what they meet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.caller import (
    APPS,
    CORE,
    JSON_PATCH,
    MERGE,
    STRATEGIC,
    Caller,
    config_map,
    deployment,
    pod,
)

MAPS = f"{CORE}/configmaps"
DEPLOYMENT = f"{APPS}/deployments/web"


@pytest.mark.parametrize(
    ("media", "patch"),
    [
        (MERGE, {"data": {"k": None, "n": "w"}}),
        (STRATEGIC, {"data": {"k": None, "n": "w"}}),
        (JSON_PATCH, [{"op": "remove", "path": "/data/k"}, {"op": "add", "path": "/data/n", "value": "w"}]),
    ],
)
async def test_each_kind_of_patch(call: Caller, media: str, patch: Any) -> None:
    await call.post(MAPS, config_map())
    answer = await call.patch(f"{MAPS}/a", patch, media)
    assert (answer.status, answer.json["data"]) == (200, {"n": "w"})


async def test_lists_merge_by_key_only_strategically(call: Caller) -> None:
    await call.post(f"{APPS}/deployments", deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "httpd:2.5"}]}}}}
    changed = (await call.patch(DEPLOYMENT, patch, STRATEGIC)).json["spec"]["template"]["spec"]["containers"]
    assert (changed[0]["image"], changed[0]["imagePullPolicy"]) == ("httpd:2.5", "IfNotPresent")
    patch["spec"]["template"]["spec"]["containers"] = [{"name": "d", "image": "httpd"}]
    replaced = (await call.patch(DEPLOYMENT, patch, MERGE)).json["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in replaced] == ["d"]


@pytest.mark.parametrize("media", [MERGE, STRATEGIC])
async def test_a_version_in_a_patch_is_a_precondition(call: Caller, media: str) -> None:
    old = (await call.post(MAPS, config_map())).json["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": old}, "data": {"k": "w"}}
    assert (await call.patch(f"{MAPS}/a", patch, media)).status == 200
    answer = await call.patch(f"{MAPS}/a", patch, media)
    assert (answer.status, answer.json["reason"]) == (409, "Conflict")


@pytest.mark.parametrize(
    ("patch", "status", "message"),
    [
        ({"name": "b"}, 400, "the name of the object (b) does not match the name on the URL (a)"),
        ({"namespace": "b"}, 400, "the namespace of the provided object does not match the namespace sent"),
        ({"uid": "b"}, 422, 'metadata.uid: Invalid value: "b": field is immutable'),
        ({"labels": {"a b": ""}}, 422, "metadata.labels: Invalid value"),
    ],
)
async def test_metadata_that_may_not_change(call: Caller, patch: Any, status: int, message: str) -> None:
    await call.post(MAPS, config_map())
    answer = await call.patch(f"{MAPS}/a", {"metadata": patch})
    assert answer.status == status
    assert message in answer.message


async def test_a_missing_object_is_not_made(call: Caller) -> None:
    answer = await call.patch(f"{MAPS}/a", {"data": {}})
    assert (answer.status, answer.message) == (404, 'configmaps "a" not found')


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "test", "path": "/data/k", "value": "w"}],
        [{"op": "remove", "path": "/data/n"}],
        [{"op": "replace", "path": "/nothing/here", "value": 1}],
    ],
)
async def test_a_json_patch_that_does_not_apply(call: Caller, patch: Any) -> None:
    await call.post(MAPS, config_map())
    answer = await call.patch(f"{MAPS}/a", patch, JSON_PATCH)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert answer.message == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("media", "patch", "status"),
    [
        (JSON_PATCH, {"op": "remove"}, 400),
        (JSON_PATCH, [{"op": "jump", "path": "/data"}], 422),
        (MERGE, [], 400),
        (MERGE, b"{", 400),
        (STRATEGIC, b"data: {}", 400),
        (JSON_PATCH, [{"op": "test", "path": "/kind", "value": "ConfigMap"}] * 10_001, 413),
    ],
)
async def test_malformed_patches(call: Caller, media: str, patch: Any, status: int) -> None:
    await call.post(MAPS, config_map())
    assert (await call.patch(f"{MAPS}/a", patch, media)).status == status


@pytest.mark.parametrize("media", ["application/json", "text/plain", ""])
async def test_other_media_types_are_refused(call: Caller, media: str) -> None:
    await call.post(MAPS, config_map())
    answer = await call.patch(f"{MAPS}/a", {}, media)
    assert answer.status == 415
    assert "application/strategic-merge-patch+json, application/apply-patch+yaml" in answer.message


@pytest.mark.parametrize("media", [MERGE, STRATEGIC])
async def test_unknown_fields_of_a_patch(call: Caller, media: str) -> None:
    await call.post(MAPS, config_map())
    strict = await call.patch(f"{MAPS}/a?fieldValidation=Strict", {"dat": {}}, media)
    assert (strict.status, strict.json["reason"]) == (422, "Invalid")
    assert 'strict decoding error: unknown field "dat"' in strict.message
    warned = await call.patch(f"{MAPS}/a", {"dat": {}}, media)
    assert (warned.status, warned.warnings) == (200, ['299 - "unknown field \\"dat\\""'])
    assert (await call.patch(f"{MAPS}/a?fieldValidation=Ignore", {"dat": {}}, media)).warnings == []


async def test_what_is_wrong_with_the_operations_of_a_json_patch(call: Caller) -> None:
    await call.post(MAPS, config_map())
    patch = b"""[
        {"op": "add", "path": "/data/n", "value": "w", "foo": "bar"},
        {"op": "add", "path": "/data/x", "path": "/unknown", "value": {"a": 1, "a": 2}}
    ]"""
    found = [
        *('json patch unknown field "[0].foo"', 'json patch duplicate field "[1].path"'),
        'unknown field "unknown"',
    ]
    strict = await call.patch(f"{MAPS}/a?fieldValidation=Strict", patch, JSON_PATCH)
    assert (strict.status, strict.message.endswith("strict decoding error: " + ", ".join(found))) == (422, True)
    warned = await call.patch(f"{MAPS}/a", patch, JSON_PATCH)
    assert [one.replace("\\", "") for one in warned.warnings] == [f'299 - "{text}"' for text in found]


async def test_force_belongs_to_apply(call: Caller) -> None:
    answer = await call.patch(f"{MAPS}/a?force=true", {})
    assert answer.message == (
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    )


async def test_a_pod_keeps_its_spec(call: Caller) -> None:
    await call.post(f"{CORE}/pods", pod())
    answer = await call.patch(
        f"{CORE}/pods/web", {"spec": {"containers": [{"name": "c", "command": ["x"]}]}}, STRATEGIC
    )
    assert answer.status == 422
    assert "pod updates may not change fields other than" in answer.message
    image = await call.patch(f"{CORE}/pods/web", {"spec": {"containers": [{"name": "c", "image": "n"}]}}, STRATEGIC)
    assert image.status == 200


async def test_an_empty_patch_writes_nothing(call: Caller) -> None:
    old = (await call.post(MAPS, config_map())).json
    assert (await call.patch(f"{MAPS}/a", {})).json == old


async def test_a_patch_of_the_status(call: Caller) -> None:
    await call.post(f"{CORE}/pods", pod())
    patch = {"status": {"conditions": [{"type": "Mine", "status": "True"}]}, "spec": {"nodeName": "n"}}
    first = (await call.patch(f"{CORE}/pods/web/status", patch, STRATEGIC)).json
    second = {"status": {"conditions": [{"type": "Other", "status": "False"}]}}
    answer = (await call.patch(f"{CORE}/pods/web/status", second, STRATEGIC)).json
    assert {condition["type"] for condition in answer["status"]["conditions"]} == {"Mine", "Other"}
    assert "nodeName" not in answer["spec"]
    assert first["status"]["phase"] == answer["status"]["phase"] == "Pending"


async def test_kinds_without_a_status_have_no_such_path(call: Caller) -> None:
    await call.post(MAPS, config_map())
    assert (await call.patch(f"{MAPS}/a/status", {})).status == 404
