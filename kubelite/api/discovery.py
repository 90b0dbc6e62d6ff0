"""Discovery documents from the table of kinds; pure (`/api`, `/apis`, and one resource list per group version)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubelite.api import metrics
from kubelite.api.build import commit
from kubelite.config import KUBERNETES_VERSION
from kubelite.registry.kind import Kind

# Subresources whose body isn't the kind itself: (group, version, kind, verbs).
SUBRESOURCES: Mapping[str, tuple[str, str, str, Sequence[str]]] = {
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "binding": ("", "", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "log": ("", "", "Pod", ("get",)),
    "exec": ("", "", "PodExecOptions", ("create", "get")),
    "attach": ("", "", "PodAttachOptions", ("create", "get")),
    "portforward": ("", "", "PodPortForwardOptions", ("create", "get")),
    "proxy": ("", "", "{kind}ProxyOptions", ("create", "delete", "get", "patch", "update")),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
    "finalize": ("", "", "Namespace", ("update",)),
}
# Kinds that are only ever POSTed and answered at once.
REVIEWS: Mapping[tuple[str, str], Sequence[tuple[str, str, bool]]] = {
    ("authorization.k8s.io", "v1"): (
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
        ("subjectaccessreviews", "SubjectAccessReview", False),
        ("localsubjectaccessreviews", "LocalSubjectAccessReview", True),
    ),
    ("authentication.k8s.io", "v1"): (
        ("tokenreviews", "TokenReview", False),
        ("selfsubjectreviews", "SelfSubjectReview", False),
    ),
}


def version_info(platform: str = "linux/amd64") -> dict[str, str]:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{KUBERNETES_VERSION}+kubelite",
        "gitCommit": commit(),
        "gitTreeState": "clean",
        "buildDate": "",
        "goVersion": "",
        "compiler": "python",
        "platform": platform,
    }


class Discovery:
    """Built once from the kinds served."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds: dict[tuple[str, str], list[Kind]] = {}
        for kind in kinds:
            self._kinds.setdefault((kind.group, kind.version), []).append(kind)
        for group_version in REVIEWS:
            self._kinds.setdefault(group_version, [])
        self._kinds.setdefault((metrics.GROUP, metrics.VERSION), [])

    def api_versions(self, server: str) -> dict[str, Any]:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}],
        }

    def group_names(self) -> list[str]:
        return sorted({group for group, _ in self._kinds if group})

    def serves(self, group: str, version: str) -> bool:
        return (group, version) in self._kinds

    def group_list(self) -> dict[str, Any]:
        groups = [self._group(name) for name in self.group_names()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def _group(self, name: str) -> dict[str, Any]:
        versions = [
            {"groupVersion": f"{name}/{version}", "version": version} for group, version in self._kinds if group == name
        ]
        return {"name": name, "versions": versions, "preferredVersion": versions[0]}

    def group(self, name: str) -> dict[str, Any] | None:
        if name not in self.group_names():
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(name)}

    def resource_list(self, group: str, version: str) -> dict[str, Any] | None:
        if (group, version) not in self._kinds:
            return None
        resources: list[dict[str, Any]] = []
        for kind in self._kinds[group, version]:
            resources += [_resource(kind), *(_subresource(kind, name) for name in sorted(kind.subresources))]
        for plural, review, namespaced in REVIEWS.get((group, version), ()):
            resources.append(
                {
                    "name": plural,
                    "singularName": review.lower(),
                    "namespaced": namespaced,
                    "kind": review,
                    "verbs": ["create"],
                }
            )
        if (group, version) == (metrics.GROUP, metrics.VERSION):
            resources += map(_metrics_resource, metrics.RESOURCES)
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": sorted(resources, key=lambda resource: resource["name"]),
        }

    def aggregated(self, core: bool, version: str) -> dict[str, Any]:
        """Everything behind `/api` (`core`) or `/apis` in one document (KEP-3352)."""
        names = [""] if core else self.group_names()
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [self._aggregated_group(name) for name in names],
        }

    def _aggregated_group(self, name: str) -> dict[str, Any]:
        versions = []
        for group, version in self._kinds:
            if group == name and (listed := self.resource_list(group, version)):
                resources = aggregated_resources(group, version, listed["resources"])
                versions.append({"version": version, "resources": resources, "freshness": "Current"})
        metadata = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
        return {"metadata": metadata, "versions": versions}


def aggregated_resources(group: str, version: str, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same resources in the newer form, in which subresources hang on their resource."""
    found: dict[str, dict[str, Any]] = {}
    for resource in listed:
        kind = {"group": group, "version": version} | {
            key: resource[key] for key in ("group", "version", "kind") if key in resource
        }
        name, _, subresource = resource["name"].partition("/")
        entry: dict[str, Any] = {"responseKind": kind, "verbs": resource["verbs"]}
        if subresource:
            found[name].setdefault("subresources", []).append({"subresource": subresource, **entry})
            continue
        found[name] = {
            "resource": name,
            "scope": "Namespaced" if resource["namespaced"] else "Cluster",
            "singularResource": resource["singularName"],
            **entry,
            **{key: resource[key] for key in ("shortNames", "categories") if key in resource},
        }
    return list(found.values())


def _metrics_resource(resource: tuple[str, str, bool]) -> dict[str, Any]:
    name, kind, namespaced = resource
    return {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]}


def _resource(kind: Kind) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": sorted(kind.verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    return {**resource, "storageVersionHash": _storage_version_hash(kind)}


def _storage_version_hash(kind: Kind) -> str:
    """Tells in which version objects are stored, without telling which (apiserver's `endpoints/discovery`)."""
    stored = kind.storage
    digest = hashlib.sha256(f"{stored.group}/{stored.version}/{stored.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _subresource(kind: Kind, name: str) -> dict[str, Any]:
    group, version, body, verbs = SUBRESOURCES.get(name, ("", "", kind.kind, ("get", "patch", "update")))
    resource: dict[str, Any] = {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": body.format(kind=kind.kind),
        "verbs": list(verbs),
    }
    return {**resource, "group": group, "version": version} if group else resource
