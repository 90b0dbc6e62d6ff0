"""Admission webhooks in the way of requests: who is asked what, and what comes of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.registry.webhook_review import Answer
from tests.unit.api.caller import APPLY, APPS, CORE, Caller, config_map, deployment, pod
from tests.unit.webhooks import MUTATING, VALIDATING, Hooks, configuration, denied, label, patch, rule, webhook

MAPS = f"{CORE}/configmaps"


def labels(**given: str) -> Obj:
    return {**config_map(), "metadata": {"name": "a", "labels": given}}


async def test_nobody_is_asked_where_no_rule_matches(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(VALIDATING, configuration(webhook("a.example.com", rule("secrets"))))
    assert (await call.post(MAPS, config_map())).status == 201
    assert hooks.asked == []


async def test_a_refusal_is_told_in_the_webhooks_words(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(VALIDATING, configuration(webhook()))
    hooks.says["a.example.com"] = lambda request: denied("not on a Monday")
    reply = await call.post(MAPS, config_map())
    assert (reply.status, reply.message) == (
        400,
        'admission webhook "a.example.com" denied the request: not on a Monday',
    )
    assert registry.find("configmaps", "default", "a") is None


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({}, 400, "without explanation"),
        ({"code": 403, "reason": "Forbidden"}, 403, "Forbidden"),
        ({"code": 200, "message": "no"}, 400, "no"),
    ],
)
async def test_a_refusal_has_an_errors_code(
    registry: Registry, call: Caller, hooks: Hooks, status: Obj, code: int, message: str
) -> None:
    registry.create(VALIDATING, configuration(webhook()))
    hooks.says["a.example.com"] = lambda request: Answer({"allowed": False, "status": status})
    reply = await call.post(MAPS, config_map())
    assert reply.status == code
    assert reply.message.endswith(message)


async def test_a_request_tells_who_wants_what(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(VALIDATING, configuration(webhook()))
    await call.post(f"{MAPS}?dryRun=All&fieldManager=me", config_map())
    request = hooks.asked[0][1]
    told = {key: request[key] for key in ("kind", "resource", "name", "namespace", "operation", "dryRun", "options")}
    assert told == {
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "a",
        "namespace": "default",
        "operation": "CREATE",
        "dryRun": True,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"},
    }
    assert request["userInfo"]["username"] == "system:serviceaccount:default:default"
    assert request["object"]["data"] == {"k": "v"}
    assert request["oldObject"] is None


async def test_what_is_changed_gets_its_defaults_again(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(MUTATING, configuration(webhook("a.example.com", rule("pods"))))
    container = {"name": "added", "image": "httpd:2.4"}
    hooks.says["a.example.com"] = lambda request: patch(
        {"op": "add", "path": "/spec/initContainers", "value": [container]}
    )
    created = (await call.post(f"{CORE}/pods", pod())).json
    assert created["spec"]["initContainers"][0]["terminationMessagePolicy"] == "File"
    assert [name for name, _ in hooks.asked] == ["a.example.com"]


async def test_mutating_webhooks_see_what_those_before_made(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(MUTATING, configuration(webhook("b.b.b"), webhook("a.a.a"), name="1st"))
    registry.create(MUTATING, configuration(webhook("c.c.c"), name="2nd"))
    hooks.says = {
        name: lambda request: patch(label("n" + str(len(hooks.asked)))) for name in ("b.b.b", "a.a.a", "c.c.c")
    }
    created = (await call.post(MAPS, labels(own="1"))).json
    assert hooks.names == ["b.b.b", "a.a.a", "c.c.c"]
    assert created["metadata"]["labels"] == {"own": "1", "n1": "yes", "n2": "yes", "n3": "yes"}


async def test_a_webhook_may_ask_to_see_later_changes(registry: Registry, call: Caller, hooks: Hooks) -> None:
    first = webhook("a.a.a", reinvocationPolicy="IfNeeded")
    registry.create(MUTATING, configuration(first, webhook("b.b.b"), webhook("c.c.c", reinvocationPolicy="IfNeeded")))
    hooks.says["b.b.b"] = lambda request: patch(label("b"))
    await call.post(MAPS, labels(own="1"))
    assert hooks.names == ["a.a.a", "b.b.b", "c.c.c", "a.a.a"]
    assert hooks.asked[-1][1]["object"]["metadata"]["labels"] == {"own": "1", "b": "yes"}


async def test_the_validating_see_the_name_that_is_generated(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(MUTATING, configuration(webhook("m.m.m")))
    registry.create(VALIDATING, configuration(webhook("v.v.v")))
    body = {**config_map(), "metadata": {"generateName": "g-"}}
    created = (await call.post(MAPS, body)).json["metadata"]
    seen = {name: request["object"]["metadata"] for name, request in hooks.asked}
    assert "name" not in seen["m.m.m"]
    assert "uid" not in seen["m.m.m"]
    assert (seen["v.v.v"]["name"], seen["v.v.v"]["uid"]) == (created["name"], created["uid"])


async def test_updates_patches_and_applies_are_asked_about(registry: Registry, call: Caller, hooks: Hooks) -> None:
    await call.post(MAPS, config_map())
    registry.create(MUTATING, configuration(webhook("m.m.m", rule("configmaps", operations=("UPDATE",)))))
    hooks.says["m.m.m"] = lambda request: patch({"op": "add", "path": "/data/hook", "value": request["name"]})
    assert (await call.put(f"{MAPS}/a", config_map(k="put"))).json["data"] == {"k": "put", "hook": "a"}
    assert (await call.patch(f"{MAPS}/a", {"data": {"k": "p"}})).json["data"] == {"k": "p", "hook": "a"}
    applied = await call.patch(f"{MAPS}/a?fieldManager=m&force=true", config_map(k="applied"), APPLY)
    assert applied.json["data"] == {"k": "applied", "hook": "a"}
    assert hooks.asked[0][1]["oldObject"]["data"] == {"k": "v"}


async def test_deletions_are_asked_about(registry: Registry, call: Caller, hooks: Hooks) -> None:
    await call.post(MAPS, config_map())
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("configmaps", operations=("DELETE",)))))
    hooks.says["v.v.v"] = lambda request: denied("mine")
    assert (await call.delete(f"{MAPS}/a")).message == 'admission webhook "v.v.v" denied the request: mine'
    del hooks.says["v.v.v"]
    assert (await call.delete(f"{MAPS}/a")).status == 200
    assert hooks.asked[0][1]["object"] is None
    assert hooks.asked[0][1]["oldObject"]["data"] == {"k": "v"}


async def test_a_collection_goes_as_a_whole_or_stays(registry: Registry, call: Caller, hooks: Hooks) -> None:
    for name in "abc":
        await call.post(MAPS, config_map(name))
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("configmaps", operations=("DELETE",)))))
    hooks.says["v.v.v"] = lambda request: denied("mine") if request["name"] == "b" else Answer({"allowed": True})
    assert (await call.delete(MAPS)).status == 400
    assert (await call.get(MAPS)).names == ["a", "b", "c"]
    del hooks.says["v.v.v"]
    gone = await call.delete(MAPS)
    assert gone.names == ["a", "b", "c"]
    assert registry.list("configmaps", "default") == []


@pytest.mark.parametrize(("policy", "status"), [("Fail", 500), ("Ignore", 201)])
async def test_who_cant_be_asked(registry: Registry, call: Caller, hooks: Hooks, policy: str, status: int) -> None:
    registry.create(VALIDATING, configuration(webhook("v.v.v", failurePolicy=policy)))
    registry.create(MUTATING, configuration(webhook("m.m.m", failurePolicy=policy)))
    hooks.says = dict.fromkeys(("v.v.v", "m.m.m"), lambda request: Answer(fault="failed to call webhook: no way"))
    reply = await call.post(MAPS, config_map())
    assert reply.status == status
    if status == 500:
        why = 'Internal error occurred: failed calling webhook "m.m.m": failed to call webhook: no way'
        assert reply.message == why


async def test_selectors_leave_out(registry: Registry, call: Caller, hooks: Hooks) -> None:
    chosen = {"matchLabels": {"watched": "yes"}}
    registry.create(VALIDATING, configuration(webhook("n.n.n", namespaceSelector=chosen), name="1"))
    registry.create(VALIDATING, configuration(webhook("o.o.o", objectSelector=chosen), name="2"))
    await call.post(MAPS, config_map())
    assert hooks.names == []
    await call.put(f"{MAPS}/a", labels(watched="yes"))
    await call.put(f"{MAPS}/a", labels(other="now"))
    assert hooks.names == ["o.o.o", "o.o.o"]
    await call.patch("/api/v1/namespaces/default", {"metadata": {"labels": {"watched": "yes"}}})
    await call.put(f"{MAPS}/a", labels(other="still"))
    assert hooks.names == ["o.o.o", "o.o.o", "n.n.n"]


async def test_configurations_of_webhooks_are_nobodys_business(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("*/*"))))
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hooks"
    assert (await call.delete(path)).status == 200
    assert hooks.asked == []


async def test_a_scale_is_asked_about_as_such(registry: Registry, call: Caller, hooks: Hooks) -> None:
    await call.post(f"{APPS}/deployments", deployment())
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("deployments/scale"))))
    registry.create(MUTATING, configuration(webhook("m.m.m", rule("deployments"))))
    scaled = await call.patch(f"{APPS}/deployments/web/scale", {"spec": {"replicas": 3}})
    assert (scaled.status, hooks.names) == (200, ["v.v.v"])
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3}}
    applied = await call.patch(f"{APPS}/deployments/web/scale?fieldManager=m&force=true", scale, APPLY)
    assert (applied.status, hooks.names) == (200, ["v.v.v", "v.v.v"])
    request = hooks.asked[0][1]
    assert (request["kind"]["kind"], request["subResource"], request["object"]["spec"]) == (
        "Scale",
        "scale",
        {"replicas": 3},
    )


async def test_a_connection_is_asked_about(registry: Registry, call: Caller, hooks: Hooks) -> None:
    await call.post(f"{CORE}/pods", pod())
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("pods/*", operations=("CONNECT",)))))
    hooks.says["v.v.v"] = lambda request: denied("hands off")
    reply = await call.post(f"{CORE}/pods/web/attach?stdin=true&container=c", None)
    assert reply.message == 'admission webhook "v.v.v" denied the request: hands off'
    request = hooks.asked[0][1]
    assert request["object"] == {"kind": "PodAttachOptions", "apiVersion": "v1", "stdin": True, "container": "c"}
    assert (request["operation"], request["name"], request["subResource"]) == ("CONNECT", "web", "attach")


async def test_an_eviction_is_asked_about_and_not_its_deletion(registry: Registry, call: Caller, hooks: Hooks) -> None:
    await call.post(f"{CORE}/pods", pod())
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("pods", "pods/eviction", "pods/status"))))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
    assert (await call.post(f"{CORE}/pods/web/eviction", eviction)).status == 201
    assert [(request["operation"], request["subResource"]) for _, request in hooks.asked] == [("CREATE", "eviction")]
    assert registry.find("pods", "default", "web") is None


async def test_a_status_is_asked_about_when_a_client_writes_it(registry: Registry, call: Caller, hooks: Hooks) -> None:
    await call.post(f"{CORE}/pods", pod())
    registry.create(VALIDATING, configuration(webhook("v.v.v", rule("pods/status"))))
    await call.patch(f"{CORE}/pods/web/status", {"status": {"message": "x"}})
    assert hooks.names == ["v.v.v"]
    registry.patch("pods", "default", "web", {"status": {"message": "y"}}, "status")
    assert hooks.names == ["v.v.v"]


async def test_warnings_reach_the_client(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(VALIDATING, configuration(webhook()))
    hooks.says["a.example.com"] = lambda request: Answer({"allowed": True, "warnings": ["old ways"]})
    assert (await call.post(MAPS, config_map())).warnings == ['299 - "old ways"']


async def test_a_patch_that_doesnt_fit_is_an_error(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(MUTATING, configuration(webhook()))
    hooks.says["a.example.com"] = lambda request: patch({"op": "remove", "path": "/data/none"})
    assert (await call.post(MAPS, config_map())).status == 500


async def test_what_a_webhook_makes_is_validated(registry: Registry, call: Caller, hooks: Hooks) -> None:
    registry.create(MUTATING, configuration(webhook()))
    hooks.says["a.example.com"] = lambda request: patch({"op": "add", "path": "/data/not a key", "value": "v"})
    reply = await call.post(MAPS, config_map())
    assert (reply.status, reply.json["details"]["causes"][0]["field"]) == (422, "data[not a key]")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            {"name": "short"},
            'webhooks[0].name: Invalid value: "short": should be a domain with at least three segments',
        ),
        ({"sideEffects": "Some"}, 'webhooks[0].sideEffects: Unsupported value: "Some"'),
        ({"timeoutSeconds": 31}, "webhooks[0].timeoutSeconds: Invalid value: 31"),
        ({"clientConfig": {}}, "webhooks[0].clientConfig: Required value: exactly one of url or service is required"),
        ({"clientConfig": {"url": "http://a"}}, 'webhooks[0].clientConfig.url: Invalid value: "http"'),
        ({"admissionReviewVersions": ["v9"]}, "must include at least one of v1, v1beta1"),
        ({"rules": [rule("*", "pods")]}, "if '*' is present, must not specify other resources without subresources"),
        ({"rules": [rule("pods/*", "pods/exec")]}, "if 'pods/*' is present, must not specify pods/exec"),
        ({"matchConditions": [{"name": "a", "expression": "true"}]}, "webhooks[0].matchConditions: Forbidden"),
    ],
)
async def test_a_wrong_configuration_is_refused(call: Caller, wrong: dict[str, Any], text: str) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    reply = await call.post(path, configuration(webhook() | wrong))
    assert reply.status == 422
    assert text in reply.message
