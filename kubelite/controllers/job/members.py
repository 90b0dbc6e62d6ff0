"""A Job's pods: which index they have, how they ended, and what a new one looks like. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from kubelite.controllers import pods as podq
from kubelite.controllers.job import spec as jobs
from kubelite.controllers.job.failure_policy import matched
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.strategy import MAX_GENERATED_BASE

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"

_MAX_INT32 = 2**31 - 1


def is_tracked(pod: Obj) -> bool:
    """Has the finalizer: it hasn't been counted yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def finalizers_without(pod: Obj) -> list[str] | None:
    return [name for name in pod["metadata"].get("finalizers") or () if name != FINALIZER] or None


def index_of(pod: Obj) -> int | None:
    text = meta.annotations(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None


def valid_index(pod: Obj, job: Obj) -> int | None:
    """The index, when the Job has such a one."""
    index = index_of(pod)
    return index if index is not None and index < (jobs.completions(job) or 0) else None


def is_terminating(pod: Obj) -> bool:
    """On its way out, but still running."""
    return meta.is_terminating(pod) and not podq.is_finished(pod)


def is_failed(pod: Obj, job: Obj) -> bool:
    """Deleted pods count too: one that nobody runs any more would never reach the phase."""
    if podq.phase(pod) == "Failed":
        return True
    return not jobs.waits_for_failed(job) and is_terminating(pod)


def _count(pod: Obj, annotation: str) -> int:
    text = meta.annotations(pod).get(annotation, "")
    return int(text) if text.isdigit() and int(text) <= _MAX_INT32 else 0


def failures_of_index(pod: Obj) -> int:
    """How many pods of the same index had failed when this one was made."""
    return _count(pod, FAILURES)


def all_failures_of_index(pod: Obj) -> int:
    return _count(pod, FAILURES) + _count(pod, IGNORED_FAILURES)


def finished_at(pod: Obj) -> datetime:
    """When the last container ended, else when the pod stopped being ready, else when it was deleted."""
    status, metadata = pod.get("status") or {}, pod["metadata"]
    ended = [(state.get("state") or {}).get("terminated") or {} for state in status.get("containerStatuses") or ()]
    if ended and all(state.get("finishedAt") for state in ended):
        return max(meta.parse_time(state["finishedAt"]) for state in ended)
    ready = podq.ready_condition(pod)
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return meta.parse_time(ready["lastTransitionTime"])
    if meta.is_terminating(pod):
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
        return meta.parse_time(metadata["deletionTimestamp"]) - grace
    return meta.parse_time(metadata["creationTimestamp"])


def new_pod(job: Obj) -> Obj:
    pod = podq.from_template(job["spec"]["template"], job)
    metadata = pod["metadata"]
    metadata["finalizers"] = [*(metadata.get("finalizers") or ()), FINALIZER]
    pod["metadata"] = {"generateName": f"{meta.name(job)}-"} | metadata
    return pod


def new_indexed_pod(job: Obj, index: int, replaced: Obj | None) -> Obj:
    """`replaced` is the failed pod whose failures the new one goes on counting."""
    pod = new_pod(job)
    metadata, spec = pod["metadata"], pod["spec"]
    annotations = {INDEX: str(index)}
    if jobs.limit_per_index(job) is not None:
        annotations |= _failure_counts(job, replaced)
    metadata["annotations"] = (metadata.get("annotations") or {}) | annotations
    metadata["labels"] = (metadata.get("labels") or {}) | {INDEX: str(index)}
    ending = f"-{index}-"
    metadata["generateName"] = f"{meta.name(job)}"[: MAX_GENERATED_BASE - len(ending)] + ending
    spec["hostname"] = f"{meta.name(job)}-{index}"
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        _tell_index(container)
    return pod


def _failure_counts(job: Obj, replaced: Obj | None) -> dict[str, str]:
    if replaced is None:
        return {FAILURES: "0"}
    counted = matched(job, replaced).counts
    failures, ignored = failures_of_index(replaced) + counted, _count(replaced, IGNORED_FAILURES) + (not counted)
    return {FAILURES: str(failures)} | ({IGNORED_FAILURES: str(ignored)} if ignored else {})


def _tell_index(container: dict[str, Any]) -> None:
    variables = container.get("env") or []
    if all(variable["name"] != INDEX_VARIABLE for variable in variables):
        source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
        container["env"] = [*variables, {"name": INDEX_VARIABLE, "valueFrom": source}]
