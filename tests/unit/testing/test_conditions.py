"""What `wait` waits for, kind by kind."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.testing.conditions import predicate

Obj = dict[str, Any]


def thing(kind: str, status: Obj, *, generation: int = 1, **spec: Any) -> Obj:
    return {"kind": kind, "metadata": {"generation": generation}, "spec": spec, "status": status}


def true(name: str) -> Obj:
    return {"conditions": [{"type": "Other", "status": "True"}, {"type": name, "status": "True"}]}


ROLLED_OUT = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
DAEMONS = {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": 1}

READY = {
    "pod": thing("Pod", true("Ready")),
    "stateful set": thing("StatefulSet", ROLLED_OUT, replicas=2),
    "deployment": thing("Deployment", ROLLED_OUT, replicas=2),
    "replica set": thing("ReplicaSet", {"observedGeneration": 1, "readyReplicas": 3}, replicas=3),
    "empty replica set": thing("ReplicaSet", {"observedGeneration": 1}, replicas=0),
    "daemon set": thing("DaemonSet", DAEMONS),
    "claim": thing("PersistentVolumeClaim", {"phase": "Bound"}),
    "namespace": thing("Namespace", {"phase": "Active"}),
    "job": thing("Job", true("Complete")),
}
NOT_READY = {
    "nothing": None,
    "pod that is not": thing("Pod", {"conditions": [{"type": "Ready", "status": "False"}]}),
    "pod without a status": {"kind": "Pod", "metadata": {}, "spec": {}},
    "set that is behind": thing("StatefulSet", ROLLED_OUT, generation=2, replicas=2),
    "set with old pods": thing("StatefulSet", ROLLED_OUT | {"updatedReplicas": 1}, replicas=2),
    "set that shrinks": thing("StatefulSet", ROLLED_OUT | {"replicas": 3}, replicas=2),
    "replica set that is behind": thing("ReplicaSet", {"readyReplicas": 1}, replicas=1),
    "daemon set with old pods": thing("DaemonSet", DAEMONS | {"updatedNumberScheduled": 0}),
    "claim that waits": thing("PersistentVolumeClaim", {"phase": "Pending"}),
    "job that runs": thing("Job", {"active": 1}),
}


@pytest.mark.parametrize("name", READY)
def test_ready(name: str) -> None:
    assert predicate("ready")(READY[name])


@pytest.mark.parametrize("name", NOT_READY)
def test_not_ready(name: str) -> None:
    assert not predicate("ready")(NOT_READY[name])


def test_condition_by_its_type() -> None:
    assert predicate("Available")(thing("Deployment", true("Available")))
    assert not predicate("Available")(thing("Deployment", true("Progressing")))
    assert not predicate("Available")(None)


def test_deleted() -> None:
    assert predicate("deleted")(None)
    assert not predicate("deleted")(READY["pod"])


def test_function_is_asked_of_what_is_there_only() -> None:
    asked = predicate(lambda obj: obj["spec"]["replicas"] == 3)
    assert asked(READY["replica set"])
    assert not asked(None)
