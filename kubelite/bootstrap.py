"""The objects that every cluster has from its first second; pure (the cluster creates those that are missing)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec
import yaml

from kubelite.config import Settings
from kubelite.controllers.volumes.provisioner import PROVISIONER
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.componentstatus import components

STORAGE_CLASS = "managed-nfs-storage"
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
FRONT_PROXY = "front-proxy-client"  # the common name of its certificate
_API_PORTS = [{"name": "https", "port": 443, "protocol": "TCP"}]
_CLUSTER_ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_MASTERS = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:masters"}
_EVERYTHING = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["*"]},
]


def initial_objects(settings: Settings) -> Iterator[tuple[str, Obj]]:
    """(plural, object) in the order in which they can be created."""
    for name in NAMESPACES:
        yield "namespaces", {"metadata": {"name": name}}
    yield "serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}}
    yield "serviceaccounts", {"metadata": {"name": "default", "namespace": "kube-system"}}
    for name, value in (("system-node-critical", 2000001000), ("system-cluster-critical", 2000000000)):
        yield "priorityclasses", {"metadata": {"name": name}, "value": value}
    yield "storageclasses", _storage_class()
    yield "clusterroles", {"metadata": _default_role(), "rules": _EVERYTHING}
    yield "clusterrolebindings", {"metadata": _default_role(), "roleRef": _CLUSTER_ADMIN, "subjects": [_MASTERS]}
    for component in components():
        yield "componentstatuses", component
    yield "services", _api_service(settings)
    yield "endpoints", _api_endpoints(settings)
    yield "endpointslices", _api_slice(settings)


def extension_authentication(ca_pem: str) -> Obj:
    """How an aggregated API server knows clients, and the front proxy that tells it of them."""
    data = {
        "client-ca-file": ca_pem,
        "requestheader-client-ca-file": ca_pem,
        "requestheader-allowed-names": f'["{FRONT_PROXY}"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    }
    return {"metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"}, "data": data}


def _default_role() -> Obj:
    """What upstream's RBAC reconciles says so; others of its default roles aren't there, as nobody is refused anything."""
    return {
        "name": _CLUSTER_ADMIN["name"],
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
    }


def _storage_class() -> Obj:
    return {
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "parameters": {"archiveOnDelete": "true"},
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": True,
    }


def _api_service(settings: Settings) -> Obj:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {**_API_PORTS[0], "targetPort": settings.api_port}
    return {
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"type": "ClusterIP", "clusterIP": str(settings.kubernetes_service_address), "ports": [port]},
    }


def _api_endpoints(settings: Settings) -> Obj:
    ports = [{"name": "https", "port": settings.api_port, "protocol": "TCP"}]
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    return {
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "subsets": [{"addresses": [{"ip": str(settings.gateway)}], "ports": ports}],
    }


def _api_slice(settings: Settings) -> Obj:
    labels = {"kubernetes.io/service-name": "kubernetes"}
    return {
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [str(settings.gateway)], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": settings.api_port, "protocol": "TCP"}],
    }


def marked(obj: Obj, annotation: str) -> Obj:
    """`obj` with a hash of itself in `annotation`, to notice later that it was packaged differently."""
    digest = hashlib.sha256(msgspec.json.encode(obj)).hexdigest()[:16]
    annotations = {**(obj["metadata"].get("annotations") or {}), annotation: digest}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def addon_objects(settings: Settings, kubelite_image: str, image_id: str) -> Iterator[Obj]:
    """The packaged manifests of kube-system, with this cluster's addresses filled in."""
    values: dict[str, Any] = {
        "domain": settings.domain,
        "dns_service_address": settings.dns_service_address,
        "dns_pod_address": settings.dns_pod_address,
        "pod_cidr": settings.pod_cidr,
        "service_cidr": settings.service_cidr,
        "api_url": settings.api_url_for_pods,
        "gateway": settings.gateway,
        "network": settings.network,
        "node_name": settings.node_name,
        "kubelite_image": kubelite_image,
        "kubelite_image_id": image_id,  # in the pods' annotations: an image built anew under the same name is rolled out
    }
    for entry in sorted(resources.files("kubelite.addons").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".yaml"):
            yield from yaml.safe_load_all(entry.read_text().format(**values))
