"""Where a pod may go can be narrowed as long as it waits behind a gate."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD
from tests.unit.registry.kinds.podspecs import errors_of, pod

GATES = [{"name": "example.com/g"}]
SELECTOR = (
    "spec.nodeSelector: Invalid value: {}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"
)
TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


def requirement(key: str, *values: str) -> Obj:
    return {"key": key, "operator": "In", "values": list(values)}


def wish(*terms: Any, **others: Any) -> Obj:
    selector = {"nodeSelectorTerms": [{"matchExpressions": list(term)} for term in terms]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}, **others}}


DISK, ZONE = requirement("disk", "ssd"), requirement("zone", "a")


def gated(**spec: Any) -> Obj:
    return pod(schedulingGates=GATES, **spec)


def errors(old: Obj, new: Obj) -> list[str]:
    POD.default(old)
    return errors_of(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"nodeSelector": {"a": "1"}}),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"a": "1", "b": "2"}}),
        ({}, wish([DISK])),
        (wish([DISK]), wish([DISK, ZONE])),
        (wish([DISK], [ZONE]), wish([DISK, ZONE], [ZONE])),
    ],
)
def test_nodes_may_become_fewer(old: Obj, new: Obj) -> None:
    assert errors(gated(**old), gated(**new)) == []
    released = errors(pod(**old), pod(**new))
    assert len(released) == 1
    assert released[0].startswith("spec: Forbidden: pod updates may not change fields other than")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"nodeSelector": {"a": "1"}}, {}, SELECTOR.format("map[string]string{}")),
        (
            {"nodeSelector": {"a": "1"}},
            {"nodeSelector": {"a": "2"}},
            SELECTOR.format('map[string]string{"a":"2"}'),
        ),
        (
            wish([DISK]),
            wish([DISK], [ZONE]),
            "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
        ),
        (wish([DISK]), {}, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
        (wish([DISK]), wish([ZONE]), "only additions are allowed (no mutations or deletions)"),
        (wish([DISK, ZONE]), wish([DISK]), "only additions are allowed (no mutations or deletions)"),
    ],
)
def test_nodes_may_not_become_others(old: Obj, new: Obj, told: str) -> None:
    (error,) = errors(gated(**old), gated(**new))
    assert error.endswith(told)
    assert error.startswith(("spec.nodeSelector: Invalid value: ", f"{TERMS}: Invalid", f"{TERMS}[0]: Invalid"))


def test_affinity_to_pods_stays_as_it_is() -> None:
    friends = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}}
    (error,) = errors(gated(), gated(**wish([DISK], **friends)))
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than")
