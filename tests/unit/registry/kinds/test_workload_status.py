"""What a write of a workload's status may say."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.errors import StatusError
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "httpd"}]}}
SPEC: Obj = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
START, DONE, EARLIER = "2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z", "2026-01-01T09:00:00Z"


def written(registry: Registry, plural: str, *statuses: Obj) -> list[str]:
    """What is wrong with the last of `statuses`, written one after the other."""
    for status in statuses[:-1]:
        registry.patch(plural, "default", "x", {"status": status}, "status")
    try:
        registry.patch(plural, "default", "x", {"status": statuses[-1]}, "status")
    except StatusError as error:
        return [f"{cause['field']}: {cause['message']}" for cause in error.details["causes"]]
    return []


@pytest.mark.parametrize(
    ("plural", "status", "wrong"),
    [
        ("deployments", {"replicas": -1}, "status.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            "deployments",
            {"updatedReplicas": 1},
            "status.updatedReplicas: Invalid value: 1: cannot be greater than status.replicas",
        ),
        (
            "replicasets",
            {"replicas": 2, "availableReplicas": 1},
            "status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas",
        ),
        (
            "statefulsets",
            {"replicas": 2, "availableReplicas": 1},
            "status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas",
        ),
        (
            "daemonsets",
            {"numberReady": -1},
            "status.numberReady: Invalid value: -1: must be greater than or equal to 0",
        ),
    ],
)
def test_counts(registry: Registry, plural: str, status: Obj, wrong: str) -> None:
    registry.create(plural, {"metadata": {"name": "x"}, "spec": SPEC})
    assert wrong in written(registry, plural, status)


GOOD: Obj = {"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "lastTransitionTime": START}


@pytest.mark.parametrize(
    ("conditions", "wrong"),
    [
        ([GOOD], []),
        ([GOOD, GOOD], ['[1].type: Duplicate value: "DisruptionAllowed"']),
        (
            [{"type": "Patched", "status": "Yes"}],
            [
                '[0].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown"',
                "[0].lastTransitionTime: Required value: must be set",
                "[0].reason: Required value: must be set",
            ],
        ),
        (
            [GOOD | {"observedGeneration": -1}],
            ["[0].observedGeneration: Invalid value: -1: must be greater than or equal to zero"],
        ),
        (
            [GOOD | {"reason": "not so"}],
            [
                '[0].reason: Invalid value: "not so": a condition reason must start with alphabetic character, optionally '
                "followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character "
                "or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', "
                "regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
            ],
        ),
        ([GOOD | {"reason": "R" * 1025}], ["[0].reason: Too long: may not be more than 1024 bytes"]),
        ([GOOD | {"message": "m" * 32769}], ["[0].message: Too long: may not be more than 32768 bytes"]),
    ],
)
def test_conditions_of_a_budget(registry: Registry, conditions: list[Obj], wrong: list[str]) -> None:
    registry.create("poddisruptionbudgets", {"metadata": {"name": "x"}, "spec": {"minAvailable": 1}})
    found = written(registry, "poddisruptionbudgets", {"conditions": conditions})
    assert found == [f"status.conditions{text}" for text in wrong]


def test_collisions_are_never_forgotten(registry: Registry) -> None:
    registry.create("deployments", {"metadata": {"name": "x"}, "spec": SPEC})
    wrong = written(registry, "deployments", {"collisionCount": 2}, {"collisionCount": 1})
    assert wrong == ["status.collisionCount: Invalid value: 1: cannot be decremented"]


def _job(registry: Registry, **spec: Any) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "httpd"}]}}
    registry.create("jobs", {"metadata": {"name": "x"}, "spec": {"template": template} | spec})


def _with(*kinds: str, **fields: Any) -> Obj:
    return {"conditions": [{"type": kind, "status": "True"} for kind in kinds]} | fields


COMPLETE = _with("SuccessCriteriaMet", "Complete", startTime=START, completionTime=DONE)


@pytest.mark.parametrize(
    ("statuses", "wrong"),
    [
        ([COMPLETE], None),
        ([_with("Custom", startTime=START)], None),
        ([{"terminating": -1}], "terminating: Invalid value: -1: must be greater than or equal to 0"),
        ([{"ready": 1}], "ready: Invalid value: 1: cannot set more ready pods than active"),
        ([{"failed": 2}, {"failed": 1}], "failed: Invalid value: 1: cannot decrease the failed counter"),
        ([{"succeeded": 2}, {"succeeded": 1}], "succeeded: Invalid value: 1: cannot decrease the succeeded counter"),
        (
            [{"startTime": START}, {"startTime": DONE}],
            "startTime: Required value: startTime cannot be removed for unsuspended job",
        ),
        (
            [_with("Failed", startTime=START)],
            "conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
        ),
        (
            [_with("Complete", startTime=START, completionTime=DONE)],
            "conditions: Invalid value: "
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (
            [_with("SuccessCriteriaMet", "FailureTarget")],
            "conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        ),
        (
            [_with("FailureTarget"), {"conditions": []}],
            "conditions: Invalid value: cannot disable the terminal FailureTarget=True condition",
        ),
        (
            [{"completionTime": DONE}],
            f'completionTime: Invalid value: "{DONE}": '
            "cannot set completionTime when there is no Complete=True condition",
        ),
        (
            [COMPLETE | {"completionTime": None}],
            "completionTime: Required value: completionTime is required for Complete jobs",
        ),
        (
            [COMPLETE | {"completionTime": EARLIER}],
            f'completionTime: Invalid value: "{EARLIER}": completionTime cannot be set before startTime',
        ),
        ([COMPLETE | {"startTime": None}], "startTime: Required value: startTime is required for finished job"),
        ([COMPLETE | {"active": 1}], "active: Invalid value: 1: active>0 is invalid for finished job"),
        (
            [COMPLETE | {"uncountedTerminatedPods": {"failed": ["u"]}}],
            'uncountedTerminatedPods: Invalid value: {"failed":["u"]}: '
            "uncountedTerminatedPods needs to be empty for finished job",
        ),
        (
            [{"uncountedTerminatedPods": {"succeeded": ["u"], "failed": ["u"]}}],
            'uncountedTerminatedPods.failed[0]: Duplicate value: "u"',
        ),
        (
            [{"completedIndexes": "0"}],
            'completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
        ),
    ],
)
def test_jobs(registry: Registry, statuses: list[Obj], wrong: str | None) -> None:
    _job(registry)
    assert written(registry, "jobs", *statuses) == ([] if wrong is None else [f"status.{wrong}"])


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        ({"completedIndexes": "0-2", "failedIndexes": "3"}, ""),
        (
            {"completedIndexes": "0-2", "failedIndexes": "2-3"},
            'failedIndexes: Invalid value: "2-3": failedIndexes and completedIndexes overlap at index: 2',
        ),
        (
            {"completedIndexes": "2,1"},
            'completedIndexes: Invalid value: "2,1": '
            "error parsing completedIndexes: non-increasing order, previous: 2, current: 1",
        ),
        (
            {"failedIndexes": "9"},
            'failedIndexes: Invalid value: "9": error parsing failedIndexes: too large index: "9"',
        ),
    ],
)
def test_indexed_jobs(registry: Registry, status: Obj, wrong: str) -> None:
    _job(registry, completions=5, completionMode="Indexed", backoffLimitPerIndex=1)
    assert written(registry, "jobs", status) == ([f"status.{wrong}"] if wrong else [])


def test_successes_of_an_elastic_job_may_shrink_with_it(registry: Registry) -> None:
    _job(registry, completions=5, parallelism=5, completionMode="Indexed")
    assert written(registry, "jobs", {"succeeded": 5}, {"succeeded": 2}) == []


def test_a_resumed_job_starts_anew(registry: Registry) -> None:
    _job(registry, suspend=True)
    assert written(registry, "jobs", _with("Suspended", startTime=START)) == []
    registry.patch("jobs", "default", "x", {"spec": {"suspend": False}})
    assert written(registry, "jobs", {"startTime": DONE}) == []


def test_a_job_without_labels_shows_those_of_its_template(registry: Registry) -> None:
    _job(registry)
    made = registry.get("jobs", "default", "x")
    assert made["metadata"]["labels"] == made["spec"]["template"]["metadata"]["labels"]
    assert made["metadata"]["labels"]["job-name"] == "x"
