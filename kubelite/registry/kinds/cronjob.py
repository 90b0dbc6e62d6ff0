"""CronJobs: defaults, rules, the Table."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds import cronjob_schedule
from kubelite.registry.kinds.job_spec import default_failure_policy, job_spec, job_spec_warnings, template_selector
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.workload import (
    CONTAINER_COLUMNS,
    SELECTOR_COLUMN,
    container_cells,
    not_negative,
    selector_cell,
)
from kubelite.registry.printing import NONE, UNSET, age, translate_timestamp

CONCURRENCY_POLICIES = ("Allow", "Forbid", "Replace")

_DEFAULTS = {
    "concurrencyPolicy": "Allow",
    "suspend": False,
    "successfulJobsHistoryLimit": 3,
    "failedJobsHistoryLimit": 1,
}
_LONGEST_NAME = 52  # the Jobs' names have eleven characters more
_ZONE_PART = re.compile(r"[A-Za-z._0-9+][A-Za-z._\-0-9+]{0,13}")


def _default(cron: Obj) -> None:
    spec = cron["spec"] = cron.get("spec") or {}
    fill(spec, _DEFAULTS)
    job = spec["jobTemplate"] = spec.get("jobTemplate") or {}
    job["metadata"] = {"creationTimestamp": None} | (job.get("metadata") or {})
    job["spec"] = job.get("spec") or {}
    template = job["spec"]["template"] = job["spec"].get("template") or {}
    default_template(template)
    default_failure_policy(job["spec"])


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec, before = new["spec"], old["spec"] if old else {}
    errors = _schedule("spec.schedule", spec, before)
    errors += not_negative(spec, "startingDeadlineSeconds")
    if old is None or before.get("timeZone") != spec.get("timeZone"):
        errors += _time_zone("spec.timeZone", spec.get("timeZone"))
    if spec["concurrencyPolicy"] not in CONCURRENCY_POLICIES:
        errors.append(not_supported("spec.concurrencyPolicy", spec["concurrencyPolicy"], CONCURRENCY_POLICIES))
    errors += job_spec("spec.jobTemplate.spec", spec["jobTemplate"]["spec"])
    errors += template_selector("spec.jobTemplate.spec", spec["jobTemplate"]["spec"])
    errors += not_negative(spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    if old is None and len(meta.name(new)) > _LONGEST_NAME:
        errors.append(invalid_value("metadata.name", meta.name(new), validation.longest(_LONGEST_NAME)))
    return errors


def _schedule(path: str, spec: Obj, before: Obj) -> list[FieldError]:
    schedule = spec.get("schedule") or ""
    if not schedule:
        return [required(path)]
    errors = []
    try:
        cronjob_schedule.parse(schedule)
    except ValueError as error:
        errors.append(invalid_value(path, schedule, str(error)))
    if "TZ" not in schedule:
        return errors
    if "TZ" not in (before.get("schedule") or ""):
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.append(invalid_value(path, schedule, text))
    elif spec.get("timeZone") is not None:
        text = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        errors.append(invalid_value(path, schedule, text))
    return errors


def _time_zone(path: str, zone: str | None) -> list[FieldError]:
    if zone is None:
        return []
    if not zone:
        return [invalid_value(path, zone, "timeZone must be nil or non-empty string")]
    if any(part in (".", "..") or not _ZONE_PART.fullmatch(part) for part in zone.split("/")):
        return [invalid_value(path, zone, f"unknown time zone {zone}")]
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid_value(path, zone, text)]
    try:
        cronjob_schedule.zone_of(zone)
    except ValueError as error:
        return [invalid_value(path, zone, str(error))]
    return []


def _warnings(cron: Obj) -> list[str]:
    spec = cron["spec"]
    texts = job_spec_warnings("spec.jobTemplate.spec", spec["jobTemplate"]["spec"])
    if "TZ" in spec["schedule"]:
        why = "is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"
        text = f'CRON_TZ or TZ used in schedule "{spec["schedule"]}" {why} for more details'
        texts.append(f"spec.schedule: {text}")
    return texts


def _row(cron: Obj, now: datetime) -> list[Any]:
    spec, status = cron["spec"], cron.get("status") or {}
    job, last = spec["jobTemplate"]["spec"], status.get("lastScheduleTime")
    return [
        meta.name(cron),
        spec["schedule"],
        spec.get("timeZone") or NONE,
        str(spec["suspend"]) if spec.get("suspend") is not None else UNSET,
        len(status.get("active") or ()),
        translate_timestamp(last, now) if last else NONE,
        age(cron, now),
        *container_cells(job),
        selector_cell(job.get("selector")),
    ]


CRON_JOB = Kind(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    singular="cronjob",
    namespaced=True,
    short_names=("cj",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Schedule", description="When it starts Jobs, as cron writes it."),
        Column("Timezone", description="The time zone of its schedule."),
        Column("Suspend", "boolean", description="Whether it starts none for the time being."),
        Column("Active", "integer", description="How many of its Jobs are running."),
        Column("Last Schedule", description="When it last started one."),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
        SELECTOR_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
    warnings=_warnings,
)
