"""What is wrong with volumes and their mounts: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import LABEL, C, errors_of, pod, volumes, web


def mounting(*mounts: Obj, **container: Any) -> Obj:
    """A pod with a volume and a claim, which its container mounts."""
    known = [{"name": "x"}, {"name": "pvc", "persistentVolumeClaim": {"claimName": "c"}}]
    return pod(volumes=known, containers=[{"name": "c", "image": "i", "volumeMounts": list(mounts), **container}])


X = {"name": "x", "mountPath": "/x"}
MOUNTS = [
    (
        mounting(X | {"subPath": "/etc"}),
        [f'{C}.volumeMounts.subPath: Invalid value: "/etc": must be a relative path'],
    ),
    (
        mounting(X | {"subPathExpr": "$(A)/../b"}),
        [f"{C}.volumeMounts.subPathExpr: Invalid value: \"$(A)/../b\": must not contain '..'"],
    ),
    (
        mounting(X | {"subPath": "a", "subPathExpr": "b"}),
        [
            f'{C}.volumeMounts[0].subPathExpr: Invalid value: "b": subPathExpr and subPath are mutually exclusive',
        ],
    ),
    (
        mounting(X | {"mountPropagation": "Shared"}),
        [
            f'{C}.volumeMounts.mountPropagation: Unsupported value: "Shared": '
            'supported values: "Bidirectional", "HostToContainer", "None"'
        ],
    ),
    (
        mounting(X | {"mountPropagation": "Bidirectional"}),
        [
            f"{C}.volumeMounts.mountPropagation: Forbidden: "
            "Bidirectional mount propagation is available only to privileged containers"
        ],
    ),
    (
        mounting(X | {"mountPropagation": "Bidirectional"}, securityContext={"privileged": True}),
        [],
    ),
    (mounting(X | {"recursiveReadOnly": "Disabled"}), []),
    (mounting(X | {"recursiveReadOnly": "IfPossible", "readOnly": True}), []),
    (
        mounting(X | {"recursiveReadOnly": "Enabled", "mountPropagation": "HostToContainer"}),
        [
            f"{C}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
            f"{C}.volumeMounts.recursiveReadOnly: Forbidden: "
            "may only be specified when mountPropagation is None or not specified",
        ],
    ),
    (
        mounting(X | {"recursiveReadOnly": "Yes"}),
        [
            f'{C}.volumeMounts.recursiveReadOnly: Unsupported value: "Yes": '
            'supported values: "Disabled", "Enabled", "IfPossible"'
        ],
    ),
    (
        mounting({"name": "pvc", "mountPath": "/d"}, volumeDevices=[{"name": "pvc", "devicePath": "/d"}]),
        [
            f'{C}.volumeMounts[0].name: Invalid value: "pvc": must not already exist in volumeDevices',
            f'{C}.volumeMounts[0].mountPath: Invalid value: "/d": must not already exist as a path in volumeDevices',
            f'{C}.volumeDevices[0].name: Invalid value: "pvc": must not already exist in volumeMounts',
            f'{C}.volumeDevices[0].devicePath: Invalid value: "/d": must not already exist as a path in volumeMounts',
        ],
    ),
    (
        web(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
        [f'{C}.volumeMounts[0].name: Not found: "x"'],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[{"name": "c", "image": "i", "volumeMounts": [{"name": "x"}]}],
        ),
        [f"{C}.volumeMounts[0].mountPath: Required value"],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[
                {
                    "name": "c",
                    "image": "i",
                    "volumeMounts": [{"name": "x", "mountPath": "/m"}, {"name": "x", "mountPath": "/m"}],
                }
            ],
        ),
        [f'{C}.volumeMounts[1].mountPath: Invalid value: "/m": must be unique'],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[
                {"name": "c", "image": "i", "volumeMounts": [{"name": "x", "mountPath": "/m", "subPath": "../y"}]}
            ],
        ),
        [f"{C}.volumeMounts.subPath: Invalid value: \"../y\": must not contain '..'"],
    ),
    (
        pod(
            volumes=[{"name": "x"}],
            containers=[{"name": "c", "image": "i", "volumeDevices": [{"name": "x", "devicePath": "/dev/x"}]}],
        ),
        [
            f'{C}.volumeDevices[0].name: Invalid value: "x": '
            "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        ],
    ),
]


V = "spec.volumes[0]"


VOLUMES = [
    (volumes({"emptyDir": {}}), [f"{V}.name: Required value"]),
    (volumes({"name": "X"}), [f'{V}.name: Invalid value: "X": {LABEL}']),
    (volumes({"name": "x"}, {"name": "x"}), ['spec.volumes[1].name: Duplicate value: "x"']),
    (
        volumes({"name": "x", "emptyDir": {}, "hostPath": {"path": "/x"}}),
        [f"{V}.hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    (volumes({"name": "x", "hostPath": {}}), [f"{V}.hostPath.path: Required value"]),
    (
        volumes({"name": "x", "hostPath": {"path": "/x", "type": "Dir"}}),
        [
            f'{V}.hostPath.type: Unsupported value: "Dir": supported values: "", "BlockDevice", "CharDevice", '
            '"Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"'
        ],
    ),
    (volumes({"name": "x", "persistentVolumeClaim": {}}), [f"{V}.persistentVolumeClaim.claimName: Required value"]),
    (volumes({"name": "x", "configMap": {}}), [f"{V}.configMap.name: Required value"]),
    (
        volumes({"name": "x", "secret": {"secretName": "s", "defaultMode": 999}}),
        [f"{V}.secret.defaultMode: Invalid value: 999: must be a number between 0 and 0777 (octal), both inclusive"],
    ),
    (
        volumes({"name": "x", "configMap": {"name": "c", "items": [{"key": "k", "path": "/abs"}]}}),
        [f'{V}.configMap.items[0].path: Invalid value: "/abs": must be a relative path'],
    ),
    (
        volumes({"name": "x", "nfs": {"server": "s", "path": "rel"}}),
        [f'{V}.nfs.path: Invalid value: "rel": must be an absolute path'],
    ),
    (
        volumes({"name": "x", "downwardAPI": {"items": [{"path": "p"}]}}),
        [f"{V}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"],
    ),
    (
        volumes(
            {"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]}}
        ),
        [
            f"{V}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: "
            "may not specify a duration less than 10 minutes"
        ],
    ),
    (
        volumes(
            {
                "name": "x",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "a", "items": [{"key": "k", "path": "p"}]}},
                        {"secret": {"name": "b", "items": [{"key": "k", "path": "p"}]}},
                    ]
                },
            }
        ),
        [f'{V}.projected: Invalid value: "b": conflicting duplicate paths'],
    ),
    (volumes({"name": "x", "ephemeral": {}}), [f"{V}.ephemeral.volumeClaimTemplate: Required value"]),
    (
        volumes(
            {
                "name": "x",
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "metadata": {"name": "n", "labels": {"a": "b"}, "creationTimestamp": None},
                        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
                    }
                },
            }
        ),
        [f"{V}.ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set"],
    ),
    (
        volumes(
            {"name": "x", "projected": {"sources": [{"secret": {"name": "s"}, "configMap": {"name": "c"}}]}},
        ),
        [f"{V}.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source"],
    ),
    (
        volumes({"name": "x", "projected": {"sources": [{"serviceAccountToken": {"path": "../t"}}]}}),
        [f"{V}.projected.path: Invalid value: \"../t\": must not contain '..'"],
    ),
    (
        volumes({"name": "x", "configMap": {"name": "c", "items": [{"key": "k", "path": "..data"}]}}),
        [f"{V}.configMap.items[0].path: Invalid value: \"..data\": must not start with '..'"],
    ),
    (
        volumes({"name": "x", "secret": {"secretName": "c", "items": [{"key": "", "path": "p", "mode": -1}]}}),
        [
            f"{V}.secret.items[0].key: Required value",
            f"{V}.secret.items[0].mode: Invalid value: -1: must be a number between 0 and 0777 (octal), both inclusive",
        ],
    ),
    (
        volumes(
            {
                "name": "x",
                "downwardAPI": {
                    "items": [
                        {
                            "path": "p",
                            "fieldRef": {"fieldPath": "metadata.name"},
                            "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"},
                        }
                    ]
                },
            }
        ),
        [
            f'{V}.downwardAPI: Invalid value: "resource": '
            "fieldRef and resourceFieldRef can not be specified simultaneously"
        ],
    ),
    (
        volumes(
            {"name": "x", "downwardAPI": {"items": [{"path": "p", "resourceFieldRef": {"resource": "limits.cpu"}}]}}
        ),
        [f"{V}.downwardAPI.resourceFieldRef.containerName: Required value"],
    ),
    (
        volumes({"name": "x", "downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "status.podIP"}}]}}),
        [
            f'{V}.downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values: '
            '"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"'
        ],
    ),
    (
        volumes({"name": "x", "emptyDir": {"sizeLimit": "-1"}}),
        [f"{V}.emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"],
    ),
]


@pytest.mark.parametrize(("given", "expected"), [*MOUNTS, *VOLUMES])
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected
