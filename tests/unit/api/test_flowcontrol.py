"""Which FlowSchema a request belongs to, and how its answer tells."""

from __future__ import annotations

import pytest

from kubelite.api.authn import User
from kubelite.api.flowcontrol import Asked, chosen, seats
from kubelite.controllers.flowcontrol import FlowControl
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.flowcontrol_objects import LEVELS, SCHEMAS
from kubelite.registry.registry import Registry
from tests.unit.api.caller import CORE, Caller
from tests.unit.conftest import Controllers, Recorded

ADMIN = User("admin", ("system:masters", "system:authenticated"))
NODE = User("system:node:one", ("system:nodes", "system:authenticated"))
MANAGER = User("system:kube-controller-manager", ("system:authenticated",))
JANE = User("jane", ("system:authenticated",))
ANYBODY = User("system:anonymous", ("system:unauthenticated",))
ALL = [{"metadata": {"name": name}, "spec": spec} for name, spec in SCHEMAS.items()]


def account(namespace: str, name: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/healthz", Asked("get", path="/healthz")),
        ("GET", "/apis/apps", Asked("get", path="/apis/apps")),
        ("GET", "/api/v1/pods", Asked("list", "", "pods")),
        ("GET", "/api/v1/watch/pods", Asked("watch", "", "pods")),
        ("POST", f"{CORE}/pods", Asked("create", "", "pods", "default")),
        ("PUT", f"{CORE}/pods/a/status", Asked("update", "", "pods/status", "default")),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments", Asked("deletecollection", "apps", "deployments", "a")),
        ("PATCH", "/api/v1/namespaces/a", Asked("patch", "", "namespaces", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", Asked("update", "", "namespaces/finalize", "a")),
        ("GET", "/api/v1/nodes/one", Asked("get", "", "nodes")),
    ],
)
def test_paths_are_read(method: str, path: str, asked: Asked) -> None:
    assert Asked.of(method, path) == asked


@pytest.mark.parametrize(
    ("user", "method", "path", "name"),
    [
        (ADMIN, "GET", "/api/v1/pods", "exempt"),
        (ANYBODY, "GET", "/livez", "probes"),
        (ANYBODY, "GET", "/version", "global-default"),
        (JANE, "GET", f"{CORE}/pods", "global-default"),
        (NODE, "GET", "/api/v1/nodes/one", "system-node-high"),
        (NODE, "PATCH", "/api/v1/nodes/one/status", "system-node-high"),
        (NODE, "GET", "/api/v1/pods", "system-nodes"),
        (MANAGER, "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/a", "system-leader-election"),
        (MANAGER, "PUT", f"{CORE}/endpoints/a", "endpoint-controller"),
        (MANAGER, "GET", f"{CORE}/pods/a", "kube-controller-manager"),
        (account("kube-system", "dns"), "GET", f"{CORE}/pods/a", "kube-system-service-accounts"),
        (account("kube-system", "endpoint-controller"), "PUT", f"{CORE}/endpoints/a", "endpoint-controller"),
        (account("default", "dns"), "GET", f"{CORE}/pods/a", "service-accounts"),
    ],
)
def test_the_suggested_schemas_take_what_they_are_for(user: User, method: str, path: str, name: str) -> None:
    found = chosen(ALL, Asked.of(method, path), user)
    assert found is not None
    assert meta.name(found) == name


def test_seats_are_shared_out() -> None:
    found = seats([{"metadata": {"name": name}, "spec": spec} for name, spec in LEVELS.items()])
    assert found["exempt"] == 0
    assert found["catch-all"] == 13
    assert found["workload-low"] == 245


def schema(name: str, level: str) -> Obj:
    rules = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
    subjects = [{"kind": "User", "user": {"name": "noxu"}}]
    return {
        "metadata": {"name": name},
        "spec": {
            "matchingPrecedence": 1000,
            "priorityLevelConfiguration": {"name": level},
            "rules": [{"subjects": subjects, "nonResourceRules": rules}],
        },
    }


async def test_answers_tell_what_their_requests_belong_to(call: Caller, registry: Registry, recorded: Recorded) -> None:
    controllers = Controllers(registry, FlowControl(registry, recorded))
    controllers.settle()

    def uids(schema: str, level: str) -> tuple[str, str]:
        found = registry.get("flowschemas", None, schema), registry.get("prioritylevelconfigurations", None, level)
        return meta.uid(found[0]), meta.uid(found[1])

    async def told(path: str, user: str = "") -> tuple[str | None, str | None]:
        impersonated = {"Impersonate_User": user} if user else {}
        headers = (await call.get(path, **impersonated)).headers
        return headers.get("X-Kubernetes-PF-FlowSchema-UID"), headers.get("X-Kubernetes-PF-PriorityLevel-UID")

    assert await told("/version", "noxu") == uids("global-default", "global-default")
    registry.create("prioritylevelconfigurations", {"metadata": {"name": "mine"}, "spec": LEVELS["system"]})
    registry.create("flowschemas", schema("mine", "mine"))
    registry.create("flowschemas", schema("lost", "nowhere"))
    assert await told("/version", "noxu") == uids("mine", "mine")
    assert await told("/version", "foo") == uids("global-default", "global-default")
    assert await told("/api/v1/nodes/gone") == uids("service-accounts", "workload-low")
    anonymous = await call.anonymous("/livez")
    assert anonymous.headers["X-Kubernetes-PF-FlowSchema-UID"] == uids("probes", "exempt")[0]
    assert "X-Kubernetes-PF-FlowSchema-UID" not in (await call.anonymous("/api/v1/pods")).headers
    metrics = (await call.get("/metrics")).content.decode()
    assert 'apiserver_flowcontrol_nominal_limit_seats{priority_level="mine"}' in metrics
