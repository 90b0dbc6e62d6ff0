"""Jobs: defaults, the generated selector, what may change, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.go_notation import go_labels, go_selector
from kubelite.registry.kinds.job_spec import default_failure_policy, is_indexed, job_spec, job_spec_warnings
from kubelite.registry.kinds.job_status import status_errors
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_rules import MAX_INT32
from kubelite.registry.kinds.podspec_warnings import host_name_warnings
from kubelite.registry.kinds.workload import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    selector_cell,
    unchanged_selector,
)
from kubelite.registry.printing import age, human_duration
from kubelite.registry.validation import unchanged

NAME_LABEL = "batch.kubernetes.io/job-name"
UID_LABEL = "batch.kubernetes.io/controller-uid"
LEGACY_NAME_LABEL = "job-name"
LEGACY_UID_LABEL = "controller-uid"

_NO_MATCH = "`selector` does not match template `labels`"
_IMMUTABLE = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates")


def _default(job: Obj) -> None:
    spec = job["spec"] = job.get("spec") or {}
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    per_index = spec.get("backoffLimitPerIndex") is not None
    replacement = "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed"
    defaults = {
        "parallelism": 1,
        "backoffLimit": MAX_INT32 if per_index else 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": replacement,
        "manualSelector": False,
    }
    fill(spec, defaults)
    default_failure_policy(spec)
    template = spec["template"] = spec.get("template") or {}
    default_template(template)
    labels = template["metadata"].get("labels")
    if labels and not meta.labels(job):
        job["metadata"] = job["metadata"] | {"labels": dict(labels)}


def _prepare(new: Obj, old: Obj | None) -> None:
    """The selector is the Job's own uid, unless it is chosen by hand; a Job without labels has its template's."""
    if old is not None or new["spec"]["manualSelector"]:
        return
    spec, metadata = new["spec"], new["spec"]["template"]["metadata"]
    name, uid = meta.name(new), meta.uid(new)
    own = {LEGACY_NAME_LABEL: name, NAME_LABEL: name, LEGACY_UID_LABEL: uid, UID_LABEL: uid}
    metadata["labels"] = own | (metadata.get("labels") or {})
    selector = spec["selector"] = spec.get("selector") or {}
    selector["matchLabels"] = {UID_LABEL: uid} | (selector.get("matchLabels") or {})
    if not meta.labels(new):
        new["metadata"] = new["metadata"] | {"labels": dict(metadata["labels"])}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = [*_generated_selector(new), *job_spec("spec", spec), *_selector(spec)]
    completions = spec.get("completions") or 0
    if is_indexed(spec) and completions > 0:
        host = f"{meta.name(new)}-{completions - 1}"
        if validation.dns_label(host):
            text = f"will not able to create pod with invalid DNS label: {host}"
            errors.append(invalid_value("metadata.name", meta.name(new), text))
    return errors if old is None else errors + _changes(new, old)


def _generated_selector(job: Obj) -> list[FieldError]:
    spec = job["spec"]
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    name, uid = meta.name(job), meta.uid(job)
    expected = {LEGACY_UID_LABEL: uid, LEGACY_NAME_LABEL: name, UID_LABEL: uid, NAME_LABEL: name}
    labels = spec["template"]["metadata"].get("labels") or {}
    errors = []
    for key, value in expected.items():
        path = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            errors.append(required(path, f"must be '{value}'"))
        elif labels[key] != value:
            errors.append(invalid_value(path, labels, f"must be '{value}'"))
    readable = not validation.label_selector("spec.selector", spec["selector"])
    if readable and not from_label_selector(spec["selector"]).matches(expected):
        errors.append(invalid_value("spec.selector", go_selector(spec["selector"]), "`selector` not auto-generated"))
    return errors


def _selector(spec: Obj) -> list[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        return [required("spec.selector")]
    errors = validation.label_selector("spec.selector", selector)
    labels = spec["template"]["metadata"].get("labels") or {}
    if not errors and not from_label_selector(selector).matches(labels):
        errors.append(invalid_value("spec.template.metadata.labels", go_labels(labels or None), _NO_MATCH))
    return errors


def _changes(new: Obj, old: Obj) -> list[FieldError]:
    spec, before = new["spec"], old["spec"]
    errors = _completions(spec, before)
    errors += unchanged_selector(spec, before)
    errors += unchanged("spec.template", spec["template"], _template_that_may_be(new, old))
    return errors + [e for name in _IMMUTABLE for e in unchanged(f"spec.{name}", spec.get(name), before.get(name))]


def _completions(spec: Obj, before: Obj) -> list[FieldError]:
    now, then = spec.get("completions"), before.get("completions")
    if not is_indexed(spec):
        return unchanged("spec.completions", now, then)
    if now == then or now is None or now == spec["parallelism"]:
        return []
    return [invalid_value("spec.completions", now, "can only be modified in tandem with spec.parallelism")]


def _template_that_may_be(new: Obj, old: Obj) -> Obj:
    """The old template; of a suspended Job that never ran, with the new one's ideas of where to run."""
    template: Obj = old["spec"]["template"]
    if not old["spec"].get("suspend") or (old.get("status") or {}).get("startTime"):
        return template
    template, wanted = meta.copy(template), new["spec"]["template"]
    metadata = {key: wanted["metadata"].get(key) for key in ("labels", "annotations")}
    template["metadata"] = _present(template["metadata"] | metadata) | {"creationTimestamp": None}
    changed = {key: wanted["spec"].get(key) for key in _SCHEDULING}
    node_affinity = (wanted["spec"].get("affinity") or {}).get("nodeAffinity")
    others = {key: v for key, v in (template["spec"].get("affinity") or {}).items() if key != "nodeAffinity"}
    affinity = _present(others | {"nodeAffinity": node_affinity})
    template["spec"] = _present(template["spec"] | changed | {"affinity": affinity or None})
    return template


def _present(fields: Obj) -> Obj:
    return {key: value for key, value in fields.items() if value is not None}


def _warnings(job: Obj) -> list[str]:
    return [*host_name_warnings(job, "Pod names and hostnames"), *job_spec_warnings("spec", job["spec"])]


def _row(job: Obj, now: datetime) -> list[Any]:
    spec = job["spec"]
    return [
        meta.name(job),
        _status_cell(job),
        _completions_cell(job),
        _duration_cell(job.get("status") or {}, now),
        age(job, now),
        *container_cells(spec),
        selector_cell(spec.get("selector")),
    ]


def _status_cell(job: Obj) -> str:
    conditions = (job.get("status") or {}).get("conditions")
    for kind in ("Complete", "Failed"):
        if meta.condition_is_true(conditions, kind):
            return kind
    if meta.is_terminating(job):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget"):
        if meta.condition_is_true(conditions, kind):
            return kind
    return "Running"


def _completions_cell(job: Obj) -> str:
    spec, succeeded = job["spec"], (job.get("status") or {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{succeeded}/{spec['completions']}"
    parallelism = spec.get("parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _duration_cell(status: Obj, now: datetime) -> str:
    if not status.get("startTime"):
        return ""
    end = meta.parse_time(status["completionTime"]) if status.get("completionTime") else now
    return human_duration(end - meta.parse_time(status["startTime"]))


JOB = Kind(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    singular="job",
    namespaced=True,
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Status", description="Whether it is done, and how it ended."),
        Column("Completions", description="How many of its pods succeeded, of how many that have to."),
        Column("Duration", description="How long it took, or has been running."),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    prepare=_prepare,
    validate=_validate,
    subresource_rules={"status": status_errors},
    orphans_by_default=True,
    fields={"status.successful": lambda job: str((job.get("status") or {}).get("succeeded", 0))},
    warnings=_warnings,
)
