"""Server-side apply over HTTP: ownership, conflicts, taking over from client-side apply, what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml

from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from tests.unit.api.caller import APPLY, APPS, CORE, JSON_PATCH, MERGE, Caller, Reply, config_map, deployment, pod
from tests.unit.conftest import Clock

MAPS = f"{CORE}/configmaps"
DEPLOYMENT = f"{APPS}/deployments/web"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def apply(call: Caller, path: str, config: Obj, manager: str = "me", query: str = "") -> Reply:
    return await call.patch(f"{path}?fieldManager={manager}{query}", config, APPLY)


def managers(obj: Obj) -> list[tuple[str, str]]:
    return [(entry["manager"], entry["operation"]) for entry in obj["metadata"].get("managedFields", ())]


def fields(obj: Obj, manager: str) -> Any:
    (entry,) = [entry for entry in obj["metadata"]["managedFields"] if entry["manager"] == manager]
    return entry["fieldsV1"]


async def test_an_older_version_is_applied_to_the_stored_one(call: Caller) -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    config: dict[str, Any] = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": ref, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50},
    }
    older, newer = (
        f"/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers/web" for version in ("v1", "v2")
    )
    assert (await apply(call, older, config)).status == 201
    config["spec"]["targetCPUUtilizationPercentage"] = 60
    answer = await apply(call, older, config)
    assert (answer.status, answer.json["spec"]["targetCPUUtilizationPercentage"]) == (200, 60)
    (metric,) = (await call.get(newer)).json["spec"]["metrics"]
    assert metric["resource"]["target"]["averageUtilization"] == 60


async def test_the_first_apply_creates(call: Caller) -> None:
    answer = await apply(call, DEPLOYMENT, deployment(replicas=2))
    assert answer.status == 201
    obj = answer.json
    assert obj["spec"]["strategy"]["type"] == "RollingUpdate"
    assert obj["metadata"]["managedFields"] == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:template": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}},
                    },
                }
            },
        }
    ]
    assert (await call.get(DEPLOYMENT)).json == obj


async def test_the_same_again_writes_nothing(call: Caller, clock: Clock) -> None:
    first = (await apply(call, DEPLOYMENT, deployment())).json
    clock.advance(60)
    again = await apply(call, DEPLOYMENT, deployment())
    assert (again.status, again.json) == (200, first)


async def test_yaml_is_read(call: Caller) -> None:
    content = yaml.safe_dump(config_map()).encode()
    answer = await call.patch(f"{MAPS}/a?fieldManager=me", content, APPLY)
    assert (answer.status, answer.json["data"]) == (201, {"k": "v"})


async def test_fields_no_longer_applied_are_removed(call: Caller) -> None:
    config = deployment(replicas=2, minReadySeconds=5)
    config["spec"]["template"]["spec"]["containers"][0] |= {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80}],
    }
    await apply(call, DEPLOYMENT, config)
    config = deployment()
    config["spec"]["template"]["spec"]["containers"][0] |= {"env": [{"name": "B", "value": "2"}]}
    spec = (await apply(call, DEPLOYMENT, config)).json["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "B", "value": "2"}]
    assert "ports" not in container
    assert "minReadySeconds" not in spec
    assert spec["replicas"] == 1


async def test_the_only_label_can_be_dropped_and_the_last_owned_field_too(call: Caller) -> None:
    labelled = config_map()
    labelled["metadata"]["labels"] = {"only": "one"}
    await apply(call, f"{MAPS}/a", labelled)
    without = await apply(call, f"{MAPS}/a", config_map())
    assert (without.status, without.json["data"]) == (200, {"k": "v"})
    assert "labels" not in without.json["metadata"]
    bare = {key: value for key, value in config_map().items() if key != "data"}
    nothing = await apply(call, f"{MAPS}/a", bare)
    assert (nothing.status, nothing.json["metadata"]["name"]) == (200, "a")
    assert not {"data"} & set(nothing.json)
    assert "managedFields" not in nothing.json["metadata"]


async def test_ports_are_told_apart_with_their_default_protocol(call: Caller) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]},
    }
    assert (await apply(call, f"{CORE}/services/s", service)).status == 201
    service["spec"] = {"ports": [{"port": 80, "name": "a", "targetPort": 8080}]}
    answer = (await apply(call, f"{CORE}/services/s", service)).json
    (port,) = answer["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["protocol"]) == (80, 8080, "TCP")
    assert 'k:{"port":80,"protocol":"TCP"}' in fields(answer, "me")["f:spec"]["f:ports"]


async def test_a_conflict_is_named(call: Caller) -> None:
    await apply(call, DEPLOYMENT, deployment(replicas=2))
    config = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    answer = await apply(call, DEPLOYMENT, config, "you")
    assert (answer.status, answer.json["reason"]) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "me": .spec.replicas'
    assert answer.json["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".spec.replicas"}
    ]


async def test_conflicts_are_listed_by_their_owners(call: Caller) -> None:
    await apply(call, f"{MAPS}/a", config_map("a", k="1", l="1", m="1"))
    await call.patch(f"{MAPS}/a?fieldManager=editor", {"data": {"m": "2"}})
    answer = await apply(call, f"{MAPS}/a", config_map("a", k="2", l="2", m="3"), "you")
    assert answer.message == (
        'Apply failed with 3 conflicts: conflicts with "editor" using v1:\n- .data.m\n'
        'conflicts with "me":\n- .data.k\n- .data.l'
    )


async def test_force_takes_over(call: Caller) -> None:
    await apply(call, f"{MAPS}/a", config_map("a", k="1", l="1"))
    answer = await apply(call, f"{MAPS}/a", config_map("a", k="2"), "you", "&force=true")
    assert (answer.status, answer.json["data"]) == (200, {"k": "2", "l": "1"})
    assert fields(answer.json, "me") == {"f:data": {"f:l": {}}}
    assert fields(answer.json, "you") == {"f:data": {"f:k": {}}}


async def test_updates_are_tracked_once_something_was_applied(call: Caller) -> None:
    await apply(call, f"{MAPS}/a", config_map("a", k="1"))
    answer = await call.patch(f"{MAPS}/a", {"data": {"k": "2"}}, MERGE, User_Agent="kubectl/v1.32 (linux/amd64)")
    assert managers(answer.json) == [("kubectl", "Update")]
    put = await call.put(f"{MAPS}/a?fieldManager=other", config_map("a", n="1"))
    assert managers(put.json) == [("other", "Update")]
    assert fields(put.json, "other") == {"f:data": {"f:n": {}}}


async def test_what_clients_create_is_theirs(call: Caller) -> None:
    created = (await call.post(f"{MAPS}?fieldManager=me", config_map("a", k="1", l="1"))).json
    (entry,) = created["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("me", "Update", "v1")
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:k": {}, "f:l": {}}}
    changed = await call.patch(f"{MAPS}/a?fieldManager=other", {"data": {"k": "w"}})
    assert managers(changed.json) == [("me", "Update"), ("other", "Update")]


async def test_the_status_is_not_its_creators(call: Caller) -> None:
    created = (await call.post(f"{DEPLOYMENT.rpartition('/')[0]}?fieldManager=me", deployment())).json
    (entry,) = created["metadata"]["managedFields"]
    assert set(entry["fieldsV1"]) == {"f:spec"}
    assert "f:progressDeadlineSeconds" in entry["fieldsV1"]["f:spec"]


async def test_what_the_control_plane_creates_carries_no_owners(call: Caller, registry: Registry) -> None:
    registry.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
    assert managers((await call.patch(f"{MAPS}/a?fieldManager=me", {"data": {"k": "w"}})).json) == []


async def test_what_was_there_before_belongs_to_before_first_apply(call: Caller, registry: Registry) -> None:
    registry.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "1", "l": "1"}})
    answer = await apply(call, f"{MAPS}/a", config_map("a", k="2"))
    assert answer.message == 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.k'
    forced = await apply(call, f"{MAPS}/a", config_map("a", k="2"), "me", "&force=true")
    assert managers(forced.json) == [("me", "Apply"), ("before-first-apply", "Update")]
    assert forced.json["data"] == {"k": "2", "l": "1"}


async def client_side(call: Caller, config: Obj) -> None:
    """As `kubectl apply` creates it."""
    text = json.dumps(config)
    annotated = {**config, "metadata": {**config["metadata"], "annotations": {LAST_APPLIED: text}}}
    await call.post(f"{MAPS}?fieldManager=kubectl-client-side-apply", annotated)


async def test_kubectl_takes_over_from_client_side_apply(call: Caller) -> None:
    await client_side(call, config_map("a", k="1", l="1"))
    answer = await apply(call, f"{MAPS}/a", config_map("a", k="2"), "kubectl")
    assert answer.status == 200
    assert managers(answer.json) == [("kubectl", "Apply"), ("kubectl-client-side-apply", "Update")]
    # What kubectl sends next: the old manager's fields made its own, then the same apply again.
    owners = answer.json["metadata"]["managedFields"]
    mine = {**owners[0], "fieldsV1": {"f:data": {".": {}, "f:k": {}, "f:l": {}}}}
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": [mine]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": answer.json["metadata"]["resourceVersion"]},
    ]
    moved = await call.patch(f"{MAPS}/a?fieldManager=kubectl", patch, JSON_PATCH)
    assert managers(moved.json) == [("kubectl", "Apply")]
    last = await apply(call, f"{MAPS}/a", config_map("a", k="2"), "kubectl")
    assert last.json["data"] == {"k": "2"}


async def test_client_side_apply_finds_what_kubectl_applied_last(call: Caller) -> None:
    await client_side(call, config_map("a", k="1"))
    answer = (await apply(call, f"{MAPS}/a", config_map("a", k="2"), "kubectl")).json
    remembered = json.loads(answer["metadata"]["annotations"][LAST_APPLIED])
    assert remembered["data"] == {"k": "2"}
    again = (await apply(call, f"{MAPS}/a", config_map("a", k="2"), "kubectl")).json
    assert again["metadata"]["resourceVersion"] == answer["metadata"]["resourceVersion"]


async def test_others_ask_client_side_apply(call: Caller) -> None:
    await client_side(call, config_map("a", k="1"))
    answer = await apply(call, f"{MAPS}/a", config_map("a", k="2"), "helm")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .data.k'


async def test_what_changed_since_client_side_apply_is_a_conflict_for_kubectl_too(call: Caller) -> None:
    await client_side(call, config_map("a", k="1"))
    await call.patch(f"{MAPS}/a", {"data": {"k": "edited"}})
    answer = await apply(call, f"{MAPS}/a", config_map("a", k="2"), "kubectl")
    assert answer.status == 409


async def test_owners_can_be_reset(call: Caller) -> None:
    await apply(call, f"{MAPS}/a", config_map())
    answer = await call.patch(f"{MAPS}/a", {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in answer.json["metadata"]


async def test_the_status_has_owners_of_its_own(call: Caller) -> None:
    await call.post(f"{CORE}/pods", pod())
    condition = {"type": "Mine", "status": "True"}
    base = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}}
    answer = await apply(call, f"{CORE}/pods/web/status", {**base, "status": {"conditions": [condition]}})
    assert answer.status == 200
    assert any(entry["type"] == "Mine" for entry in answer.json["status"]["conditions"])
    (entry,) = [entry for entry in answer.json["metadata"]["managedFields"] if entry["manager"] == "me"]
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {
        "f:status": {"f:conditions": {'k:{"type":"Mine"}': {".": {}, "f:status": {}, "f:type": {}}}}
    }
    main = await apply(call, f"{CORE}/pods/web", {**base, "status": {"phase": "Failed"}}, "me")
    assert main.json["status"]["phase"] == "Pending"


async def test_a_scale_can_be_applied(call: Caller) -> None:
    await apply(call, DEPLOYMENT, deployment())
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 4}}
    assert (await apply(call, f"{DEPLOYMENT}/scale", scale, "you", "&force=true")).json["spec"] == {"replicas": 4}
    stored = (await call.get(DEPLOYMENT)).json
    assert stored["spec"]["replicas"] == 4
    assert fields(stored, "you") == {"f:spec": {"f:replicas": {}}}


async def test_a_dry_run_leaves_nothing(call: Caller, registry: Registry) -> None:
    before = registry.store.revision
    answer = await apply(call, f"{MAPS}/a", config_map(), "me", "&dryRun=All")
    assert (answer.status, managers(answer.json)) == (201, [("me", "Apply")])
    assert registry.store.revision == before


async def test_controllers_take_part(call: Caller, registry: Registry) -> None:
    await apply(call, DEPLOYMENT, deployment(replicas=2))
    registry.patch("deployments", "default", "web", {"metadata": {"annotations": {"revision": "1"}}})
    registry.patch("deployments", "default", "web", {"status": {"replicas": 2}}, "status")
    answer = await apply(call, DEPLOYMENT, deployment(replicas=2))
    assert [entry[:2] for entry in managers(answer.json)] == [
        ("me", "Apply"),
        ("kube-controller-manager", "Update"),
        ("kube-controller-manager", "Update"),
    ]
    assert answer.json["metadata"]["annotations"] == {"revision": "1"}
    assert answer.json["status"] == {"replicas": 2}


async def test_quantities_are_compared_by_value(call: Caller) -> None:
    config = deployment()
    config["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "0.5"}}
    first = (await apply(call, DEPLOYMENT, config)).json
    assert (await apply(call, DEPLOYMENT, config)).json == first


@pytest.mark.parametrize(
    ("query", "change", "status", "message"),
    [
        ("", {}, 422, "fieldManager: Required value: is required for apply patch"),
        ("fieldManager=me", {"apiVersion": "v2"}, 400, "Specified patch version: v2, expected: v1"),
        ("fieldManager=me", {"kind": "Secret"}, 400, "Incorrect kind specified in apply patch"),
        ("fieldManager=me", {"metadata": {"name": "b"}}, 400, "does not match the name on the URL (a)"),
        ("fieldManager=me", {"metadata": {"managedFields": []}}, 400, "metadata.managedFields must be nil"),
        (
            "fieldManager=me",
            {"dat": {}},
            500,
            "failed to create typed patch object (default/a; v1, Kind=ConfigMap): .dat: field not declared in schema",
        ),
        ("fieldManager=me", {"data": {"k": 1}}, 500, "failed to create typed patch object"),
        ("fieldManager=me", {"data": {"k k": "v"}}, 422, "data[k k]: Invalid value"),
        ("fieldManager=me", {"metadata": {"name": "a", "resourceVersion": "1"}}, 409, "the object has been modified"),
    ],
)
async def test_configurations_that_are_refused(
    call: Caller, query: str, change: Obj, status: int, message: str
) -> None:
    await call.post(MAPS, config_map())
    answer = await call.patch(f"{MAPS}/a?{query}", {**config_map(), **change}, APPLY)
    assert answer.status == status
    assert message in answer.message


async def test_duplicate_keys_of_a_configuration(call: Caller) -> None:
    content = msgspec.json.encode(config_map())[:-1] + b',"data":{"k":"w"}}'
    warned = await call.patch(f"{MAPS}/a?fieldManager=me", content, APPLY)
    assert warned.warnings == ['299 - "line 1: key \\"data\\" already set in map"']
    strict = await call.patch(f"{MAPS}/a?fieldManager=me&fieldValidation=Strict", content, APPLY)
    assert (strict.status, strict.message) == (
        400,
        'error strict decoding YAML: yaml: unmarshal errors:\n  line 1: key "data" already set in map',
    )


async def test_a_uid_names_an_object_that_is_there(call: Caller) -> None:
    named = config_map()
    named["metadata"]["uid"] = "u-1"
    ghost = await apply(call, f"{MAPS}/a", named)
    assert (ghost.status, ghost.json["reason"]) == (409, "Conflict")
    assert ghost.message.endswith(
        "uid mismatch: the provided object specified uid u-1, and no existing object was found"
    )
    await call.post(MAPS, config_map())
    other = await apply(call, f"{MAPS}/a", named)
    assert (other.status, "metadata.uid: Invalid value" in other.message) == (422, True)


@pytest.mark.parametrize("wrong", [{"operation": "Bogus"}, {"fieldsType": "FieldsV2"}, {"apiVersion": ""}])
async def test_owners_that_a_client_wrote_wrongly_are_not_taken(call: Caller, wrong: Obj) -> None:
    before = (await apply(call, f"{MAPS}/a", config_map())).json["metadata"]["managedFields"]
    entry = {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    answer = await call.patch(f"{MAPS}/a", {"metadata": {"managedFields": [entry | wrong]}})
    assert (answer.status, answer.json["metadata"]["managedFields"]) == (200, before)


async def test_a_subresource_is_not_created(call: Caller) -> None:
    answer = await apply(call, f"{CORE}/pods/web/status", pod())
    assert (answer.status, answer.message) == (404, 'pods "web" not found')
