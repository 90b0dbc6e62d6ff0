"""What a Job's spec and a CronJob's job template share: defaults and rules; after upstream's `apis/batch`."""

from __future__ import annotations

import re

from kubelite.errors import invalid_value, not_supported, required, too_long
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.job_policies import pod_failure_policy, success_policy
from kubelite.registry.kinds.podspec_rules import Errors
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import template_warnings

INDEXED = "Indexed"
COMPLETION_MODES = ("NonIndexed", INDEXED)

_NOT_NEGATIVE = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_MANY_COMPLETIONS = 100_000
_MAX_FAILED_INDEXES = 100_000
_MAX_PARALLELISM_INDEXED = 100_000
_LIMIT_OF_MANY = 10_000
_MAX_MANAGED_BY = 63
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_UNTRACKABLE = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
    "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
)


def default_failure_policy(spec: Obj) -> None:
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern["status"] = pattern.get("status") or "True"


def is_indexed(spec: Obj) -> bool:
    return spec.get("completionMode") == INDEXED


def job_spec(path: str, spec: Obj) -> Errors:
    errors = [e for name in _NOT_NEGATIVE for e in validation.not_negative(f"{path}.{name}", spec.get(name))]
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        errors.append(required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified"))
    errors += _managed_by(f"{path}.managedBy", spec.get("managedBy"))
    mode = spec.get("completionMode")
    if mode is not None and mode not in COMPLETION_MODES:
        errors.append(not_supported(f"{path}.completionMode", mode, COMPLETION_MODES))
    errors += _indexed(path, spec) if is_indexed(spec) else _not_indexed(path, spec)
    if spec.get("podFailurePolicy") is not None:
        errors += pod_failure_policy(f"{path}.podFailurePolicy", spec)
    if spec.get("successPolicy") is not None:
        errors += success_policy(f"{path}.successPolicy", spec, indexed=is_indexed(spec))
    errors += _replacement_policy(f"{path}.podReplacementPolicy", spec)
    errors += template_spec(f"{path}.template", spec["template"])
    return errors + _restart_policy(f"{path}.template.spec.restartPolicy", spec)


def _managed_by(path: str, manager: str | None) -> Errors:
    if manager is None:
        return []
    errors: Errors = []
    prefix, slash, name = manager.partition("/")
    if not manager:
        errors.append(required(path))
    elif not slash or not prefix or not name:
        errors.append(invalid_value(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")'))
    else:
        errors += validation.values(path, prefix, validation.dns_subdomain(prefix))
        if not re.fullmatch(_HTTP_PATH, name):
            errors.append(invalid_value(path, name, validation.pattern_message("Invalid path", _HTTP_PATH)))
    if len(manager) > _MAX_MANAGED_BY:
        errors.append(too_long(path, _MAX_MANAGED_BY))
    return errors


def _indexed(path: str, spec: Obj) -> Errors:
    errors: Errors = []
    completions, failed = spec.get("completions"), spec.get("maxFailedIndexes")
    if completions is None:
        errors.append(required(f"{path}.completions", f"when completion mode is {INDEXED}"))
    limit = _MAX_PARALLELISM_INDEXED
    if (spec.get("parallelism") or 0) > limit:
        text = f"must be less than or equal to {limit} when completion mode is {INDEXED}"
        errors.append(invalid_value(f"{path}.parallelism", spec["parallelism"], text))
    if failed is not None and completions is not None and failed > completions:
        text = "must be less than or equal to completions"
        errors.append(invalid_value(f"{path}.maxFailedIndexes", failed, text))
    if failed is not None and failed > _MAX_FAILED_INDEXES:
        text = f"must be less than or equal to {_MAX_FAILED_INDEXES}"
        errors.append(invalid_value(f"{path}.maxFailedIndexes", failed, text))
    if (completions or 0) > _MANY_COMPLETIONS and spec.get("backoffLimitPerIndex") is not None:
        errors += _many_completions(path, spec)
    return errors


def _many_completions(path: str, spec: Obj) -> Errors:
    errors: Errors = []
    if spec.get("maxFailedIndexes") is None:
        text = f"must be specified when completions is above {_MANY_COMPLETIONS}"
        errors.append(required(f"{path}.maxFailedIndexes", text))
    text = (
        f"must be less than or equal to {_LIMIT_OF_MANY} when completions are above {_MANY_COMPLETIONS} "
        "and used with backoff limit per index"
    )
    for name in ("parallelism", "maxFailedIndexes"):
        if (spec.get(name) or 0) > _LIMIT_OF_MANY:
            errors.append(invalid_value(f"{path}.{name}", spec[name], text))
    return errors


def _not_indexed(path: str, spec: Obj) -> Errors:
    return [
        invalid_value(f"{path}.{name}", spec[name], "requires indexed completion mode")
        for name in ("backoffLimitPerIndex", "maxFailedIndexes")
        if spec.get(name) is not None
    ]


def _replacement_policy(path: str, spec: Obj) -> Errors:
    policy = spec.get("podReplacementPolicy")
    allowed = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    return [] if policy is None or policy in allowed else [not_supported(path, policy, allowed)]


def _restart_policy(path: str, spec: Obj) -> Errors:
    policy = spec["template"]["spec"].get("restartPolicy")
    if policy in ("Always", "", None):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid_value(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def job_spec_warnings(path: str, spec: Obj) -> list[str]:
    texts = template_warnings(spec["template"], f"{path}.template.")
    many = (spec.get("completions") or 0) > _MANY_COMPLETIONS and (spec.get("parallelism") or 0) > _LIMIT_OF_MANY
    return [f"{path}: {_UNTRACKABLE}", *texts] if is_indexed(spec) and many else texts


def template_selector(path: str, spec: Obj) -> Errors:
    """A CronJob's Jobs always get a selector of their own."""
    errors: Errors = []
    if spec.get("selector") is not None:
        errors.append(invalid_value(f"{path}.selector", spec["selector"], "`selector` will be auto-generated"))
    if spec.get("manualSelector"):
        errors.append(not_supported(f"{path}.manualSelector", True, ("nil", "false")))
    return errors
