"""Rules of a Job's podFailurePolicy and successPolicy; after upstream's `apis/batch/validation`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubelite.errors import OMITTED, duplicate, invalid_value, not_supported, required, too_long, too_many
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.go_notation import go_integers
from kubelite.registry.kinds.podspec_rules import Errors

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_STATUSES = ("False", "True", "Unknown")
_MAX_RULES = 20
_MAX_PATTERNS = 20
_MAX_VALUES = 255
_MAX_INDEXES_TEXT = 64 * 1024


def _listed(choices: Sequence[str]) -> str:
    quoted = " ".join(f'"{choice}"' for choice in choices)
    return f"valid values: [{quoted}]"


def _choice(path: str, value: str | None, choices: Sequence[str]) -> Errors:
    if not value:
        return [required(path, _listed(choices))]
    return [] if value in choices else [not_supported(path, value, choices)]


def pod_failure_policy(path: str, spec: Obj) -> Errors:
    rules = spec["podFailurePolicy"].get("rules") or []
    errors: Errors = []
    if len(rules) > _MAX_RULES:
        errors.append(too_many(f"{path}.rules", len(rules), _MAX_RULES))
    pod = spec["template"]["spec"]
    names = {c.get("name") for c in [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]}
    for index, rule in enumerate(rules):
        errors += _failure_rule(f"{path}.rules[{index}]", rule, spec, names)
    return errors


def _failure_rule(path: str, rule: Obj, spec: Obj, names: set[str | None]) -> Errors:
    errors = _choice(f"{path}.action", rule.get("action"), _ACTIONS)
    if rule.get("action") == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        text = "requires the backoffLimitPerIndex to be set"
        errors.append(invalid_value(f"{path}.action", "FailIndex", text))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        errors += _exit_codes(f"{path}.onExitCodes", codes, names)
    errors += _patterns(f"{path}.onPodConditions", conditions)
    if codes is not None and conditions:
        text = "specifying both OnExitCodes and OnPodConditions is not supported"
        errors.append(invalid_value(path, OMITTED, text))
    if codes is None and not conditions:
        text = "specifying one of OnExitCodes and OnPodConditions is required"
        errors.append(invalid_value(path, OMITTED, text))
    return errors


def _patterns(path: str, patterns: Sequence[Obj]) -> Errors:
    errors: Errors = []
    if len(patterns) > _MAX_PATTERNS:
        errors.append(too_many(path, len(patterns), _MAX_PATTERNS))
    for index, pattern in enumerate(patterns):
        kind = pattern.get("type") or ""
        errors += validation.values(f"{path}[{index}].type", kind, validation.qualified_name(kind))
        errors += _choice(f"{path}[{index}].status", pattern.get("status"), _STATUSES)
    return errors


def _exit_codes(path: str, wanted: Obj, names: set[str | None]) -> Errors:
    errors = _choice(f"{path}.operator", wanted.get("operator"), _OPERATORS)
    name, codes = wanted.get("containerName"), wanted.get("values") or []
    if name is not None and name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid_value(f"{path}.containerName", name, text))
    at = f"{path}.values"
    if not codes:
        errors.append(invalid_value(at, go_integers(codes), "at least one value is required"))
    elif len(codes) > _MAX_VALUES:
        errors.append(too_many(at, len(codes), _MAX_VALUES))
    for index, code in enumerate(codes):
        if wanted.get("operator") == "In" and code == 0:
            errors.append(invalid_value(f"{at}[{index}]", code, "must not be 0 for the In operator"))
        if code in codes[:index]:
            errors.append(duplicate(f"{at}[{index}]", code))
    if codes != sorted(codes):
        errors.append(invalid_value(at, go_integers(codes), "must be ordered"))
    return errors


def success_policy(path: str, spec: Obj, *, indexed: bool) -> Errors:
    policy = spec["successPolicy"]
    if not indexed:
        return [invalid_value(path, policy, "requires indexed completion mode")]
    rules = policy.get("rules") or []
    errors: Errors = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        errors.append(required(f"{path}.rules", text))
    if len(rules) > _MAX_RULES:
        errors.append(too_many(f"{path}.rules", len(rules), _MAX_RULES))
    for index, rule in enumerate(rules):
        errors += _success_rule(f"{path}.rules[{index}]", rule, spec.get("completions") or 0)
    return errors


def _success_rule(path: str, rule: Obj, completions: int) -> Errors:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    errors: Errors = []
    if count is None and indexes is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        errors.append(required(path, text))
    total = 0
    if indexes is not None:
        total, wrong = _total(f"{path}.succeededIndexes", indexes, completions)
        errors += wrong
    if count is not None:
        at = f"{path}.succeededCount"
        errors += validation.not_negative(at, count)
        if count > completions:
            text = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(invalid_value(at, count, text))
        if indexes is not None and count > total:
            text = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(invalid_value(at, count, text))
    return errors


def _total(path: str, text: str, completions: int) -> tuple[int, Errors]:
    """How many indexes a list such as `0,2-5` has."""
    errors = [too_long(path, _MAX_INDEXES_TEXT)] if len(text) > _MAX_INDEXES_TEXT else []
    found, why = indexes_in(text, completions)
    if why:
        return 0, [*errors, invalid_value(path, text, f"error parsing succeededIndexes: {why}")]
    return len(found), errors


def indexes_in(text: str, completions: int) -> tuple[set[int], str]:
    """The indexes of a list such as `0,2-5`; or what is wrong with it."""
    found: set[int] = set()
    last = -1
    try:
        for part in text.split(",") if text else ():
            first, end = _interval(part, completions)
            if last >= first:
                raise ValueError(f"non-increasing order, previous: {last}, current: {first}")
            found.update(range(first, end + 1))
            last = end
    except ValueError as error:
        return set(), str(error)
    return found, ""


def _interval(text: str, completions: int) -> tuple[int, int]:
    parts = text.split("-")
    if len(parts) > 2:
        why = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise ValueError(f'the fragment "{text}" {why}')
    for part in parts:
        if not re.fullmatch("[0-9]+", part):
            raise ValueError(f'cannot convert string to integer for index: "{part}"')
        if int(part) >= completions:
            raise ValueError(f'too large index: "{part}"')
    first, end = int(parts[0]), int(parts[-1])
    if len(parts) == 2 and first >= end:
        raise ValueError(f"non-increasing order, previous: {first}, current: {end}")
    return first, end
