"""Jobs, CronJobs, budgets and quotas on the engine, as kubectl's users meet them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.namespace import KubectlError, Namespace
from tests.docker.running_cluster import APP, eventually
from tests.docker.workloads import Recording, workload

IMAGE = f"--image={APP}"
INDEX = "batch.kubernetes.io/job-completion-index"
FAR_AWAY = "Pacific/Kiritimati"


def job(name: str, script: str, restart: str = "Never", **spec: object) -> str:
    container = {"name": "main", "image": APP, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]}
    pod = {"restartPolicy": restart, "terminationGracePeriodSeconds": 2, "containers": [container]}
    return json.dumps(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"template": {"spec": pod}, **spec},
        }
    )


def conditions(found: Obj) -> list[tuple[str, str]]:
    return [(condition["type"], condition["reason"]) for condition in found["status"]["conditions"]]


def pods_of(kubelite: Namespace, name: str) -> list[Obj]:
    return kubelite.list("pods", f"batch.kubernetes.io/job-name={name}")


def test_a_job_of_kubectls_own_making_completes(kubelite: Namespace) -> None:
    kubelite.kubectl("create", "job", "hello", IMAGE, "--", "sh", "-c", "echo hello")
    kubelite.kubectl("wait", "--for=condition=complete", "job/hello", "--timeout=60s")
    assert kubelite.kubectl("logs", "job/hello").stdout == "hello\n"
    header, row = kubelite.kubectl("get", "jobs").stdout.splitlines()
    assert header.split() == ["NAME", "STATUS", "COMPLETIONS", "DURATION", "AGE"]
    assert row.split()[:3] == ["hello", "Complete", "1/1"]
    described = kubelite.kubectl("describe", "job", "hello").stdout
    assert "0 Active (0 Ready) / 1 Succeeded / 0 Failed" in described
    assert "Job completed" in described
    (pod,) = pods_of(kubelite, "hello")
    assert "finalizers" not in pod["metadata"]
    kubelite.kubectl("delete", "job", "hello")
    eventually(lambda: not pods_of(kubelite, "hello"))


def test_indexed_pods_are_told_their_index(kubelite: Namespace) -> None:
    script = "echo $(hostname) $JOB_COMPLETION_INDEX"
    kubelite.apply(job("each", script, completionMode="Indexed", completions=3, parallelism=2))
    found = kubelite.wait("jobs", "each", "Complete")
    assert found["status"]["completedIndexes"] == "0-2"
    said = sorted(kubelite.logs(meta.name(pod)) for pod in pods_of(kubelite, "each"))
    assert said == ["each-0 0\n", "each-1 1\n", "each-2 2\n"]


def test_a_job_fails_at_its_backoff_limit(kubelite: Namespace) -> None:
    kubelite.apply(job("bad", "exit 3", backoffLimit=0))
    found = kubelite.wait("jobs", "bad", "Failed")
    assert conditions(found) == [(kind, "BackoffLimitExceeded") for kind in ("FailureTarget", "Failed")]
    assert found["status"]["failed"] == 1
    assert kubelite.kubectl("get", "job", "bad", "--no-headers").stdout.split()[1] == "Failed"


def test_restarts_in_place_count_too(kubelite: Namespace) -> None:
    kubelite.apply(job("restless", "exit 1", restart="OnFailure", backoffLimit=1))
    found = kubelite.wait("jobs", "restless", "Failed")
    assert conditions(found)[-1] == ("Failed", "BackoffLimitExceeded")
    eventually(lambda: not pods_of(kubelite, "restless"))


def test_an_exit_code_fails_the_whole_job(kubelite: Namespace) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    kubelite.apply(job("fatal", "exit 42", podFailurePolicy={"rules": [rule]}))
    found = kubelite.wait("jobs", "fatal", "Failed")
    assert conditions(found)[-1] == ("Failed", "PodFailurePolicy")
    assert "failed with exit code 42 matching FailJob rule at index 0" in found["status"]["conditions"][-1]["message"]


def test_the_deadline_stops_what_runs(kubelite: Namespace) -> None:
    kubelite.apply(job("slow", "sleep 3600", activeDeadlineSeconds=1))
    found = kubelite.wait("jobs", "slow", "Failed")
    assert conditions(found)[-1] == ("Failed", "DeadlineExceeded")
    assert (found["status"]["failed"], found["status"]["terminating"]) == (1, 0)
    eventually(lambda: not pods_of(kubelite, "slow"))


def test_a_job_is_suspended_and_resumed(kubelite: Namespace) -> None:
    kubelite.apply(job("nap", "sleep 3600"))
    kubelite.wait("jobs", "nap", lambda found: found.get("status", {}).get("ready") == 1)
    kubelite.kubectl("patch", "job", "nap", "-p", '{"spec":{"suspend":true}}')
    found = kubelite.wait("jobs", "nap", "Suspended")
    assert found["status"].get("active", 0) == 0
    eventually(lambda: not pods_of(kubelite, "nap"))
    kubelite.kubectl("patch", "job", "nap", "-p", '{"spec":{"suspend":false}}')
    found = kubelite.wait("jobs", "nap", lambda found: found["status"].get("ready") == 1)
    assert found["status"].get("failed", 0) == 0


def test_a_deleted_pod_is_replaced_when_it_has_ended(kubelite: Namespace) -> None:
    script = "trap 'exit 1' TERM; sleep 3600 & wait"
    kubelite.apply(job("again", script, podReplacementPolicy="Failed"))
    kubelite.wait("jobs", "again", lambda found: found.get("status", {}).get("ready") == 1)
    (pod,) = pods_of(kubelite, "again")
    kubelite.delete("pods", meta.name(pod))
    found = kubelite.wait("jobs", "again", lambda found: found["status"].get("failed") == 1)
    assert found["status"]["terminating"] == 0
    assert found["status"].get("active", 0) == 0
    kubelite.wait("jobs", "again", lambda found: found["status"].get("ready") == 1)


def test_a_finished_job_goes_after_its_time(kubelite: Namespace) -> None:
    kubelite.apply(job("brief", "true", ttlSecondsAfterFinished=0))
    kubelite.wait("jobs", "brief", "deleted")
    eventually(lambda: not pods_of(kubelite, "brief"))


def test_a_cron_job_starts_jobs(kubelite: Namespace) -> None:
    kubelite.kubectl("create", "cronjob", "tick", IMAGE, "--schedule=@every 1s", "--", "sh", "-c", "echo tick")
    found = kubelite.wait("cronjobs", "tick", lambda found: "lastSuccessfulTime" in found.get("status", {}))
    (first, *_) = kubelite.list("jobs")
    minutes = int(meta.parse_time(found["status"]["lastScheduleTime"]).timestamp()) // 60
    assert meta.name(first) in (f"tick-{minutes}", f"tick-{minutes - 1}")
    assert meta.is_controlled_by(first, found)
    kubelite.kubectl("patch", "cronjob", "tick", "-p", '{"spec":{"suspend":true}}')
    header, row = kubelite.kubectl("get", "cronjobs").stdout.splitlines()
    assert header.split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "SCHEDULE", "AGE"]
    assert row.split()[:5] == ["tick", "@every", "1s", "<none>", "True"]
    kubelite.kubectl("create", "job", "by-hand", "--from=cronjob/tick")
    kubelite.kubectl("wait", "--for=condition=complete", "job/by-hand", "--timeout=60s")
    assert "Saw a job that the controller did not create or forgot: by-hand" in (
        kubelite.kubectl("describe", "cronjob", "tick").stdout
    )
    kubelite.delete("cronjobs", "tick")
    eventually(lambda: not kubelite.list("jobs"))


def test_indexes_decide_over_success_and_failure(kubelite: Namespace) -> None:
    rules = {"rules": [{"succeededIndexes": "1-2", "succeededCount": 1}]}
    indexed: Obj = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    leads = "test $JOB_COMPLETION_INDEX = 1 || exec sleep 3600"
    kubelite.apply(job("led", leads, successPolicy=rules, **indexed))
    breaks = "exit $JOB_COMPLETION_INDEX"
    ignored = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    at_once = {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [2]}}
    policy = {"rules": [ignored, at_once]}
    kubelite.apply(job("broken", breaks, backoffLimitPerIndex=0, podFailurePolicy=policy, **indexed))
    kubelite.apply(job("stopped", breaks, backoffLimitPerIndex=0, maxFailedIndexes=0, **indexed))

    status = kubelite.wait("jobs", "led", "Complete")["status"]
    assert [(it["type"], it["reason"], it["message"]) for it in status["conditions"]] == [
        ("SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index 0"),
        ("Complete", "SuccessPolicy", "Matched rules at index 0"),
    ]
    assert (status["completedIndexes"], status["succeeded"], status.get("failed", 0)) == ("1", 1, 0)
    eventually(lambda: [meta.annotations(pod)[INDEX] for pod in pods_of(kubelite, "led")] == ["1"])

    status = kubelite.wait("jobs", "broken", "Failed")["status"]
    assert (status["conditions"][-1]["reason"], status["conditions"][-1]["message"]) == (
        "FailedIndexes",
        "Job has failed indexes",
    )
    assert (status["completedIndexes"], status["failedIndexes"]) == ("0", "1,2")
    assert (status["succeeded"], status["failed"]) == (1, 2)
    status = kubelite.wait("jobs", "stopped", "Failed")["status"]
    assert status["conditions"][-1]["reason"] == "MaxFailedIndexesExceeded"


def cron_job(name: str, script: str, at: datetime, **spec: object) -> str:
    """Due every day at the moment, told by a clock that is far from UTC."""
    there = at.astimezone(ZoneInfo(FAR_AWAY))
    schedule = {"schedule": f"{there.minute} {there.hour} * * *", "timeZone": FAR_AWAY}
    template = {"spec": json.loads(job(name, script))["spec"]}
    whole = {"kind": "CronJob", "apiVersion": "batch/v1", "metadata": {"name": name}}
    return json.dumps(whole | {"spec": {**schedule, "jobTemplate": template, **spec}})


def pretend(kubelite: Namespace, name: str, **status: object) -> None:
    """Of a CronJob, what its controller has done so far."""
    text = json.dumps({"status": status})
    kubelite.kubectl("patch", "cronjob", name, "--subresource=status", "--type=merge", "-p", text)


def events_of(kubelite: Namespace, name: str) -> dict[str, str]:
    return {it["reason"]: it["message"] for it in kubelite.list("events") if it["involvedObject"]["name"] == name}


def test_a_missed_moment_is_made_up_for_as_the_policy_says(kubelite: Namespace) -> None:
    moment = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    name = f"late-{int(moment.timestamp()) // 60}"
    kubelite.apply(cron_job("late", "sleep 3600", moment, suspend=True, concurrencyPolicy="Forbid"))
    pretend(kubelite, "late", lastScheduleTime=meta.format_time(moment - timedelta(days=200)))
    kubelite.kubectl("patch", "cronjob", "late", "-p", '{"spec":{"suspend":false}}')
    found = kubelite.wait("cronjobs", "late", lambda it: it["status"].get("active"))
    assert found["status"]["lastScheduleTime"] == meta.format_time(moment)
    (started,) = kubelite.list("jobs")
    assert meta.name(started) == name
    there = moment.astimezone(ZoneInfo(FAR_AWAY)).isoformat()
    assert meta.annotations(started)["batch.kubernetes.io/cronjob-scheduled-timestamp"] == there
    assert "too many missed start times" in events_of(kubelite, "late")["TooManyMissedTimes"]

    kubelite.kubectl("create", "job", "other", "--from=cronjob/late")
    kubelite.kubectl("delete", "job", name)
    eventually(lambda: events_of(kubelite, "late").get("MissingJob") == f"Active job went missing: {name}")
    running = {"apiVersion": "batch/v1", "kind": "Job", "namespace": kubelite.namespace, "name": "other"}
    running["uid"] = meta.uid(kubelite.get("jobs", "other"))
    pretend(kubelite, "late", active=[running], lastScheduleTime=meta.format_time(moment - timedelta(days=1)))
    text = "Not starting job because prior execution is running and concurrency policy is Forbid"
    eventually(lambda: events_of(kubelite, "late").get("JobAlreadyActive") == text)
    kubelite.kubectl("patch", "cronjob", "late", "-p", '{"spec":{"concurrencyPolicy":"Replace"}}')
    kubelite.wait("jobs", "other", "deleted")
    kubelite.wait("jobs", name, lambda it: it["status"].get("active"))
    assert events_of(kubelite, "late")["SuccessfulDelete"] == "Deleted job other"


def test_of_ended_jobs_as_many_stay_as_the_history_has_room_for(kubelite: Namespace) -> None:
    limits = {"successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 0}
    kubelite.apply(cron_job("brief", 'test -n "$FINE"', datetime.now(UTC), suspend=True, **limits))
    for name in ("first", "second", "third"):
        made = kubelite.kubectl("create", "job", name, "--from=cronjob/brief", "--dry-run=client", "-o", "json")
        new = json.loads(made.stdout)
        new["spec"]["backoffLimit"] = 0
        new["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "FINE", "value": "y" * (name != "third")}]
        kubelite.kubectl("create", "-f", "-", input=json.dumps(new))
        kubelite.wait("jobs", name, "Complete" if name != "third" else "deleted")
    eventually(lambda: [meta.name(it) for it in kubelite.list("jobs")] == ["second"])


def test_a_drain_respects_the_budget(kubelite: Namespace) -> None:
    kubelite.kubectl("create", "deployment", "drained", IMAGE, "--replicas=2", "--", "sleep", "3600")
    kubelite.wait("deployments", "drained")
    kubelite.kubectl("create", "pdb", "web", "--selector=app=drained", "--min-available=1")
    kubelite.wait("poddisruptionbudgets", "web", lambda found: found["status"].get("disruptionsAllowed") == 1)
    (node,) = kubelite.client.items("/api/v1/nodes")
    options = ("--ignore-daemonsets", "--pod-selector=app=drained", "--grace-period=1", "--timeout=8s")
    try:
        with pytest.raises(KubectlError) as caught:
            kubelite.kubectl("drain", meta.name(node), *options)
    finally:
        kubelite.kubectl("uncordon", meta.name(node))
    text = caught.value.done.stdout + caught.value.done.stderr
    assert text.count("evicted") == 1
    assert "Cannot evict pod as it would violate the pod's disruption budget." in text
    kubelite.wait("poddisruptionbudgets", "web", lambda found: found["status"]["disruptionsAllowed"] == 1)


def test_pods_that_never_got_healthy_are_evicted_when_the_budget_lets_them(kubelite: Namespace) -> None:
    kubelite.apply(workload("Deployment", replicas=2, container={"readinessProbe": {"exec": {"command": ["false"]}}}))
    eventually(lambda: [pod["status"]["phase"] for pod in kubelite.list("pods")] == ["Running"] * 2)
    kubelite.kubectl("create", "pdb", "web", "--selector=app=web", "--min-available=1")
    kubelite.wait("poddisruptionbudgets", "web", lambda found: found["status"].get("expectedPods") == 2)
    name = meta.name(kubelite.list("pods")[0])
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{kubelite.namespace}/pods/{name}/eviction"
    command = ("create", "--raw", path, "-f", "-")
    refused = kubelite.kubectl(*command, input=json.dumps(eviction), check=False).stderr
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused
    policy = '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}'
    kubelite.kubectl("patch", "pdb", "web", "-p", policy)
    recording = Recording(kubelite)
    kubelite.kubectl(*command, input=json.dumps(eviction))
    seen = recording.until(lambda world: name not in world)
    told = meta.condition(seen[-1].object["status"]["conditions"], "DisruptionTarget") or {}
    assert (told["status"], told["reason"], told["message"]) == (
        "True",
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    assert "disruptedPods" not in kubelite.get("poddisruptionbudgets", "web")["status"]


def test_quotas_and_limits_bound_a_namespace(kubelite: Namespace) -> None:
    kubelite.apply(
        """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: small}
spec: {hard: {pods: "1", requests.cpu: "1"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: bounds}
spec: {limits: [{type: Container, defaultRequest: {cpu: 100m}, max: {cpu: "2"}}]}
"""
    )
    kubelite.kubectl("run", "one", IMAGE, "--image-pull-policy=IfNotPresent", "--", "sleep", "3600")
    kubelite.wait("pods", "one")
    refused = kubelite.kubectl("run", "two", IMAGE, check=False)
    assert refused.stderr == (
        'Error from server (Forbidden): pods "two" is forbidden: '
        "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1\n"
    )
    kubelite.wait("resourcequotas", "small", lambda found: found["status"]["used"]["requests.cpu"] == "100m")
    assert "requests.cpu  100m  1" in kubelite.kubectl("describe", "quota", "small").stdout
