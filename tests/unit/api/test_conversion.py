"""Custom resources whose versions a webhook converts: everybody sees the version that they ask for."""

from __future__ import annotations

import asyncio

import pytest

from kubelite.controllers.customresources import CustomResourceController
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.api.caller import JSON_PATCH, Caller
from tests.unit.conftest import Controllers, Recorded
from tests.unit.customresources import GROUP, crontab, definition, version
from tests.unit.webhooks import Converts, Hooks

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
V1, V2 = (f"/apis/{GROUP}/{name}/namespaces/default/crontabs" for name in ("v1", "v2"))
WEBHOOK = {"clientConfig": {"url": "https://127.0.0.1:1/"}, "conversionReviewVersions": ["v1"]}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
SECOND: Obj = {"type": "object", "properties": {"schedule": {"type": "string"}, "replicas": {"type": "integer"}}}
SELECTABLE = [{"jsonPath": ".spec.schedule"}]
DAILY = "fieldSelector=spec.schedule%3Ddaily"
COLUMNS = [{"name": "Schedule", "type": "string", "jsonPath": ".spec.schedule"}]


def renamed(obj: Obj, api_version: str) -> Obj:
    """v1 calls `cron` what v2 calls `schedule`."""
    old, new = ("cron", "schedule") if api_version.endswith("v2") else ("schedule", "cron")
    spec = {new if key == old else key: value for key, value in obj["spec"].items()}
    return obj | {"apiVersion": api_version, "spec": spec}


@pytest.fixture(autouse=True)
async def declared(call: Caller, registry: Registry, recorded: Recorded, hooks: Hooks) -> None:
    more: Obj = {"additionalPrinterColumns": COLUMNS, "selectableFields": SELECTABLE, "subresources": {"status": {}}}
    versions = version(), version("v2", SECOND, **more)
    made = await call.post(DEFINITIONS, definition(*versions, conversion={"strategy": "Webhook", "webhook": WEBHOOK}))
    assert made.status == 201, made.message
    Controllers(registry, CustomResourceController(registry, recorded, registry.now)).settle()
    hooks.converts = renamed


async def test_an_object_is_read_in_both_versions(call: Caller, hooks: Hooks) -> None:
    await call.post(V1, crontab(cron="* *", replicas=2))
    assert (await call.get(f"{V1}/one")).json["spec"] == {"cron": "* *", "replicas": 2}
    assert hooks.conversions == []
    second = (await call.get(f"{V2}/one")).json
    assert (second["apiVersion"], second["spec"]) == (f"{GROUP}/v2", {"schedule": "* *", "replicas": 2})
    await call.get(f"{V2}/one")
    assert hooks.conversions == [["one"]]


async def test_a_list_is_converted_with_one_call(call: Caller, hooks: Hooks) -> None:
    for name in ("a", "b", "c"):
        await call.post(V1, crontab(name, cron=name))
    listed = (await call.get(V2)).json["items"]
    assert [one["spec"]["schedule"] for one in listed] == ["a", "b", "c"]
    assert hooks.conversions == [["a", "b", "c"]]
    table = (await call.get(V2, Accept=TABLE)).json
    assert [row["cells"] for row in table["rows"]] == [["a", "a"], ["b", "b"], ["c", "c"]]


async def test_an_object_is_changed_in_the_other_version(call: Caller) -> None:
    await call.post(V1, crontab(cron="* *"))
    replaced = [{"op": "replace", "path": "/spec/schedule", "value": "1 1"}]
    patched = await call.patch(f"{V2}/one", replaced, JSON_PATCH)
    assert (patched.status, patched.json["spec"]) == (200, {"schedule": "1 1", "replicas": 1})
    first = (await call.get(f"{V1}/one")).json
    assert (first["spec"]["cron"], first["metadata"]["generation"]) == ("1 1", 2)


async def test_a_status_keeps_the_rest(call: Caller) -> None:
    await call.post(V1, crontab(cron="* *"))
    await call.patch(f"{V2}/one/status", {"status": {"replicas": 1}})
    second = (await call.get(f"{V2}/one")).json
    assert (second["spec"]["schedule"], second["status"]) == ("* *", {"replicas": 1})


async def test_a_watch_is_in_its_version(call: Caller) -> None:
    await call.post(V1, crontab(cron="before"))
    watching = asyncio.create_task(call.events(f"{V2}?watch=1&timeoutSeconds=5", 2))
    await asyncio.sleep(0)
    await call.post(V1, crontab("two", cron="after"))
    assert [event["object"]["spec"]["schedule"] for event in await watching] == ["before", "after"]


async def test_fields_are_selected_as_the_version_has_them(call: Caller, hooks: Hooks) -> None:
    await call.post(V1, crontab("a", cron="daily"))
    await call.post(V1, crontab("b", cron="weekly"))
    assert (await call.get(f"{V2}?{DAILY}")).names == ["a"]
    assert hooks.conversions == [["a", "b"]]
    watching = asyncio.create_task(call.events(f"{V2}?watch=1&timeoutSeconds=5&{DAILY}", 3))
    await asyncio.sleep(0)
    await call.patch(f"{V1}/b", [{"op": "replace", "path": "/spec/cron", "value": "daily"}], JSON_PATCH)
    await call.patch(f"{V1}/a", [{"op": "replace", "path": "/spec/cron", "value": "weekly"}], JSON_PATCH)
    seen = [(event["type"], event["object"]["metadata"]["name"]) for event in await watching]
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    await call.delete(f"{V2}?{DAILY}")
    assert (await call.get(V2)).names == ["a"]


@pytest.mark.parametrize(
    ("converts", "why"),
    [
        (lambda obj, wanted: obj, "invalid apiVersion"),
        (lambda obj, wanted: renamed(obj, wanted) | {"kind": "Other"}, "invalid kind"),
        (lambda obj, wanted: renamed(obj, wanted) | {"metadata": {"name": "other"}}, "invalid metadata.name"),
    ],
)
async def test_what_isnt_the_same_object_is_no_conversion(
    call: Caller, hooks: Hooks, converts: Converts, why: str
) -> None:
    await call.post(V1, crontab(cron="* *"))
    hooks.converts = converts
    reply = await call.get(f"{V2}/one")
    assert reply.status == 500
    assert f"conversion webhook for {GROUP}/v1, Kind=CronTab failed" in reply.message
    assert why in reply.message


async def test_a_conversion_changes_labels_and_nothing_else_of_the_metadata(call: Caller, hooks: Hooks) -> None:
    await call.post(V1, crontab(cron="* *"))
    hooks.converts = lambda obj, wanted: (
        renamed(obj, wanted)
        | {"metadata": obj["metadata"] | {"labels": {"l": "v"}, "resourceVersion": "1", "finalizers": ["a/b"]}}
    )
    first, second = (await call.get(f"{V1}/one")).json["metadata"], (await call.get(f"{V2}/one")).json["metadata"]
    assert second == first | {"labels": {"l": "v"}}


@pytest.mark.parametrize(
    ("conversion", "text"),
    [
        ({"strategy": "Webhook"}, "spec.conversion.webhook.clientConfig: Required value"),
        ({"strategy": "None", "webhook": WEBHOOK}, "spec.conversion.webhook: Forbidden"),
        ({"strategy": "Webhook", "webhook": WEBHOOK | {"conversionReviewVersions": []}}, "conversionReviewVersions"),
    ],
)
async def test_a_wrong_conversion_is_refused(call: Caller, conversion: Obj, text: str) -> None:
    wrong = definition(names={"plural": "others", "kind": "Other"}, conversion=conversion)
    reply = await call.post(DEFINITIONS, wrong)
    assert reply.status == 422
    assert text in reply.message
