"""The declaration of StatefulSet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.statefulset import STATEFUL_SET

ONLY = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' "
    "are forbidden"
)
CLAIM = {
    "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "managed-nfs-storage"}, "name": "test"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}},
}


def stateful_set(**spec: Any) -> Obj:
    base = {
        "serviceName": "headless-svc",
        "selector": {"matchLabels": {"app": "headless-pod"}},
        "template": {
            "metadata": {"labels": {"app": "headless-pod"}},
            "spec": {
                "containers": [
                    {
                        "name": "myhttpd",
                        "image": "httpd:2.4",
                        "volumeMounts": [{"mountPath": "/mnt", "name": "test"}],
                    }
                ]
            },
        },
        "volumeClaimTemplates": [CLAIM],
    }
    made: Obj = meta.copy({"metadata": {"name": "web"}, "spec": base | spec})
    STATEFUL_SET.default(made)
    return made


def errors_of(new: Obj, old: Obj | None = None) -> list[str]:
    return [str(error) for error in STATEFUL_SET.validate(new, old)]


def test_defaults_are_those_of_a_real_server() -> None:
    spec = stateful_set()["spec"]
    assert spec["volumeClaimTemplates"] == [
        {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "metadata": {
                "name": "test",
                "creationTimestamp": None,
                "annotations": {"volume.beta.kubernetes.io/storage-class": "managed-nfs-storage"},
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "100Mi"}},
                "volumeMode": "Filesystem",
            },
            "status": {"phase": "Pending"},
        }
    ]
    rest = {key: value for key, value in spec.items() if key not in ("template", "volumeClaimTemplates")}
    assert rest == {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "headless-pod"}},
        "serviceName": "headless-svc",
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }


def test_defaults_change_nothing_the_second_time() -> None:
    made = stateful_set()
    once = meta.copy(made)
    STATEFUL_SET.default(made)
    assert made == once


def test_zero_replicas_and_on_delete_stay() -> None:
    spec = stateful_set(replicas=0, updateStrategy={"type": "OnDelete"})["spec"]
    assert (spec["replicas"], spec["updateStrategy"]) == (0, {"type": "OnDelete"})


def test_claim_templates_count_as_volumes() -> None:
    assert errors_of(stateful_set()) == []
    assert errors_of(stateful_set(volumeClaimTemplates=[])) == [
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "test"'
    ]


EMPTY = "v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}"
NO_MATCH = "`selector` does not match template `labels`"

WRONG: list[tuple[Obj, list[str]]] = [
    (
        {"podManagementPolicy": "Any"},
        ["podManagementPolicy: Invalid value: \"Any\": must be 'OrderedReady' or 'Parallel'"],
    ),
    (
        {"updateStrategy": {"type": "Recreate"}},
        [
            'updateStrategy: Invalid value: apps.StatefulSetUpdateStrategy{Type:"Recreate", RollingUpdate:'
            "(*apps.RollingUpdateStatefulSetStrategy)(nil)}: must be 'RollingUpdate' or 'OnDelete'"
        ],
    ),
    (
        {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
        [
            "updateStrategy.rollingUpdate: Invalid value: apps.RollingUpdateStatefulSetStrategy{Partition:1, "
            "MaxUnavailable:(*intstr.IntOrString)(nil)}: only allowed for updateStrategy 'RollingUpdate'"
        ],
    ),
    (
        {"updateStrategy": {"rollingUpdate": {"partition": -1}}},
        ["updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "0%"}}},
        [
            'updateStrategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:"0%"}: '
            "cannot be 0"
        ],
    ),
    (
        {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Keep"}},
        [
            'persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": '
            'supported values: "Retain", "Delete"'
        ],
    ),
    ({"replicas": -1}, ["replicas: Invalid value: -1: must be greater than or equal to 0"]),
    ({"minReadySeconds": -1}, ["minReadySeconds: Invalid value: -1: must be greater than or equal to 0"]),
    ({"ordinals": {"start": -1}}, ["ordinals.start: Invalid value: -1: must be greater than or equal to 0"]),
    (
        {"selector": None},
        [
            "selector: Required value",
            f'template.metadata.labels: Invalid value: map[string]string{{"app":"headless-pod"}}: {NO_MATCH}',
        ],
    ),
    ({"serviceName": "a.b"}, ['serviceName: Invalid value: "a.b": must not contain dots']),
    ({"selector": {}}, [f"selector: Invalid value: {EMPTY}: empty selector is invalid for statefulset"]),
    (
        {"selector": {"matchLabels": {"app": "other"}}},
        [f'template.metadata.labels: Invalid value: map[string]string{{"app":"headless-pod"}}: {NO_MATCH}'],
    ),
    (
        {"volumeClaimTemplates": [CLAIM | {"spec": {"accessModes": ["ReadWriteOnce"]}}]},
        ["volumeClaimTemplates[0].spec.resources[storage]: Required value"],
    ),
]


@pytest.mark.parametrize(("spec", "expected"), WRONG)
def test_wrong_set_is_refused(spec: Obj, expected: list[str]) -> None:
    assert errors_of(stateful_set(**spec)) == [f"spec.{text}" for text in expected]


def test_pods_must_restart_always_and_have_no_deadline() -> None:
    made = stateful_set()
    made["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 5}
    assert errors_of(made) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
        "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda spec: spec.update(replicas=5, minReadySeconds=3, revisionHistoryLimit=2, ordinals={"start": 1}), []),
        (lambda spec: spec["template"]["spec"]["containers"][0].update(image="httpd:2.5"), []),
        (lambda spec: spec.update(updateStrategy={"type": "OnDelete"}), []),
        (lambda spec: spec["persistentVolumeClaimRetentionPolicy"].update(whenScaled="Delete"), []),
        (lambda spec: spec.update(serviceName="other"), [ONLY]),
        (lambda spec: spec.update(podManagementPolicy="Parallel"), [ONLY]),
        (
            lambda spec: spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"].update(storage="2Gi"),
            [ONLY],
        ),
    ],
)
def test_update_changes_only_what_may_change(change: Callable[[Obj], object], expected: list[str]) -> None:
    old = stateful_set()
    new = meta.copy(old)
    change(new["spec"])
    STATEFUL_SET.default(new)
    assert errors_of(new, old) == expected


def test_row_shows_ready_of_wanted(now: datetime) -> None:
    made = stateful_set(replicas=3)
    made["metadata"]["creationTimestamp"] = "2026-11-23T12:00:00Z"
    made["status"] = {"readyReplicas": 2}
    assert STATEFUL_SET.row is not None
    assert STATEFUL_SET.row(made, now) == ["web", "2/3", "10s", "myhttpd", "httpd:2.4"]


def test_negative_history_is_warned_about() -> None:
    assert STATEFUL_SET.warnings is not None
    assert STATEFUL_SET.warnings(stateful_set(revisionHistoryLimit=-1)) == [
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
    ]


def test_claims_of_a_part_of_a_byte_are_warned_about() -> None:
    assert STATEFUL_SET.warnings is not None
    claim = CLAIM | {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1500m"}}}}
    assert STATEFUL_SET.warnings(stateful_set(volumeClaimTemplates=[claim])) == [
        "spec.volumeClaimTemplates[0].resources.requests[storage]: "
        'fractional byte value "1500m" is invalid, must be an integer'
    ]
