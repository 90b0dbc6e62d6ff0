"""Create and update: what comes back, what is refused and how, dry runs, field validation."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.api.caller import APPS, CORE, STRATEGIC, Caller, config_map, deployment, pod

MAPS = f"{CORE}/configmaps"


async def test_created_objects_come_back(call: Caller) -> None:
    answer = await call.post(MAPS, config_map())
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/json")
    assert answer.json["metadata"]["uid"]
    assert (await call.get(f"{MAPS}/a")).json == answer.json


async def test_type_and_namespace_may_be_left_out(call: Caller) -> None:
    answer = await call.post(MAPS, {"metadata": {"name": "a"}})
    assert (answer.json["kind"], answer.json["metadata"]["namespace"]) == ("ConfigMap", "default")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "Secret", "apiVersion": "v1"}, "cannot be handled as a ConfigMap"),
        ({"kind": "ConfigMap", "apiVersion": "v2"}, "does not match the expected API version (v1)"),
        ({"metadata": {"name": "a", "namespace": "other"}}, "the namespace of the provided object does not match"),
        ({"metadata": {"name": "a", "resourceVersion": "7"}}, "resourceVersion should not be set on objects to be"),
        ([], "the request body must be an object"),
    ],
)
async def test_bodies_that_do_not_fit_the_path(call: Caller, body: Any, message: str) -> None:
    answer = await call.post(MAPS, body)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert message in answer.message


async def test_broken_json_is_refused(call: Caller) -> None:
    answer = await call.post(MAPS, b"{")
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")


async def test_yaml_and_unlabelled_bodies_are_read(call: Caller) -> None:
    yaml = b"metadata:\n  name: y\ndata:\n  k: v\n"
    assert (await call("POST", MAPS, yaml, "application/yaml")).json["data"] == {"k": "v"}
    answer = await call("POST", MAPS, msgspec.json.encode(config_map("n")), Content_Type="")
    assert answer.status == 201


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "application/cbor"])
async def test_other_media_types_are_refused(call: Caller, media: str) -> None:
    answer = await call("POST", MAPS, b"{}", media)
    assert (answer.status, answer.json["reason"]) == (415, "UnsupportedMediaType")
    assert "application/json, application/yaml, application/vnd.kubernetes.protobuf" in answer.message


async def test_three_megabytes_are_the_limit(call: Caller) -> None:
    answer = await call.post(MAPS, config_map("a", k="x" * 3 * 1024 * 1024))
    assert (answer.status, answer.json["reason"]) == (413, "RequestEntityTooLarge")
    assert answer.message == "Request entity too large: limit is 3145728"


async def test_what_exists_is_not_created_again(call: Caller) -> None:
    await call.post(MAPS, config_map())
    answer = await call.post(MAPS, config_map())
    assert answer.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "a" already exists',
        "reason": "AlreadyExists",
        "details": {"name": "a", "kind": "configmaps"},
        "code": 409,
    }


async def test_an_unknown_namespace_is_not_found(call: Caller) -> None:
    answer = await call.post("/api/v1/namespaces/nowhere/configmaps", config_map())
    assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')
    assert answer.json["details"] == {"name": "nowhere", "kind": "namespaces"}


async def test_nothing_is_created_in_a_terminating_namespace(call: Caller) -> None:
    await call.post("/api/v1/namespaces", {"metadata": {"name": "going"}})
    assert (await call.delete("/api/v1/namespaces/going")).json["status"]["phase"] == "Terminating"
    answer = await call.post("/api/v1/namespaces/going/configmaps", config_map())
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert answer.json["details"]["causes"][0]["reason"] == "NamespaceTerminating"


async def test_wrong_fields_are_named(call: Caller) -> None:
    answer = await call.post(MAPS, config_map("A_B"))
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert answer.message.startswith('ConfigMap "A_B" is invalid: metadata.name: Invalid value: "A_B": ')
    (cause,) = answer.json["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", "metadata.name")


async def test_neither_name_nor_prefix(call: Caller) -> None:
    answer = await call.post(MAPS, {"metadata": {}})
    assert answer.message == 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'


async def test_generated_names_avoid_what_is_there(call: Caller) -> None:
    names = {(await call.post(MAPS, {"metadata": {"generateName": "g-"}})).json["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5


@pytest.mark.parametrize(
    ("directive", "status", "warned"),
    [("Strict", 400, False), ("Warn", 201, True), ("", 201, True), ("Ignore", 201, False)],
)
async def test_unknown_fields(call: Caller, directive: str, status: int, warned: bool) -> None:
    answer = await call.post(f"{MAPS}?fieldValidation={directive}", {**config_map(), "dat": {}})
    assert answer.status == status
    assert answer.warnings == (['299 - "unknown field \\"dat\\""'] if warned else [])
    if status == 400:
        assert answer.message == (
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dat"'
        )


async def test_duplicate_keys(call: Caller) -> None:
    body = b'{"metadata":{"name":"a"},"data":{"k":"v"},"data":{"k":"w"}}'
    assert (await call.post(f"{MAPS}?fieldValidation=Strict", body)).message.endswith('duplicate field "data"')
    answer = await call.post(MAPS, body)
    assert answer.warnings == ['299 - "duplicate field \\"data\\""']
    assert answer.json["data"] == {"k": "w"}
    yaml = b"metadata:\n  name: b\ndata: {}\ndata: {k: v}\n"
    answer = await call("POST", f"{MAPS}?fieldValidation=Strict", yaml, "application/yaml")
    assert 'key "data" already set in map' in answer.message


async def test_wrong_types_are_refused_under_any_directive(call: Caller) -> None:
    answer = await call.post(f"{MAPS}?fieldValidation=Ignore", {**config_map(), "data": {"k": 1}})
    assert answer.status == 400
    assert "json: cannot unmarshal number into Go struct field ConfigMap.data of type string" in answer.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("dryRun=Some", 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        (
            "fieldValidation=Loose",
            'fieldValidation: Unsupported value: "Loose": supported values: "Ignore", "Warn", "Strict"',
        ),
        (f"fieldManager={'m' * 129}", "fieldManager: Too long: may not be more than 128 bytes"),
    ],
)
async def test_write_options_are_checked(call: Caller, query: str, message: str) -> None:
    for method, path, kind in (
        ("POST", MAPS, "CreateOptions"),
        ("PUT", f"{MAPS}/a", "UpdateOptions"),
        ("PATCH", f"{MAPS}/a", "PatchOptions"),
    ):
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = await call(method, f"{path}?{query}", config_map(), media)
        assert (answer.status, answer.message) == (422, f'{kind}.meta.k8s.io "" is invalid: {message}')


async def test_a_dry_run_changes_nothing(call: Caller, registry: Registry) -> None:
    kept = (await call.post(MAPS, config_map())).json
    before = registry.store.revision
    created = await call.post(f"{MAPS}?dryRun=All", config_map("b"))
    assert created.status == 201
    assert created.json["metadata"]["uid"]
    assert "resourceVersion" not in created.json["metadata"]
    assert (await call.put(f"{MAPS}/a?dryRun=All", config_map("a", k="w"))).json["data"] == {"k": "w"}
    assert (await call.patch(f"{MAPS}/a?dryRun=All", {"data": {"k": "w"}})).json["data"] == {"k": "w"}
    assert (await call.delete(f"{MAPS}/a?dryRun=All")).json["status"] == "Success"
    assert (await call.delete(f"{MAPS}/a", {"dryRun": ["All"]})).status == 200
    assert (await call.delete(f"{MAPS}?dryRun=All")).names == ["a"]
    assert registry.store.revision == before
    assert (await call.get(f"{MAPS}/a")).json == kept


async def test_a_dry_run_is_refused_as_the_real_thing(call: Caller) -> None:
    await call.post(MAPS, config_map())
    assert (await call.post(f"{MAPS}?dryRun=All", config_map())).status == 409
    assert (await call.post(f"{MAPS}?dryRun=All", config_map("A_B"))).status == 422


async def test_update_replaces(call: Caller) -> None:
    old = (await call.post(MAPS, config_map())).json
    answer = await call.put(f"{MAPS}/a", {**old, "data": {"n": "w"}})
    assert (answer.status, answer.json["data"]) == (200, {"n": "w"})
    assert answer.json["metadata"]["resourceVersion"] > old["metadata"]["resourceVersion"]


async def test_update_without_a_version_takes_the_newest(call: Caller) -> None:
    await call.post(MAPS, config_map())
    assert (await call.put(f"{MAPS}/a", config_map("a", n="w"))).json["data"] == {"n": "w"}


async def test_update_of_an_old_version_conflicts(call: Caller) -> None:
    old = (await call.post(MAPS, config_map())).json
    await call.put(f"{MAPS}/a", {**old, "data": {}})
    answer = await call.put(f"{MAPS}/a", old)
    assert (answer.status, answer.json["reason"]) == (409, "Conflict")
    assert answer.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert answer.json["details"] == {"name": "a", "kind": "configmaps"}


def other_name(obj: Obj) -> None:
    obj["metadata"]["name"] = "b"


def no_name(obj: Obj) -> None:
    del obj["metadata"]["name"]


def other_namespace(obj: Obj) -> None:
    obj["metadata"]["namespace"] = "kube-system"


def other_creation(obj: Obj) -> None:
    obj["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"


def doomed(obj: Obj) -> None:
    obj["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z"


def other_uid(obj: Obj) -> None:
    obj["metadata"]["uid"] = "other"


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (other_name, 400, "the name of the object (b) does not match the name on the URL (a)"),
        (no_name, 400, "the name of the object (a based on URL) was undeterminable: name must be provided"),
        (other_namespace, 400, "the namespace of the provided object does not match the namespace sent on the request"),
        (other_creation, 422, "metadata.creationTimestamp: Invalid value"),
        (doomed, 422, "metadata.deletionTimestamp: Invalid value"),
        (other_uid, 409, "Precondition failed: UID in precondition: other, UID in object meta: "),
    ],
)
async def test_update_keeps_identity(call: Caller, change: Any, status: int, message: str) -> None:
    obj = (await call.post(MAPS, config_map())).json
    change(obj)
    answer = await call.put(f"{MAPS}/a", obj)
    assert answer.status == status
    assert message in answer.message


async def test_update_of_what_is_missing(call: Caller) -> None:
    answer = await call.put(f"{MAPS}/a", config_map())
    assert (answer.status, answer.json["reason"]) == (404, "NotFound")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CORE}/endpoints/x", {}),
        (f"{CORE}/services/x", {"spec": {"ports": [{"port": 80}]}}),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases/x", {"spec": {"holderIdentity": "me"}}),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/x", {"rules": []}),
    ],
)
async def test_some_kinds_are_created_by_update(call: Caller, path: str, body: Obj) -> None:
    answer = await call.put(path, {"metadata": {"name": "x", "resourceVersion": "7"}, **body})
    assert (answer.status, answer.json["metadata"]["name"]) == (201, "x")


async def test_leases_are_updated_under_a_version_only(call: Caller) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    lease = (await call.post(path, {"metadata": {"name": "x"}, "spec": {"holderIdentity": "me"}})).json
    answer = await call.put(f"{path}/x", {"metadata": {"name": "x"}, "spec": {"holderIdentity": "you"}})
    assert (answer.status, answer.message) == (
        422,
        'Lease.coordination.k8s.io "x" is invalid: metadata.resourceVersion: Invalid value: 0x0: '
        "must be specified for an update",
    )
    lease["spec"]["holderIdentity"] = "you"
    assert (await call.put(f"{path}/x", lease)).status == 200


async def test_an_update_without_a_change_keeps_the_version(call: Caller) -> None:
    old = (await call.post(MAPS, config_map())).json
    assert (await call.put(f"{MAPS}/a", old)).json == old


async def test_status_belongs_to_its_subresource(call: Caller) -> None:
    made = (await call.post(f"{APPS}/deployments", deployment(replicas=2))).json
    main = await call.patch(f"{APPS}/deployments/web", {"status": {"replicas": 7}, "spec": {"replicas": 3}})
    assert (main.json["status"], main.json["spec"]["replicas"], main.json["metadata"]["generation"]) == ({}, 3, 2)
    status = await call.patch(f"{APPS}/deployments/web/status", {"status": {"replicas": 7}, "spec": {"replicas": 9}})
    assert (status.json["status"], status.json["spec"]["replicas"]) == ({"replicas": 7}, 3)
    assert status.json["metadata"]["generation"] == 2
    put = await call.put(
        f"{APPS}/deployments/web/status", {**made, "metadata": {"name": "web"}, "status": {"replicas": 1}}
    )
    assert put.json["status"] == {"replicas": 1}
    assert (await call.get(f"{APPS}/deployments/web/status")).json == put.json


async def test_finalizers_of_a_doomed_object(call: Caller) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await call.post(MAPS, held)
    marked = (await call.delete(f"{MAPS}/a")).json
    assert marked["metadata"]["deletionTimestamp"]
    more = await call.patch(f"{MAPS}/a", {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    assert more.status == 422
    assert "no new finalizers can be added if the object is being deleted" in more.message
    again = await call.post(MAPS, config_map())
    assert again.message == 'object is being deleted: configmaps "a" already exists'
    released = await call.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}})
    assert released.status == 200
    assert (await call.get(f"{MAPS}/a")).status == 404


async def test_warnings_of_a_kind_travel_as_headers(call: Caller) -> None:
    old = pod(annotations={"container.apparmor.security.beta.kubernetes.io/c": "runtime/default"})
    answer = await call.post(f"{CORE}/pods", old)
    assert answer.status == 201
    assert any("deprecated" in warning for warning in answer.warnings)
    assert (await call.get(f"{CORE}/pods/web")).warnings == []
    assert (await call.patch(f"{CORE}/pods/web", {"metadata": {"labels": {"a": "b"}}}, STRATEGIC)).status == 200
