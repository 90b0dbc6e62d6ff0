"""Discovery, old and aggregated, and the OpenAPI documents, against what Kubernetes 1.32 lists."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.unit.api.caller import Caller

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
STANDARD = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

# As upstream serves them: version, resource, short names, categories.
UPSTREAM = """
v1 configmaps cm
v1 endpoints ep
v1 events ev
v1 namespaces ns
v1 nodes no
v1 persistentvolumeclaims pvc
v1 persistentvolumes pv
v1 pods po all
v1 secrets
v1 serviceaccounts sa
v1 services svc all
apps/v1 controllerrevisions
apps/v1 daemonsets ds all
apps/v1 deployments deploy all
apps/v1 replicasets rs all
apps/v1 statefulsets sts all
coordination.k8s.io/v1 leases
discovery.k8s.io/v1 endpointslices
rbac.authorization.k8s.io/v1 clusterrolebindings
rbac.authorization.k8s.io/v1 clusterroles
rbac.authorization.k8s.io/v1 rolebindings
rbac.authorization.k8s.io/v1 roles
scheduling.k8s.io/v1 priorityclasses pc
storage.k8s.io/v1 storageclasses sc
"""
SUBRESOURCES = {
    "pods/binding": (["create"], "Binding", None),
    "pods/eviction": (["create"], "Eviction", "policy"),
    "pods/exec": (["create", "get"], "PodExecOptions", None),
    "pods/log": (["get"], "Pod", None),
    "pods/status": (["get", "patch", "update"], "Pod", None),
    "namespaces/finalize": (["update"], "Namespace", None),
    "serviceaccounts/token": (["create"], "TokenRequest", "authentication.k8s.io"),
    "deployments/scale": (["get", "patch", "update"], "Scale", "autoscaling"),
}


async def listed(call: Caller, version: str) -> dict[str, Any]:
    prefix = "/apis/" if "/" in version else "/api/"
    return {entry["name"]: entry for entry in (await call.get(prefix + version)).json["resources"]}


@pytest.mark.parametrize("line", UPSTREAM.strip().splitlines())
async def test_resources_are_listed_as_upstream_does(call: Caller, line: str) -> None:
    version, name, *more = line.split()
    entry = (await listed(call, version))[name]
    short = [word for word in more if word != "all"]
    assert entry.get("shortNames", []) == short
    assert entry.get("categories", []) == [word for word in more if word == "all"]
    assert entry["verbs"] == [verb for verb in STANDARD if name != "namespaces" or verb != "deletecollection"]
    assert entry["singularName"] == entry["kind"].lower()


@pytest.mark.parametrize("name", SUBRESOURCES)
async def test_subresources_are_listed_as_upstream_does(call: Caller, name: str) -> None:
    found = await listed(call, "v1") | await listed(call, "apps/v1")
    assert (found[name]["verbs"], found[name]["kind"], found[name].get("group")) == SUBRESOURCES[name]


async def test_groups_and_versions(call: Caller) -> None:
    core = (await call.get("/api")).json
    assert (core["kind"], core["versions"]) == ("APIVersions", ["v1"])
    groups = {group["name"]: group for group in (await call.get("/apis")).json["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert (await call.get("/apis/apps")).json == {"kind": "APIGroup", "apiVersion": "v1", **groups["apps"]}


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_aggregated_discovery_says_the_same_in_two_requests(call: Caller, version: str) -> None:
    accept = AGGREGATED if version == "v2" else AGGREGATED.partition(",")[2]
    plain, merged = {}, {}
    for path in ("/api", "/apis"):
        answer = await call.get(path, Accept=accept)
        assert answer.headers["Content-Type"] == (
            f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        )
        assert answer.json["apiVersion"] == f"apidiscovery.k8s.io/{version}"
        for group in answer.json["items"]:
            for found in group["versions"]:
                name = group["metadata"].get("name")
                merged[f"{name}/{found['version']}" if name else found["version"]] = found["resources"]
    for group_version, resources in merged.items():
        plain = await listed(call, group_version)
        names = [resource["resource"] for resource in resources]
        names += [f"{r['resource']}/{s['subresource']}" for r in resources for s in r.get("subresources", ())]
        assert sorted(names) == sorted(plain)
        for resource in resources:
            old = plain[resource["resource"]]
            assert resource["verbs"] == old["verbs"]
            assert resource["responseKind"]["kind"] == old["kind"]
            assert resource["scope"] == ("Namespaced" if old["namespaced"] else "Cluster")


async def test_clients_that_know_only_the_old_form_get_it(call: Caller) -> None:
    assert (await call.get("/apis", Accept="application/json")).json["kind"] == "APIGroupList"
    later = "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json"
    assert (await call.get("/apis", Accept=later)).json["kind"] == "APIGroupList"


async def test_every_group_has_an_openapi_document(call: Caller) -> None:
    index = (await call.get("/openapi/v3")).json["paths"]
    groups = {group["name"] for group in (await call.get("/apis")).json["groups"]}
    assert groups - {path.split("/")[1] for path in index if path.startswith("apis/")} <= {
        "metrics.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
    }
    answer = await call.get(index["apis/apps/v1"]["serverRelativeURL"])
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}" in answer.json["paths"]


async def test_openapi_documents_are_revalidated(call: Caller) -> None:
    first = await call.get("/openapi/v3/apis/apps/v1", Accept_Encoding="gzip")
    assert first.headers["Content-Encoding"] == "gzip"
    again = await call.get("/openapi/v3/apis/apps/v1", If_None_Match=first.headers["ETag"])
    assert (again.status, again.content) == (304, b"")
    assert (await call.get("/openapi/v3/apis/nothing/v1")).status == 404


async def test_the_version_chooses_the_client(call: Caller) -> None:
    version = json.loads((await call.get("/version")).content)
    assert (version["major"], version["minor"]) == ("1", "32")
    assert version["gitVersion"].startswith("v1.32.")
    assert re.fullmatch("[0-9a-f]{40}", version["gitCommit"])


async def test_there_are_no_definitions_of_other_kinds(call: Caller) -> None:
    """kubectl lists them before it says that a kind doesn't exist."""
    found = (await call.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500")).json
    assert (found["kind"], found["items"]) == ("CustomResourceDefinitionList", [])


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version"])
async def test_documents_are_found_with_a_slash_behind_too(call: Caller, path: str) -> None:
    assert (await call.get(f"{path}/")).json == (await call.get(path)).json
