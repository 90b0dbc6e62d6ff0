"""What is wrong with variables of the environment: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import C, errors_of, web

SUPPORTED_ENV_FIELDS = (
    '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
    '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
)


ENV = [
    (web(env=[{"value": "x"}]), [f"{C}.env[0].name: Required value"]),
    (web(env=[{"name": "1-odd.name", "value": "x"}]), []),
    (
        web(env=[{"name": "a=b"}]),
        [
            f'{C}.env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of '
            "printable ASCII characters other than '='"
        ],
    ),
    (
        web(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        [f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {}}]),
        [
            f'{C}.env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
            "`configMapKeyRef` or `secretKeyRef`"
        ],
    ),
    (
        web(
            env=[
                {
                    "name": "A",
                    "valueFrom": {
                        "fieldRef": {"fieldPath": "metadata.name"},
                        "secretKeyRef": {"name": "s", "key": "k"},
                    },
                }
            ]
        ),
        [f'{C}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time'],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.image"}}}]),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.image": '
            "error converting fieldPath: field label not supported: spec.image"
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]),
        [
            f'{C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": '
            f"supported values: {SUPPORTED_ENV_FIELDS}"
        ],
    ),
    (web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}]), []),
    (
        web(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName['x']"}}}]),
        [
            f"{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.nodeName['x']\": error converting "
            "fieldPath: field label does not support subscript: spec.nodeName['x']"
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}}]),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: '
            '"limits.cpu", "limits.ephemeral-storage", "limits.memory", '
            '"requests.cpu", "requests.ephemeral-storage", "requests.memory"'
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Mi"}}}]),
        [
            f'{C}.env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": '
            "only divisor's values 1m and 1 are supported with the cpu resource"
        ],
    ),
    (
        web(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]),
        [f"{C}.env[0].valueFrom.configMapKeyRef.key: Required value"],
    ),
    (
        web(envFrom=[{}]),
        [f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
    ),
    (web(envFrom=[{"secretRef": {}}]), [f"{C}.envFrom[0].secretRef.name: Required value"]),
]


@pytest.mark.parametrize(("given", "expected"), ENV)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected
