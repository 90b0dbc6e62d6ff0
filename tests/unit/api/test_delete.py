"""Deletes: options in body or query, preconditions, propagation, grace, collections."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.registry.registry import Registry
from tests.unit.api.caller import APPS, CORE, Caller, config_map, deployment, pod

MAPS = f"{CORE}/configmaps"
DEPLOYMENT = f"{APPS}/deployments/web"


async def test_most_kinds_answer_with_a_status(call: Caller) -> None:
    uid = (await call.post(f"{APPS}/deployments", deployment())).json["metadata"]["uid"]
    answer = await call.delete(DEPLOYMENT, {"propagationPolicy": "Background"})
    assert (answer.status, answer.json) == (
        200,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": "web", "group": "apps", "kind": "deployments", "uid": uid},
        },
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CORE}/pods", pod("x")),
        (f"{CORE}/serviceaccounts", {}),
        ("/apis/storage.k8s.io/v1/storageclasses", {"provisioner": "example.com/p"}),
        (f"{CORE}/services", {"spec": {"ports": [{"port": 80}]}}),
    ],
)
async def test_some_kinds_answer_with_what_is_gone(call: Caller, path: str, body: Any) -> None:
    await call.post(path, {**body, "metadata": {"name": "x"}})
    answer = await call.delete(f"{path}/x")
    assert (answer.status, answer.json["metadata"]["name"]) == (200, "x")
    assert (await call.get(f"{path}/x")).status == 404


async def test_what_is_missing(call: Caller) -> None:
    answer = await call.delete(f"{MAPS}/a")
    assert (answer.status, answer.message) == (404, 'configmaps "a" not found')


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
@pytest.mark.parametrize("place", ["body", "query"])
async def test_propagation_marks_the_object(call: Caller, policy: str, finalizer: str, place: str) -> None:
    await call.post(f"{APPS}/deployments", deployment())
    if place == "body":
        answer = await call.delete(DEPLOYMENT, {"kind": "DeleteOptions", "propagationPolicy": policy})
    else:
        answer = await call.delete(f"{DEPLOYMENT}?propagationPolicy={policy}")
    assert answer.json["metadata"]["finalizers"] == [finalizer]


async def test_the_old_form_of_orphaning(call: Caller) -> None:
    await call.post(f"{APPS}/deployments", deployment())
    assert (await call.delete(DEPLOYMENT, {"orphanDependents": True})).json["metadata"]["finalizers"] == ["orphan"]


async def test_a_body_makes_the_query_void(call: Caller) -> None:
    await call.post(f"{APPS}/deployments", deployment())
    answer = await call.delete(f"{DEPLOYMENT}?propagationPolicy=Orphan", {"propagationPolicy": "Background"})
    assert answer.json["status"] == "Success"


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"propagationPolicy": "Maybe"}, 422, 'propagationPolicy: Unsupported value: "Maybe"'),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, 422, "cannot be both set"),
        ({"dryRun": ["Some"]}, 422, "dryRun: Unsupported value"),
        ({"gracePeriodSeconds": "soon"}, 400, "gracePeriodSeconds"),
        ({"preconditions": {"uid": "other"}}, 409, "the UID in the precondition (other) does not match the UID in"),
        (
            {"preconditions": {"resourceVersion": "1"}},
            409,
            "the ResourceVersion in the precondition (1) does not match",
        ),
        ([], 400, "the request body must be an object"),
        (b"{", 400, ""),
    ],
)
async def test_options_that_are_refused(call: Caller, options: Any, status: int, message: str) -> None:
    await call.post(MAPS, config_map())
    answer = await call.delete(f"{MAPS}/a", options)
    assert answer.status == status
    assert message in answer.message
    assert (await call.get(f"{MAPS}/a")).status == 200


async def test_preconditions_that_hold(call: Caller) -> None:
    metadata = (await call.post(MAPS, config_map())).json["metadata"]
    wanted = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    assert (await call.delete(f"{MAPS}/a", {"preconditions": wanted})).status == 200


@pytest.fixture
async def running(call: Caller, registry: Registry) -> str:
    """The path of a pod that is bound to a node."""
    await call.post(f"{CORE}/pods", pod())
    registry.bind(registry.get("pods", "default", "web"), "node-1")
    return f"{CORE}/pods/web"


async def test_a_pod_on_a_node_ends_gracefully(call: Caller, running: str) -> None:
    first = await call.delete(running)
    assert (first.status, first.json["metadata"]["deletionGracePeriodSeconds"]) == (200, 30)
    later = await call.delete(running, {"gracePeriodSeconds": 60})
    assert later.json["metadata"]["deletionGracePeriodSeconds"] == 30
    sooner = await call.delete(running, {"gracePeriodSeconds": 5})
    assert sooner.json["metadata"]["deletionGracePeriodSeconds"] == 5
    assert sooner.json["metadata"]["deletionTimestamp"] < first.json["metadata"]["deletionTimestamp"]
    assert (await call.get(running)).status == 200


@pytest.mark.parametrize(("query", "seconds"), [("gracePeriodSeconds=7", 7), ("gracePeriodSeconds=-1", 1)])
async def test_grace_of_the_query(call: Caller, running: str, query: str, seconds: int) -> None:
    answer = await call.delete(f"{running}?{query}")
    assert answer.json["metadata"]["deletionGracePeriodSeconds"] == seconds


async def test_no_grace_removes_a_pod_at_once(call: Caller, running: str) -> None:
    assert (await call.delete(running, {"gracePeriodSeconds": 0})).json["kind"] == "Pod"
    assert (await call.get(running)).status == 404


async def test_a_collection_goes_by_selection(call: Caller) -> None:
    for name in ("a", "b", "c"):
        made = config_map(name)
        made["metadata"]["labels"] = {"name": name}
        await call.post(MAPS, made)
    answer = await call.delete(f"{MAPS}?labelSelector=name%20in%20(a,b)")
    assert (answer.status, answer.json["kind"], answer.names) == (200, "ConfigMapList", ["a", "b"])
    assert (await call.get(MAPS)).names == ["c"]
    assert (await call.delete(f"{MAPS}?fieldSelector=metadata.name%3Dc")).names == ["c"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 200),
        ({"propagationPolicy": "Background"}, 200),
        ({"propagationPolicy": "Orphan"}, 200),
        ({"propagationPolicy": "Foreground"}, 202),
        ({"orphanDependents": False}, 202),
    ],
)
async def test_a_deletion_that_waits_is_accepted_if_it_was_asked_to_cascade(
    call: Caller, options: Any, status: int
) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["example.com/held"]
    await call.post(MAPS, held)
    assert (await call.delete(f"{MAPS}/a", options)).status == status
    await call.post(MAPS, config_map("b"))
    assert (await call.delete(f"{MAPS}/b", {"orphanDependents": False})).status == 200  # gone at once


async def test_preconditions_hold_for_each_of_a_collection(call: Caller) -> None:
    await call.post(MAPS, config_map())
    refused = await call.delete(MAPS, {"preconditions": {"uid": "another"}})
    assert (refused.status, "does not match the UID in record" in refused.message) == (409, True)
    assert "a" in (await call.get(MAPS)).names


async def test_a_collection_of_pods_gets_its_grace(call: Caller, running: str) -> None:
    await call.delete(f"{CORE}/pods", {"gracePeriodSeconds": 9})
    assert (await call.get(running)).json["metadata"]["deletionGracePeriodSeconds"] == 9


@pytest.mark.parametrize("name", ["default", "kube-system"])
async def test_namespaces_of_the_system_stay(call: Caller, name: str) -> None:
    answer = await call.delete(f"/api/v1/namespaces/{name}")
    assert (answer.status, answer.message) == (
        403,
        f'namespaces "{name}" is forbidden: this namespace may not be deleted',
    )


async def test_namespaces_have_no_collection_to_delete(call: Caller) -> None:
    assert (await call.delete("/api/v1/namespaces")).status == 405


def protobuf(kind: str, message: bytes, version: str = "v1") -> bytes:
    """Kubernetes' envelope around a message."""

    def text(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    return b"k8s\0" + text(1, text(1, version.encode()) + text(2, kind.encode())) + text(2, message)


async def test_options_in_protobuf_as_go_clients_send_them(call: Caller, running: str) -> None:
    options = protobuf("DeleteOptions", b"\x08\x07" + b"\x22\x0aBackground")
    answer = await call("DELETE", running, options, "application/vnd.kubernetes.protobuf")
    assert (answer.status, answer.json["metadata"]["deletionGracePeriodSeconds"]) == (200, 7)


async def test_updates_in_protobuf(call: Caller) -> None:
    await call.post(MAPS, config_map())
    message = b"\x0a\x03\x0a\x01a" + b"\x12\x06\x0a\x01n\x12\x01w"  # metadata.name, data
    answer = await call("PUT", f"{MAPS}/a", protobuf("ConfigMap", message), "application/vnd.kubernetes.protobuf")
    assert (answer.status, answer.json["data"]) == (200, {"n": "w"})


@pytest.mark.parametrize(("query", "warned"), [("", True), ("?propagationPolicy=Background", False)])
async def test_deleting_a_job_warns_of_the_pods_that_stay(call: Caller, query: str, warned: bool) -> None:
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    template = {"spec": {**pod()["spec"], "restartPolicy": "Never"}}
    await call.post(jobs, {"metadata": {"name": "sum"}, "spec": {"template": template}})
    for path in (f"{jobs}/sum", jobs):
        answer = await call.delete(f"{path}{query}")
        assert answer.status == 200
        assert any("child pods are preserved by default" in text for text in answer.warnings) == warned


async def test_replication_controllers_leave_their_pods_without_a_word(call: Caller) -> None:
    collection = f"{CORE}/replicationcontrollers"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
    await call.post(collection, {"metadata": {"name": "rc"}, "spec": {"template": template}})
    answer = await call.delete(f"{collection}/rc")
    assert (answer.status, answer.json["metadata"]["finalizers"], answer.warnings) == (200, ["orphan"], [])
