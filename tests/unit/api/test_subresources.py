"""Scale, binding, eviction, finalize, token, logs, reviews."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.patch_merge import merge_patch
from kubelite.registry.registry import Registry
from tests.unit.api.caller import APPS, CORE, JSON_PATCH, STRATEGIC, Caller, FakeStreams, deployment, pod

DEPLOYMENT = f"{APPS}/deployments/web"
POD = f"{CORE}/pods/web"


@pytest.fixture
async def scaled(call: Caller) -> str:
    await call.post(f"{APPS}/deployments", deployment(replicas=2))
    return f"{DEPLOYMENT}/scale"


async def test_scale_is_a_view_of_the_workload(call: Caller, scaled: str) -> None:
    answer = (await call.get(scaled)).json
    stored = (await call.get(DEPLOYMENT)).json["metadata"]
    assert (answer["kind"], answer["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (answer["spec"], answer["status"]) == ({"replicas": 2}, {"replicas": 0, "selector": "app=web"})
    assert answer["metadata"]["resourceVersion"] == stored["resourceVersion"]


@pytest.mark.parametrize(
    ("media", "patch"),
    [
        ("application/merge-patch+json", {"spec": {"replicas": 5}}),
        (STRATEGIC, {"spec": {"replicas": 5}}),
        (JSON_PATCH, [{"op": "replace", "path": "/spec/replicas", "value": 5}]),
    ],
)
async def test_a_patched_scale(call: Caller, scaled: str, media: str, patch: Any) -> None:
    assert (await call.patch(scaled, patch, media)).json["spec"] == {"replicas": 5}
    assert (await call.get(DEPLOYMENT)).json["spec"]["replicas"] == 5


async def test_an_updated_scale_heeds_its_version(call: Caller, scaled: str) -> None:
    old = (await call.get(scaled)).json
    answer = await call.put(scaled, {**old, "spec": {"replicas": 0}})
    assert (answer.status, answer.json["spec"]) == (200, {})  # upstream leaves out a zero, too
    assert (await call.put(scaled, {**old, "spec": {"replicas": 4}})).status == 409


async def test_scales_that_are_refused(call: Caller, scaled: str) -> None:
    answer = await call.patch(scaled, {"spec": {"replicas": -1}})
    assert (answer.status, answer.json["details"]["kind"]) == (422, "Scale")
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in answer.message
    assert (await call.patch(f"{APPS}/deployments/none/scale", {"spec": {"replicas": 1}})).status == 404
    assert (await call.get(f"{APPS}/daemonsets/web/scale")).status == 404


async def test_a_scale_tried_dry(call: Caller, scaled: str) -> None:
    assert (await call.patch(f"{scaled}?dryRun=All", {"spec": {"replicas": 5}})).json["spec"] == {"replicas": 5}
    assert (await call.get(DEPLOYMENT)).json["spec"]["replicas"] == 2


def binding(node: str) -> Any:
    return {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": {"name": "web"},
        "target": {"kind": "Node", "name": node},
    }


async def test_binding_sets_the_node_once(call: Caller) -> None:
    await call.post(f"{CORE}/pods", pod())
    assert (await call.post(f"{POD}/binding?dryRun=All", binding("n"))).status == 201
    assert "nodeName" not in (await call.get(POD)).json["spec"]
    answer = await call.post(f"{POD}/binding", binding("n"))
    assert (answer.status, answer.json["status"]) == (201, "Success")
    assert (await call.get(POD)).json["spec"]["nodeName"] == "n"
    again = await call.post(f"{POD}/binding", binding("m"))
    assert again.status == 409
    assert 'pod web is already assigned to node "n"' in again.message


async def test_a_binding_names_a_node(call: Caller) -> None:
    await call.post(f"{CORE}/pods", pod())
    assert (await call.post(f"{POD}/binding", {"target": {"kind": "Node"}})).status == 422
    assert (await call.post(f"{POD}/binding", {"target": {"kind": "Pod", "name": "x"}})).status == 422


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1"])
async def test_eviction_is_a_graceful_delete_with_a_reason(call: Caller, registry: Registry, version: str) -> None:
    await call.post(f"{CORE}/pods", pod())
    registry.bind(registry.get("pods", "default", "web"), "node-1")
    eviction = {"kind": "Eviction", "apiVersion": version, "metadata": {"name": "web"}}
    options = {"gracePeriodSeconds": 4}
    assert (await call.post(f"{POD}/eviction?dryRun=All", eviction)).status == 201
    answer = await call.post(f"{POD}/eviction", {**eviction, "deleteOptions": options})
    assert (answer.status, answer.json["status"]) == (201, "Success")
    evicted = (await call.get(POD)).json
    assert evicted["metadata"]["deletionGracePeriodSeconds"] == 4
    assert any(condition["type"] == "DisruptionTarget" for condition in evicted["status"]["conditions"])


async def test_an_eviction_of_another_pod_of_that_name_leaves_no_trace(call: Caller, registry: Registry) -> None:
    await call.post(f"{CORE}/pods", pod())
    registry.bind(registry.get("pods", "default", "web"), "node-1")
    eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": "web"}}
    answer = await call.post(f"{POD}/eviction", {**eviction, "deleteOptions": {"preconditions": {"uid": "other"}}})
    assert (answer.status, answer.json["reason"]) == (409, "Conflict")
    assert "DisruptionTarget" not in [one["type"] for one in (await call.get(POD)).json["status"]["conditions"]]


async def test_finalize_releases_a_namespace(call: Caller) -> None:
    await call.post("/api/v1/namespaces", {"metadata": {"name": "going"}})
    going = (await call.delete("/api/v1/namespaces/going")).json
    assert going["spec"]["finalizers"] == ["kubernetes"]
    answer = await call.put("/api/v1/namespaces/going/finalize", {**going, "spec": {}})
    assert answer.status == 200
    assert (await call.get("/api/v1/namespaces/going")).status == 404


NAMESPACE = "/api/v1/namespaces/default"


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("/status", {"status": {"phase": "Terminating"}}, "may only be 'Active' if `deletionTimestamp` is empty"),
        ("/status", {"metadata": {"labels": {"a": "-"}}}, "a valid label must be an empty string or consist of"),
        ("/finalize", {"spec": {"finalizers": ["a"]}}, "name is neither a standard finalizer name nor is it fully"),
        ("/finalize", {"spec": {"finalizers": ["a b/c"]}}, "spec.finalizers[0]: Invalid value"),
    ],
)
async def test_writes_of_a_namespace_that_are_refused(call: Caller, path: str, change: Any, message: str) -> None:
    namespace = (await call.get(NAMESPACE)).json
    answer = await call.put(NAMESPACE + path, merge_patch(namespace, change))
    assert (answer.status, message in answer.message) == (422, True), answer.message


async def test_a_token_is_good_for_its_account(call: Caller) -> None:
    request = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"expirationSeconds": 600}}
    answer = await call.post(f"{CORE}/serviceaccounts/default/token", request)
    assert answer.status == 201
    token = answer.json["status"]["token"]
    review = {"spec": {"token": token}}
    status = (await call.post("/apis/authentication.k8s.io/v1/tokenreviews", review)).json["status"]
    assert (status["authenticated"], status["user"]["username"]) == (True, "system:serviceaccount:default:default")
    wrong = {"spec": {"token": "x"}}
    refused = (await call.post("/apis/authentication.k8s.io/v1/tokenreviews", wrong)).json["status"]
    assert refused == {"user": {}, "error": "invalid bearer token"}


async def test_tokens_live_ten_minutes_at_least(call: Caller) -> None:
    answer = await call.post(f"{CORE}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 599}})
    assert (answer.status, "may not specify a duration less than 10 minutes" in answer.message) == (422, True)


@pytest.mark.parametrize(
    ("group", "plural"),
    [
        ("authorization.k8s.io", "subjectaccessreviews"),
        ("authorization.k8s.io", "namespaces/default/localsubjectaccessreviews"),
    ],
)
async def test_whoever_is_authenticated_may_do_everything(call: Caller, group: str, plural: str) -> None:
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods"}, "user": "somebody"}
    answer = await call.post(f"/apis/{group}/v1/{plural}", {"spec": spec})
    assert (answer.status, answer.json["status"]["allowed"], answer.json["spec"]) == (201, True, spec)


async def test_i_may_do_everything(call: Caller) -> None:
    spec = {"nonResourceAttributes": {"verb": "get", "path": "/"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (await call.post(path, {"spec": spec})).json["status"]["allowed"] is True
    assert (await call.post(path, {"spec": spec}, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")).status == 406
    assert (await call.get(path)).status == 405


@pytest.mark.parametrize(
    ("review", "spec", "message"),
    [
        (
            "authorization.k8s.io/v1/selfsubjectaccessreviews",
            {},
            'SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec.resourceAttributes: Invalid value: null: '
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            "authorization.k8s.io/v1/subjectaccessreviews",
            {"resourceAttributes": {"verb": "get"}},
            'SubjectAccessReview.authorization.k8s.io "" is invalid: spec.user: Invalid value: "": '
            "at least one of user or group must be specified",
        ),
        ("authentication.k8s.io/v1/tokenreviews", {}, "token is required for TokenReview in authentication"),
    ],
)
async def test_reviews_that_ask_nothing(call: Caller, review: str, spec: Any, message: str) -> None:
    assert (await call.post(f"/apis/{review}", {"spec": spec})).message == message


@pytest.mark.parametrize(
    ("headers", "info"),
    [
        ({"Impersonate_User": "eve"}, {"username": "eve", "groups": ["system:authenticated"]}),
        (
            {
                "Impersonate_User": "eve",
                "Impersonate_Group": "g",
                "Impersonate_Uid": "7",
                "Impersonate_Extra_Scope": "x",
            },
            {"username": "eve", "uid": "7", "groups": ["g", "system:authenticated"], "extra": {"scope": ["x"]}},
        ),
        (
            {"Impersonate_User": "system:serviceaccount:shop:till"},
            {
                "username": "system:serviceaccount:shop:till",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
            },
        ),
        (
            {"Impersonate_User": "system:anonymous"},
            {"username": "system:anonymous", "groups": ["system:unauthenticated"]},
        ),
    ],
)
async def test_acting_as_somebody_else(call: Caller, headers: dict[str, str], info: Any) -> None:
    answer = await call.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **headers)
    assert answer.json["status"]["userInfo"] == info


async def test_a_group_alone_is_nobody_to_act_as(call: Caller) -> None:
    assert (await call.get(f"{CORE}/pods", Impersonate_Group="g")).status == 500


async def test_who_am_i(call: Caller) -> None:
    answer = await call.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert answer.json["status"]["userInfo"]["username"] == "system:serviceaccount:default:default"


async def test_rules_of_everything(call: Caller) -> None:
    answer = await call.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "x"}})
    assert answer.json["status"]["resourceRules"][0]["verbs"] == ["*"]


@pytest.fixture
async def bound(call: Caller, registry: Registry) -> str:
    await call.post(f"{CORE}/pods", pod())
    registry.bind(registry.get("pods", "default", "web"), "node-1")
    return POD


async def test_logs_are_plain_text(call: Caller, bound: str, streams: FakeStreams) -> None:
    answer = await call.get(f"{bound}/log?tailLines=3&timestamps=true&limitBytes=6")
    assert (answer.status, answer.content) == (200, b"log of")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert (streams.asked[0].tail, streams.asked[0].timestamps, streams.asked[0].follow) == (3, True, False)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("container=x", "container x is not valid for pod web"),
        ("previous=true", 'previous terminated container "c" in pod "web" not found'),
        ("tailLines=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("sinceTime=x", 'parsing time "x"'),
    ],
)
async def test_logs_that_cannot_be_had(call: Caller, bound: str, query: str, message: str) -> None:
    answer = await call.get(f"{bound}/log?{query}")
    assert answer.status == 400
    assert message in answer.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            "sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
    ],
)
async def test_log_options_are_checked(call: Caller, bound: str, query: str, message: str) -> None:
    answer = await call.get(f"{bound}/log?{query}")
    assert answer.status == 422
    assert answer.message.startswith('PodLogOptions "web" is invalid: ')
    assert answer.message.endswith(message)


async def test_logs_of_a_container_that_has_not_started(call: Caller, bound: str, streams: FakeStreams) -> None:
    streams.gone = True
    answer = await call.get(f"{bound}/log")
    assert answer.message == 'container "c" in pod "web" is not available'
    waiting = {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
    await call.patch(f"{bound}/status", {"status": waiting})
    answer = await call.get(f"{bound}/log")
    assert answer.message == 'container "c" in pod "web" is waiting to start: image can\'t be pulled'


async def test_streams_need_a_running_container(call: Caller, bound: str) -> None:
    answer = await call("POST", f"{bound}/exec?command=ls&stdout=true")
    assert (answer.status, answer.content) == (500, b'container not found ("c")')
    assert (
        await call("POST", f"{bound}/exec?stdout=true")
    ).message == "you must specify at least one command for the container"
    forward = await call("POST", f"{bound}/portforward")
    assert "unable to forward port because pod is not running" in forward.message
