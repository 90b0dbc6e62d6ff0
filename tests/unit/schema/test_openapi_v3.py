import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from kubelite.schema.openapi_v3 import OpenApiV3

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    subresources: frozenset[str] = frozenset()
    verbs: tuple[str, ...] = VERBS
    definitions: Mapping[str, dict[str, Any]] = field(default_factory=dict)


PODS = Resource("", "v1", "Pod", "pods", subresources=frozenset({"status", "log", "exec", "eviction", "binding"}))
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
SETS = Resource("apps", "v1", "StatefulSet", "statefulsets", subresources=frozenset({"status", "scale"}))
REVIEWS = Resource(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False, verbs=("create",)
)


@pytest.fixture(scope="module")
def openapi() -> OpenApiV3:
    return OpenApiV3([PODS, NODES, SETS, REVIEWS], "v1.32.0")


def document(openapi: OpenApiV3, key: str) -> Any:
    content = openapi.document(key)
    assert content is not None
    return json.loads(content)


def test_index_lists_every_served_group_with_its_hash(openapi: OpenApiV3) -> None:
    paths = json.loads(openapi.index)["paths"]
    assert list(paths) == ["api/v1", "apis/apps/v1", "apis/authorization.k8s.io/v1"]
    assert paths["api/v1"] == {"serverRelativeURL": f"/openapi/v3/api/v1?hash={openapi.etag('api/v1')}"}


def test_hash_changes_with_what_is_served_only(openapi: OpenApiV3) -> None:
    other = OpenApiV3([replace(PODS, subresources=frozenset()), SETS], "v1.32.0")
    assert other.etag("api/v1") != openapi.etag("api/v1")
    assert other.etag("apis/apps/v1") == openapi.etag("apis/apps/v1")


def test_only_served_groups_have_documents(openapi: OpenApiV3) -> None:
    assert "apis/batch/v1" not in openapi.keys


def test_paths_are_those_of_the_scope_verbs_and_subresources(openapi: OpenApiV3) -> None:
    found = {path: set(item) - {"parameters"} for path, item in document(openapi, "api/v1")["paths"].items()}
    assert found == {
        "/api/v1/namespaces/{namespace}/pods": {"get", "post", "delete"},
        "/api/v1/namespaces/{namespace}/pods/{name}": {"get", "put", "patch", "delete"},
        "/api/v1/namespaces/{namespace}/pods/{name}/status": {"get", "put", "patch"},
        "/api/v1/namespaces/{namespace}/pods/{name}/log": {"get"},
        "/api/v1/namespaces/{namespace}/pods/{name}/exec": {"get", "post"},
        "/api/v1/namespaces/{namespace}/pods/{name}/eviction": {"post"},
        "/api/v1/namespaces/{namespace}/pods/{name}/binding": {"post"},
        "/api/v1/pods": {"get"},
        "/api/v1/nodes": {"get", "post", "delete"},
        "/api/v1/nodes/{name}": {"get", "put", "patch", "delete"},
    }
    reviews = document(openapi, "apis/authorization.k8s.io/v1")["paths"]
    assert {path: list(item) for path, item in reviews.items()} == {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": ["post"]
    }


def test_patch_tells_kubectl_what_it_looks_for(openapi: OpenApiV3) -> None:
    patch = document(openapi, "apis/apps/v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"][
        "patch"
    ]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "kind": "StatefulSet", "version": "v1"}
    assert patch["x-kubernetes-action"] == "patch"
    assert patch["operationId"] == "patchAppsV1NamespacedStatefulSet"
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]


def test_subresources_carry_their_own_kinds(openapi: OpenApiV3) -> None:
    paths = document(openapi, "apis/apps/v1")["paths"]
    scale = paths["/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}/scale"]["get"]
    assert scale["x-kubernetes-group-version-kind"]["kind"] == "Scale"
    eviction = document(openapi, "api/v1")["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/eviction"]["post"]
    assert eviction["x-kubernetes-group-version-kind"] == {"group": "policy", "kind": "Eviction", "version": "v1"}


def test_operation_ids_are_unique(openapi: OpenApiV3) -> None:
    items = document(openapi, "api/v1")["paths"].values()
    ids = [operation["operationId"] for item in items for key, operation in item.items() if key != "parameters"]
    assert len(ids) == len(set(ids))


def test_schemas_are_complete_and_keep_their_patch_keys(openapi: OpenApiV3) -> None:
    content = document(openapi, "apis/apps/v1")
    schemas = content["components"]["schemas"]
    references = {part.split('"')[0] for part in json.dumps(content).split('"#/components/schemas/')[1:]}
    assert references <= set(schemas)
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["items"] == {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}
    assert schemas["io.k8s.api.apps.v1.StatefulSet"]["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "kind": "StatefulSet", "version": "v1"}
    ]


def test_marks_beside_a_reference_survive() -> None:
    deployments = Resource("apps", "v1", "Deployment", "deployments")
    schemas = document(OpenApiV3([deployments], "v1.32.0"), "apis/apps/v1")["components"]["schemas"]
    assert schemas["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"] == {
        "allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}],
        "x-kubernetes-patch-strategy": "retainKeys",
    }


def test_document_of_a_kind_without_a_schema_still_has_its_paths() -> None:
    widgets = Resource("example.com", "v1", "Widget", "widgets")
    paths = document(OpenApiV3([widgets], "v1.32.0"), "apis/example.com/v1")["paths"]
    assert "/apis/example.com/v1/namespaces/{namespace}/widgets/{name}" in paths


def test_descriptions_come_from_the_given_file(tmp_path: Path) -> None:
    prose = {
        "io.k8s.api.core.v1.Node": {
            "description": "A machine.",
            "properties": {"spec": {"description": "What is wanted."}, "kind": {"description": "Node."}},
        }
    }
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps({"$defs": prose}))
    node = document(OpenApiV3([NODES], "v1.32.0", file), "api/v1")["components"]["schemas"]["io.k8s.api.core.v1.Node"]
    assert node["description"] == "A machine."
    assert node["properties"]["spec"] == {
        "allOf": [{"$ref": "#/components/schemas/io.k8s.api.core.v1.NodeSpec"}],
        "description": "What is wanted.",
    }
    assert node["properties"]["kind"] == {"type": "string", "description": "Node."}
