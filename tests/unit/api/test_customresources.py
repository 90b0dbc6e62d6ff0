"""Custom resources over HTTP: served from the moment their definition is established, as the definition says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubelite.controllers.customresources import CustomResourceController
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.api.caller import APPLY, STRATEGIC, Caller, Reply
from tests.unit.conftest import Controllers, Recorded
from tests.unit.customresources import GROUP, RESOURCE, SCALE, SPEC_SCHEMA, crontab, definition, version

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TABS = f"/apis/{GROUP}/v1/namespaces/default/crontabs"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
COLUMNS = [
    {"name": "Cron", "type": "string", "jsonPath": ".spec.cron"},
    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
    {"name": "Ready", "type": "boolean", "jsonPath": ".status.ready", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
FULL = version(subresources={"status": {}, "scale": SCALE}, additionalPrinterColumns=COLUMNS)


class Declared:
    """Definitions, established at once."""

    def __init__(self, call: Caller, registry: Registry, recorded: Recorded) -> None:
        self._call = call
        self._controllers = Controllers(registry, CustomResourceController(registry, recorded, registry.now))

    async def __call__(self, *versions: Obj, **spec: Any) -> None:
        answer = await self._call.post(DEFINITIONS, definition(*versions, **spec))
        assert answer.status == 201, answer.message
        self._controllers.settle()

    async def change(self, *versions: Obj) -> None:
        answer = await self._call.patch(f"{DEFINITIONS}/{RESOURCE}", {"spec": {"versions": list(versions)}})
        assert answer.status == 200, answer.message

    async def delete(self) -> None:
        await self._call.delete(f"{DEFINITIONS}/{RESOURCE}")
        self._controllers.settle()


@pytest.fixture
def declare(call: Caller, registry: Registry, recorded: Recorded) -> Declared:
    return Declared(call, registry, recorded)


async def make(call: Caller, name: str = "one", **spec: Any) -> Obj:
    answer = await call.post(TABS, crontab(name, **spec))
    assert answer.status == 201, answer.message
    created: Obj = answer.json
    return created


async def test_a_kind_comes_and_goes(call: Caller, declare: Declared) -> None:
    assert (await call.get(TABS)).status == 404
    await declare()
    created = await make(call, cron="* *")
    assert (created["apiVersion"], created["spec"]) == (f"{GROUP}/v1", {"cron": "* *", "replicas": 1})
    assert created["metadata"]["generation"] == 1
    listed = (await call.get(TABS)).json
    assert (listed["kind"], listed["items"]) == ("CronTabList", [created])
    events = await call.events(f"{TABS}?watch=1", 1)
    assert events == [{"type": "ADDED", "object": created}]
    await declare.delete()
    assert (await call.get(TABS)).status == 404
    assert (await call.get(f"/apis/{GROUP}")).status == 404


async def test_what_holds_a_kind_that_is_to_go_can_be_taken_away(call: Caller, declare: Declared) -> None:
    await declare()
    await make(call)
    await call.patch(f"{TABS}/one", {"metadata": {"finalizers": ["example.com/f"]}})
    await declare.delete()
    (tabs,) = (await call.get(f"/apis/{GROUP}/v1")).json["resources"]
    assert tabs["verbs"] == ["delete", "deletecollection", "get", "list", "watch"]
    assert (await call.post(TABS, crontab("two"))).status == 405
    assert (await call.patch(f"{TABS}/one", {"metadata": {"finalizers": None}})).status == 200
    assert (await call.get(f"{TABS}/one")).status == 404


async def test_a_watch_ends_with_its_kind(call: Caller, declare: Declared) -> None:
    await declare()
    created = await make(call)
    seen: list[tuple[str, str]] = []
    async for event in call.watch(f"{TABS}?watch=1"):
        seen.append((event["type"], event["object"]["metadata"]["name"]))
        if event["type"] == "ADDED":
            await declare.delete()
    assert seen == [("ADDED", created["metadata"]["name"]), ("DELETED", created["metadata"]["name"])]


async def test_a_watch_ends_when_its_definition_changes_but_not_for_what_was_before(
    call: Caller, declare: Declared
) -> None:
    await declare()
    start = (await make(call))["metadata"]["resourceVersion"]
    seen = []
    async for event in call.watch(f"{TABS}?watch=1"):
        seen.append(event["type"])
        await declare.change(version(), version("v2"))
    assert seen == ["ADDED"]
    await make(call, "two")
    (event,) = await call.events(f"{TABS}?watch=1&resourceVersion={start}", 1)
    assert event["object"]["metadata"]["name"] == "two"


async def test_discovery_tells_of_it(call: Caller, declare: Declared) -> None:
    names = {"shortNames": ["ct"], "categories": ["all"]}
    await declare(version("v1beta1"), version(subresources={"status": {}}), names=names)
    group = (await call.get(f"/apis/{GROUP}")).json
    assert [one["version"] for one in group["versions"]] == ["v1", "v1beta1"]
    assert group["preferredVersion"]["version"] == "v1"
    tabs, status = (await call.get(f"/apis/{GROUP}/v1")).json["resources"]
    assert (tabs["name"], tabs["kind"], tabs["shortNames"], tabs["categories"]) == (
        "crontabs",
        "CronTab",
        ["ct"],
        ["all"],
    )
    assert (status["name"], status["verbs"]) == ("crontabs/status", ["get", "patch", "update"])
    aggregated = await call.get("/apis", Accept="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
    assert GROUP in [item["metadata"]["name"] for item in aggregated.json["items"]]


async def test_openapi_describes_it(call: Caller, declare: Declared) -> None:
    await declare()
    own = "com.example.stable.v1.CronTab"
    assert f"apis/{GROUP}/v1" in (await call.get("/openapi/v3")).json["paths"]
    found = (await call.get(f"/openapi/v3/apis/{GROUP}/v1")).json["components"]["schemas"][own]
    assert found["properties"]["spec"]["properties"]["replicas"]["default"] == 1
    assert found["x-kubernetes-group-version-kind"] == [{"group": GROUP, "version": "v1", "kind": "CronTab"}]
    v2 = (await call.get("/openapi/v2")).json
    assert v2["definitions"][own]["properties"]["metadata"]["$ref"].endswith("meta.v1.ObjectMeta")
    assert "default" not in v2["definitions"][own]["properties"]["spec"]["properties"]["replicas"]
    assert f"/apis/{GROUP}/v1/namespaces/{{namespace}}/crontabs/{{name}}" in v2["paths"]
    await declare.delete()
    assert own not in (await call.get("/openapi/v2")).json["definitions"]


async def test_openapi_v2_says_nothing_of_what_may_hold_anything(call: Caller, declare: Declared) -> None:
    free = {"type": "object", "description": "Free.", "x-kubernetes-preserve-unknown-fields": True}
    inner = {"free": free, "none": {"type": "string", "nullable": True}, "some": {"type": "string"}}
    spec = {"type": "object", "properties": inner, "required": ["none", "some"]}
    root = {"type": "object", "properties": {"spec": spec}}
    await declare(
        version("v1", schema={"openAPIV3Schema": root}), version("v2", schema={"openAPIV3Schema": {**free, **root}})
    )
    found = (await call.get("/openapi/v2")).json["definitions"]
    gvk = {"group": GROUP, "version": "v2", "kind": "CronTab"}
    assert found["com.example.stable.v2.CronTab"] == {"type": "object", "x-kubernetes-group-version-kind": [gvk]}
    assert found["com.example.stable.v1.CronTab"]["properties"]["spec"] == {
        "type": "object",
        "properties": {
            "free": {"description": "Free.", "x-kubernetes-preserve-unknown-fields": True},
            "none": {},
            "some": {"type": "string"},
        },
        "required": ["some"],
    }


async def test_versions_are_the_same_objects(call: Caller, declare: Declared) -> None:
    await declare(version("v1alpha1"), version())
    created = await make(call, cron="x")
    older = (await call.get(TABS.replace("/v1/", "/v1alpha1/") + "/one")).json
    assert older == {**created, "apiVersion": f"{GROUP}/v1alpha1"}
    patched = await call.patch(TABS.replace("/v1/", "/v1alpha1/") + "/one", {"spec": {"cron": "y"}})
    assert (patched.json["apiVersion"], patched.json["metadata"]["generation"]) == (f"{GROUP}/v1alpha1", 2)
    assert (await call.get(f"{TABS}/one")).json["spec"]["cron"] == "y"


async def test_its_columns(call: Caller, declare: Declared) -> None:
    await declare(FULL)
    await make(call, cron="* *")
    table = (await call.get(TABS, Accept=TABLE)).json
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Cron", "Replicas", "Ready", "Age"]
    assert table["rows"][0]["cells"] == ["one", "* *", 1, None, "0s"]


async def test_values_are_checked_against_the_schema(call: Caller, declare: Declared) -> None:
    await declare()
    refused = await call.post(TABS, crontab(replicas="x"))
    text = 'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"'
    assert (refused.status, refused.message) == (422, f'CronTab.{GROUP} "one" is invalid: {text}')
    await make(call)
    refused = await call.patch(f"{TABS}/one", {"spec": {"replicas": 0}})
    assert refused.message.endswith("spec.replicas in body should be greater than or equal to 1")


@pytest.mark.parametrize(("directive", "status"), [("Strict", 400), ("Warn", 201), ("Ignore", 201)])
async def test_unknown_fields(call: Caller, declare: Declared, directive: str, status: int) -> None:
    await declare()
    given = crontab(strange=1)
    given["metadata"]["odd"] = "x"
    answer = await call.post(f"{TABS}?fieldValidation={directive}", given)
    assert answer.status == status
    if directive == "Strict":
        text = 'strict decoding error: unknown field "metadata.odd", unknown field "spec.strange"'
        assert answer.message == f'CronTab in version "v1" cannot be handled as a CronTab: {text}'
    else:
        assert "strange" not in answer.json["spec"]
        assert len(answer.warnings) == (2 if directive == "Warn" else 0)


async def test_status_and_spec_are_apart(call: Caller, declare: Declared) -> None:
    await declare(FULL)
    created = await make(call)
    assert "status" not in created
    both = {"spec": {"replicas": 5}, "status": {"replicas": 2}, "metadata": {"labels": {"a": "b"}}}
    of_status = (await call.patch(f"{TABS}/one/status", both)).json
    assert (of_status["spec"]["replicas"], of_status["status"]) == (1, {"replicas": 2})
    assert (of_status["metadata"]["generation"], "labels" in of_status["metadata"]) == (1, False)
    of_spec = (await call.patch(f"{TABS}/one", {**both, "status": {"replicas": 9}})).json
    assert (of_spec["spec"]["replicas"], of_spec["status"], of_spec["metadata"]["generation"]) == (
        5,
        {"replicas": 2},
        2,
    )
    refused = await call.patch(f"{TABS}/one/status", {"status": {"replicas": "x"}})
    assert refused.status == 422


async def test_scale(call: Caller, declare: Declared) -> None:
    await declare(FULL)
    await make(call)
    await call.patch(f"{TABS}/one/status", {"status": {"replicas": 1, "selector": "a=b"}})
    scale = (await call.get(f"{TABS}/one/scale")).json
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 1, "selector": "a=b"})
    assert (await call.patch(f"{TABS}/one/scale", {"spec": {"replicas": 4}})).json["spec"] == {"replicas": 4}
    assert (await call.get(f"{TABS}/one")).json["spec"] == {"replicas": 4}
    table = (await call.get(f"{TABS}/one/scale", Accept=TABLE)).json
    assert table["rows"][0]["cells"] == ["one", 4, 1, "0s"]


async def apply(call: Caller, manager: str, config: Obj, **query: str) -> Reply:
    asked = "&".join(f"{key}={value}" for key, value in {"fieldManager": manager, **query}.items())
    return await call.patch(f"{TABS}/one?{asked}", msgspec.json.encode(config), APPLY)


async def test_finalizers_may_have_any_name_but_it_is_said(call: Caller, declare: Declared) -> None:
    await declare()
    one = crontab(cron="x")
    one["metadata"]["finalizers"] = ["test-finalizer", "example.com/mine"]
    created = await call.post(TABS, one)
    text = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other"
    said = ['299 - "metadata.finalizers: \\"test-finalizer\\": ' + text + ' finalizer writers"']
    assert (created.status, created.warnings) == (201, said)
    assert (await call.put(f"{TABS}/one", created.json)).warnings == []
    more = await call.patch(f"{TABS}/one?fieldManager=m", {"metadata": {"finalizers": ["test-finalizer", "again"]}})
    assert ["again" in warning for warning in more.warnings] == [True]
    one["metadata"] = {"name": "two", "finalizers": ["no finalizer"]}
    assert (await call.post(TABS, one)).status == 422


async def test_server_side_apply_merges_by_the_schema(call: Caller, declare: Declared) -> None:
    await declare()
    assert (await apply(call, "a", crontab(ports=[{"port": 1, "name": "x"}]))).status == 201
    merged = await apply(call, "b", crontab(ports=[{"port": 2}]))
    assert merged.json["spec"]["ports"] == [{"port": 1, "name": "x"}, {"port": 2}]
    conflict = await apply(call, "b", crontab(ports=[{"port": 1, "name": "y"}]))
    assert conflict.message == 'Apply failed with 1 conflict: conflict with "a": .spec.ports[port=1].name'
    unknown = await apply(call, "a", {**crontab(), "strange": 1}, fieldValidation="Strict")
    assert ".strange: field not declared in schema" in unknown.message


async def test_strategic_merges_need_more_than_a_schema(call: Caller, declare: Declared) -> None:
    await declare()
    await make(call)
    refused = await call.patch(f"{TABS}/one", {}, STRATEGIC)
    assert (refused.status, "strategic" in refused.message) == (415, False)


async def test_defaults_that_come_later_show_in_what_is_there(call: Caller, declare: Declared) -> None:
    await declare()
    await make(call)
    spec = {**SPEC_SCHEMA, "properties": {**SPEC_SCHEMA["properties"], "late": {"type": "string", "default": "d"}}}
    await declare.change(version(spec=spec))
    assert (await call.get(f"{TABS}/one")).json["spec"]["late"] == "d"
    assert (await call.get(TABS)).json["items"][0]["spec"]["late"] == "d"
    (event,) = await call.events(f"{TABS}?watch=1", 1)
    assert event["object"]["spec"]["late"] == "d"


async def test_fields_to_select_by(call: Caller, declare: Declared) -> None:
    await declare(version(selectableFields=[{"jsonPath": ".spec.cron"}]))
    await make(call, "one", cron="a")
    await make(call, "two", cron="b")
    assert (await call.get(f"{TABS}?fieldSelector=spec.cron%3Db")).names == ["two"]
    assert (await call.get(f"{TABS}?fieldSelector=spec.x%3Db")).message == "field label not supported: spec.x"


async def test_a_kind_that_is_going_takes_nothing_new(call: Caller, declare: Declared, registry: Registry) -> None:
    await declare()
    held = crontab()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await call.post(TABS, held)
    await declare.delete()
    assert (await call.post(TABS, crontab("two"))).status == 405
    assert (await call.get(f"{TABS}/one")).json["metadata"]["deletionTimestamp"]


async def test_deprecated_versions_say_so(call: Caller, declare: Declared) -> None:
    await declare(version(deprecated=True))
    answer = await call.post(TABS, crontab())
    assert answer.warnings == [f'299 - "{GROUP}/v1 CronTab is deprecated"']


async def test_schemaless_objects_are_kept_as_they_are(call: Caller, declare: Declared) -> None:
    await declare(version(schema={"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}))
    created = await call.post(f"{TABS}?fieldValidation=Strict", {**crontab(any={"thing": [1]}), "more": None})
    assert (created.json["spec"], created.json["more"]) == ({"any": {"thing": [1]}}, None)


async def test_cluster_scoped_kinds(call: Caller, declare: Declared) -> None:
    await declare(scope="Cluster")
    made = await call.post(f"/apis/{GROUP}/v1/crontabs", crontab())
    assert (made.status, "namespace" in made.json["metadata"]) == (201, False)
    assert (await call.get(TABS)).status == 404
