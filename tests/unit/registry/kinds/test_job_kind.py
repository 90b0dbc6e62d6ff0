"""Jobs and CronJobs: what is refused, with upstream's words; what may change."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.cronjob import CRON_JOB
from kubelite.registry.kinds.job import JOB

NOT_NEGATIVE = "must be greater than or equal to 0"
POLICY = "podFailurePolicy.rules[0]"
INDEXED: Obj = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
POD: Obj = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "httpd"}]}


def job(name: str = "sum", **spec: Any) -> Obj:
    made: Obj = meta.copy({"metadata": {"name": name, "uid": "u"}, "spec": {"template": {"spec": POD}} | spec})
    JOB.default(made)
    JOB.prepare(made, None)
    return made


def errors_of(new: Obj, old: Obj | None = None) -> list[str]:
    return [str(error) for error in JOB.validate(new, old)]


def failure_rule(**rule: Any) -> Obj:
    return {"podFailurePolicy": {"rules": [{"action": "FailJob"} | rule]}}


def exit_codes(*values: int, operator: str = "In", **more: str) -> Obj:
    return failure_rule(onExitCodes={"operator": operator, "values": list(values)} | more)


def success_rule(**rule: Any) -> Obj:
    return INDEXED | {"successPolicy": {"rules": [rule]}}


def restart(policy: str) -> Obj:
    return {"template": {"spec": POD | {"restartPolicy": policy}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (restart("Always"), ['template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
        (
            restart("OnFailure") | exit_codes(1),
            [
                'template.spec.restartPolicy: Invalid value: "OnFailure": '
                'only "Never" is supported when podFailurePolicy is specified'
            ],
        ),
        ({"parallelism": -1}, [f"parallelism: Invalid value: -1: {NOT_NEGATIVE}"]),
        ({"ttlSecondsAfterFinished": -1}, [f"ttlSecondsAfterFinished: Invalid value: -1: {NOT_NEGATIVE}"]),
        (
            {"completionMode": "Other"},
            ['completionMode: Unsupported value: "Other": supported values: "NonIndexed", "Indexed"'],
        ),
        (
            {"completionMode": "Indexed", "parallelism": 2},
            ["completions: Required value: when completion mode is Indexed"],
        ),
        (
            {"backoffLimitPerIndex": 1},
            ["backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
        ),
        (
            INDEXED | {"maxFailedIndexes": 4},
            [
                "backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
                "maxFailedIndexes: Invalid value: 4: must be less than or equal to completions",
            ],
        ),
        (failure_rule(), [f"{POLICY}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"]),
        (
            failure_rule(onExitCodes={"operator": "In", "values": [1]}, onPodConditions=[{"type": "Ready"}]),
            [f"{POLICY}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"],
        ),
        (
            failure_rule(action="Stop", onPodConditions=[{"type": "Ready", "status": "Maybe"}]),
            [
                f'{POLICY}.action: Unsupported value: "Stop": '
                'supported values: "Count", "FailIndex", "FailJob", "Ignore"',
                f'{POLICY}.onPodConditions[0].status: Unsupported value: "Maybe": '
                'supported values: "False", "True", "Unknown"',
            ],
        ),
        (exit_codes(19, 11), [f"{POLICY}.onExitCodes.values: Invalid value: []int32{{19, 11}}: must be ordered"]),
        (exit_codes(), [f"{POLICY}.onExitCodes.values: Invalid value: []int32{{}}: at least one value is required"]),
        (exit_codes(0), [f"{POLICY}.onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator"]),
        (exit_codes(0, operator="NotIn"), []),
        (exit_codes(3, 3), [f"{POLICY}.onExitCodes.values[1]: Duplicate value: 3"]),
        (
            exit_codes(1, containerName="other"),
            [
                f'{POLICY}.onExitCodes.containerName: Invalid value: "other": '
                "must be one of the container or initContainer names in the pod template"
            ],
        ),
        (
            failure_rule(action="FailIndex", onExitCodes={"operator": "In", "values": [1]}),
            [f'{POLICY}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'],
        ),
        (
            exit_codes(1) | {"podReplacementPolicy": "TerminatingOrFailed"},
            ['podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"'],
        ),
        (
            success_rule(),
            [
                "successPolicy.rules[0]: Required value: "
                "at least one of succeededCount or succeededIndexes must be specified"
            ],
        ),
        (
            success_rule(succeededIndexes="0,2", succeededCount=3),
            [
                "successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 "
                "(the number of indexes in the specified succeededIndexes field)"
            ],
        ),
        (
            success_rule(succeededIndexes="2-1"),
            [
                'successPolicy.rules[0].succeededIndexes: Invalid value: "2-1": '
                "error parsing succeededIndexes: non-increasing order, previous: 2, current: 1"
            ],
        ),
        (
            success_rule(succeededIndexes="3"),
            [
                'successPolicy.rules[0].succeededIndexes: Invalid value: "3": '
                'error parsing succeededIndexes: too large index: "3"'
            ],
        ),
        (
            {"managedBy": "me"},
            ['managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
        ),
        (
            {"managedBy": "example.com/a b"},
            [
                'managedBy: Invalid value: "a b": Invalid path '
                r"(regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"
            ],
        ),
        ({"managedBy": "example.com/" + "m" * 60}, ["managedBy: Too long: may not be more than 63 bytes"]),
        ({"manualSelector": True}, ["selector: Required value"]),
        (
            {"manualSelector": True, "selector": {"matchLabels": {"app": "sum"}}},
            [
                "template.metadata.labels: Invalid value: map[string]string(nil): "
                "`selector` does not match template `labels`"
            ],
        ),
    ],
)
def test_wrong_job_is_refused(spec: Obj, expected: list[str]) -> None:
    assert errors_of(job(**spec)) == [f"spec.{text}" for text in expected]


def test_indexes_have_to_fit_into_the_pods_host_names() -> None:
    name = "a" * 61
    (error,) = errors_of(job(name, completionMode="Indexed", completions=11, parallelism=1))
    assert error.endswith(f"will not able to create pod with invalid DNS label: {name}-10")


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        ({}, {"parallelism": 5, "backoffLimit": 1, "suspend": True}, []),
        ({}, {"completions": 5}, ["completions: Invalid value: 5: field is immutable"]),
        (INDEXED, {"completions": 5, "parallelism": 5}, []),
        (
            INDEXED,
            {"completions": 5},
            ["completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"],
        ),
        (INDEXED, {"backoffLimitPerIndex": 1}, ["backoffLimitPerIndex: Invalid value: 1: field is immutable"]),
        ({}, {"completionMode": "Indexed"}, ['completionMode: Invalid value: "Indexed": field is immutable']),
    ],
)
def test_job_may_change_in_what_says_how_it_runs(before: Obj, change: Obj, expected: list[str]) -> None:
    old = job(**before)
    found = errors_of(old | {"spec": old["spec"] | change}, old)
    assert [error.removeprefix("spec.") for error in found] == expected


@pytest.mark.parametrize(("suspended", "started", "allowed"), [(True, False, True), (True, True, False), (False,) * 3])
def test_where_to_run_may_change_until_a_suspended_job_starts(suspended: bool, started: bool, allowed: bool) -> None:
    old = job(suspend=suspended) | {"status": {"startTime": "2026-01-01T00:00:00Z"} if started else {}}
    new = meta.copy(old)
    new["spec"]["template"]["spec"] |= {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]}
    new["spec"]["template"]["metadata"]["annotations"] = {"queue": "one"}
    assert (not errors_of(new, old)) == allowed


@pytest.mark.parametrize(("completions", "parallelism"), [(100_000, 10_001), (100_001, 10_000), (100_001, 10_001)])
def test_a_job_too_big_to_be_tracked_is_warned_of(completions: int, parallelism: int) -> None:
    spec = job(completionMode="Indexed", completions=completions, parallelism=parallelism)["spec"]
    warned = completions > 100_000 and parallelism > 10_000
    for kind, made, path in (
        (JOB, {"spec": spec}, "spec"),
        (CRON_JOB, {"spec": {"schedule": "@daily", "jobTemplate": {"spec": spec}}}, "spec.jobTemplate.spec"),
    ):
        found = kind.warnings({"metadata": {"name": "sum"}} | made)
        assert [text.partition(": ")[0] for text in found] == [path] * warned


def cron_errors(old: Obj | None = None, **spec: Any) -> list[str]:
    whole = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": POD}}}} | spec
    made: Obj = meta.copy({"metadata": {"name": "tick"}, "spec": whole})
    CRON_JOB.default(made)
    before = made | {"spec": made["spec"] | old} if old is not None else None
    return [str(error).removeprefix("spec.") for error in CRON_JOB.validate(made, before)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"schedule": ""}, "schedule: Required value"),
        (
            {"schedule": "TZ=UTC * * * * *"},
            'schedule: Invalid value: "TZ=UTC * * * * *": '
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        ),
        ({"timeZone": ""}, 'timeZone: Invalid value: "": timeZone must be nil or non-empty string'),
        ({"timeZone": "Mars/Base"}, 'timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'),
        (
            {"timeZone": "Local"},
            'timeZone: Invalid value: "Local": '
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        ),
        ({"startingDeadlineSeconds": -1}, f"startingDeadlineSeconds: Invalid value: -1: {NOT_NEGATIVE}"),
        ({"failedJobsHistoryLimit": -1}, f"failedJobsHistoryLimit: Invalid value: -1: {NOT_NEGATIVE}"),
        (
            {"concurrencyPolicy": "Queue"},
            'concurrencyPolicy: Unsupported value: "Queue": supported values: "Allow", "Forbid", "Replace"',
        ),
        (
            {"jobTemplate": {"spec": {"template": {"spec": POD}, "manualSelector": True}}},
            'jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        ),
    ],
)
def test_wrong_cron_job_is_refused(spec: Obj, expected: str) -> None:
    assert cron_errors(**spec) == [expected]


def test_cron_job_that_had_its_zone_in_the_schedule_may_keep_it() -> None:
    schedule = {"schedule": "CRON_TZ=UTC * * * * *"}
    assert cron_errors(schedule, **schedule) == []
    (error,) = cron_errors(schedule, **schedule, timeZone="UTC")
    assert error.endswith("cannot use both timeZone field and TZ or CRON_TZ in schedule")
