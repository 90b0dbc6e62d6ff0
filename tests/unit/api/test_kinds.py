"""Every kind over HTTP: create, read, list, table, update, patch, watch, delete."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.registry.kinds import KINDS
from kubelite.registry.kinds.componentstatus import components
from tests.unit.api.caller import Caller, deployment, pod
from tests.unit.certificates import signing_request

POD_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]}
SELECTOR = {"matchLabels": {"a": "b"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
ROLE_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}
NOW = "2026-01-02T03:04:05.000000Z"

# The least that each kind takes.
BODIES: dict[str, dict[str, Any]] = {
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": {},
    "validatingwebhookconfigurations.admissionregistration.k8s.io": {},
    "configmaps": {},
    "controllerrevisions.apps": {"revision": 1, "data": {"x": 1}},
    "clusterrolebindings.rbac.authorization.k8s.io": {"roleRef": ROLE_REF},
    "clusterroles.rbac.authorization.k8s.io": {"rules": []},
    "daemonsets.apps": {"spec": {"selector": SELECTOR, "template": POD_TEMPLATE}},
    "deployments.apps": {"spec": deployment("x")["spec"]},
    "endpoints": {"subsets": []},
    "endpointslices.discovery.k8s.io": {"addressType": "IPv4", "endpoints": []},
    "events": {"involvedObject": {"namespace": "default"}},
    "events.events.k8s.io": {
        "eventTime": NOW,
        "action": "Do",
        "reason": "Done",
        "type": "Normal",
        "reportingController": "example.com/c",
        "reportingInstance": "i",
        "regarding": {"kind": "Pod", "namespace": "default", "name": "p"},
    },
    "horizontalpodautoscalers.autoscaling": {
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3}
    },
    "flowschemas.flowcontrol.apiserver.k8s.io": {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}},
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    },
    "ingressclasses.networking.k8s.io": {"spec": {"controller": "example.com/c"}},
    "ingresses.networking.k8s.io": {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}},
    "jobs.batch": {"spec": {"template": {**POD_TEMPLATE, "spec": {**pod()["spec"], "restartPolicy": "Never"}}}},
    "cronjobs.batch": {
        "spec": {
            "schedule": "* * * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**pod()["spec"], "restartPolicy": "Never"}}}},
        }
    },
    "leases.coordination.k8s.io": {"spec": {"holderIdentity": "me"}},
    "limitranges": {"spec": {"limits": []}},
    "namespaces": {},
    "networkpolicies.networking.k8s.io": {"spec": {"podSelector": {}}},
    "nodes": {},
    "persistentvolumeclaims": {"spec": CLAIM},
    "persistentvolumes": {
        "spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    "poddisruptionbudgets.policy": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "pods": {"spec": pod()["spec"]},
    "podtemplates": {"template": POD_TEMPLATE},
    "runtimeclasses.node.k8s.io": {"handler": "runc"},
    "priorityclasses.scheduling.k8s.io": {"value": 1},
    "replicasets.apps": {"spec": {"selector": SELECTOR, "template": POD_TEMPLATE}},
    "replicationcontrollers": {"spec": {"template": POD_TEMPLATE}},
    "resourcequotas": {"spec": {"hard": {"pods": "5"}}},
    "rolebindings.rbac.authorization.k8s.io": {"roleRef": ROLE_REF},
    "roles.rbac.authorization.k8s.io": {"rules": []},
    "secrets": {},
    "certificatesigningrequests.certificates.k8s.io": {"spec": signing_request()["spec"]},
    "serviceaccounts": {},
    "services": {"spec": {"ports": [{"port": 80}]}},
    "statefulsets.apps": {"spec": {"selector": SELECTOR, "template": POD_TEMPLATE, "serviceName": "s"}},
    "csidrivers.storage.k8s.io": {"spec": {}},
    "csinodes.storage.k8s.io": {"spec": {"drivers": []}},
    "csistoragecapacities.storage.k8s.io": {"storageClassName": "c"},
    "storageclasses.storage.k8s.io": {"provisioner": "example.com/p"},
    "volumeattachments.storage.k8s.io": {
        "spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    },
}


# A definition's name isn't its own choice: test_customresources has them.
FREELY_NAMED = [
    kind for kind in KINDS if "create" in kind.verbs and kind.plural not in ("customresourcedefinitions", "apiservices")
]


@pytest.mark.parametrize("kind", FREELY_NAMED, ids=lambda kind: kind.qualified_name)
async def test_a_kind_goes_its_way(call: Caller, kind: Any) -> None:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    collection = f"{root}/namespaces/default/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    path = f"{collection}/x"
    created = await call.post(
        f"{collection}?fieldValidation=Strict", {**BODIES[kind.qualified_name], "metadata": {"name": "x"}}
    )
    assert created.status == 201, created.message
    obj = created.json
    assert (obj["kind"], obj["apiVersion"]) == (kind.kind, kind.api_version)
    assert (await call.get(path)).json == obj
    assert "x" in (await call.get(collection)).names
    table = (await call.get(path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")).json
    assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"]) == len(kind.columns)
    assert (await call.put(f"{path}?fieldValidation=Strict", obj)).json == obj
    labelled = await call.patch(path, {"metadata": {"labels": {"l": "v"}}})
    assert (labelled.status, labelled.json["metadata"]["labels"]["l"]) == (200, "v")
    events = await call.events(f"{collection}?watch=1&labelSelector=l%3Dv&timeoutSeconds=5", 1)
    assert events == [{"type": "ADDED", "object": labelled.json}]
    assert (await call.delete(path, {"gracePeriodSeconds": 0})).status == 200


async def test_kinds_without_columns_of_their_own_show_when_they_were_created(call: Caller) -> None:
    path = "/api/v1/namespaces/default/limitranges"
    created = (await call.post(path, {"metadata": {"name": "x"}, "spec": {"limits": []}})).json
    answer = await call.get(path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert answer.json["rows"][0]["cells"] == ["x", created["metadata"]["creationTimestamp"]]


async def test_components_can_only_be_read(call: Caller) -> None:
    for component in components():
        call.registry.create("componentstatuses", component)
    collection = "/api/v1/componentstatuses"
    answer = await call.get(collection, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert answer.json["rows"][0]["cells"] == ["controller-manager", "Healthy", "ok", ""]
    assert answer.warnings == ['299 - "v1 ComponentStatus is deprecated in v1.19+"']
    assert (await call.post(collection, {"metadata": {"name": "x"}})).status == 405
    assert (await call.delete(f"{collection}/scheduler")).status == 405
