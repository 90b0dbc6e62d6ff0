"""What is wrong with wishes about the node: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import errors_of, pod

SCHEDULING = [
    (
        pod(tolerations=[{"value": "v"}]),
        [
            'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, '
            'which means "match all values and all keys"'
        ],
    ),
    (
        pod(tolerations=[{"key": "k", "operator": "Is"}]),
        ['spec.tolerations[0].operator: Unsupported value: "Is": supported values: "Equal", "Exists"'],
    ),
    (
        pod(tolerations=[{"operator": "Exists", "tolerationSeconds": 3}]),
        ["spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set"],
    ),
    (
        pod(tolerations=[{"operator": "Exists", "effect": "Never"}]),
        [
            'spec.tolerations[0].effect: Unsupported value: "Never": supported values: '
            '"NoSchedule", "PreferNoSchedule", "NoExecute"'
        ],
    ),
    (
        pod(
            topologySpreadConstraints=[
                {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "Never", "labelSelector": {}}
            ]
        ),
        [
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Never": '
            'supported values: "DoNotSchedule", "ScheduleAnyway"',
        ],
    ),
    (
        pod(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}),
        [
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
            "Required value: must have at least one node selector term"
        ],
    ),
    (
        pod(schedulingGates=[{"name": "g"}], nodeName="n"),
        ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    ),
]


@pytest.mark.parametrize(("given", "expected"), SCHEDULING)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


def test_node_selector_is_made_of_labels() -> None:
    (error,) = errors_of(pod(nodeSelector={"disk": "not ok"}))
    assert error.startswith('spec.nodeSelector: Invalid value: "not ok": a valid label must be an empty string')
