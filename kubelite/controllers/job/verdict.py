"""Whether a Job has failed or met its criteria of success. Pure; reasons and messages are upstream's."""

from __future__ import annotations

from kubelite.controllers.job import members, success_policy
from kubelite.controllers.job import spec as jobs
from kubelite.controllers.job.failure_policy import matched
from kubelite.controllers.job.view import View
from kubelite.objects.meta import Obj

_RUNNING = ("Pending", "Running")


def verdict(view: View) -> Obj | None:
    """The condition that ends the Job: what earlier work decided, else a new FailureTarget or SuccessCriteriaMet."""
    job = view.job
    if (met := jobs.true_condition(job, "SuccessCriteriaMet")) is not None:
        return met
    if (target := jobs.true_condition(job, "FailureTarget")) is not None:
        return jobs.condition("Failed", target.get("reason", ""), target.get("message", ""), view.now)
    failure = _failure(view)
    if failure is not None:
        return jobs.condition("FailureTarget", *failure, view.now)
    if jobs.is_indexed(job) and (message := success_policy.message_when_met(job, view.succeeded_indexes)):
        return jobs.condition("SuccessCriteriaMet", "SuccessPolicy", message, view.now)
    return None


def _failure(view: View) -> tuple[str, str] | None:
    if message := _fatal_failure(view):
        return "PodFailurePolicy", message
    if view.failed > view.job["spec"]["backoffLimit"] or _restarted_too_often(view):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    deadline = jobs.deadline(view.job, view.start)
    if deadline is not None and view.now >= deadline:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return _failed_indexes(view)


def _fatal_failure(view: View) -> str:
    """What the failure policy says of the first pod that fails the whole Job."""
    if view.job["spec"].get("podFailurePolicy") is None:
        return ""
    failed = (pod for pod in view.pods if members.is_failed(pod, view.job))
    return next((message for pod in failed if (message := matched(view.job, pod).message)), "")


def _restarted_too_often(view: View) -> bool:
    """Containers that are restarted in place use up the limit as well."""
    if view.job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = 0
    for status in (pod.get("status") or {} for pod in view.pods):
        if status.get("phase") in _RUNNING:
            states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
            restarts += sum(state.get("restartCount", 0) for state in states)
    limit = view.job["spec"]["backoffLimit"]
    return bool(restarts >= limit if limit else restarts > 0)


def _failed_indexes(view: View) -> tuple[str, str] | None:
    failed = len(view.failed_indexes)
    most = view.job["spec"].get("maxFailedIndexes")
    if most is not None and failed > most:
        text = "Job has exceeded the specified maximal number of failed indexes"
        return "MaxFailedIndexesExceeded", text
    if failed and failed + len(view.succeeded_indexes) >= (jobs.completions(view.job) or 0):
        return "FailedIndexes", "Job has failed indexes"
    return None


def is_complete(view: View, active: int) -> bool:
    """Enough successes and nothing runs any more; without a number of completions one success is enough."""
    wanted = jobs.completions(view.job)
    return active == 0 and (view.succeeded > 0 if wanted is None else view.succeeded >= wanted)


def success(view: View) -> Obj:
    text = "Reached expected number of succeeded pods"
    return jobs.condition("SuccessCriteriaMet", "CompletionsReached", text, view.now)
