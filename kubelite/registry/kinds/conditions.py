"""Rules of the conditions that have the form common to all newer kinds; after upstream's `meta/v1/validation`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kubelite.errors import duplicate, invalid_value, not_supported, required, too_long
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.podspec_rules import Errors

_STATUSES = ("False", "True", "Unknown")
_LONGEST_REASON = 1024
_LONGEST_MESSAGE = 32 * 1024
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_TEXT = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'"
)
_REASONS = ("my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")


def condition_errors(path: str, conditions: Sequence[Obj]) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        kind = condition.get("type") or ""
        if kind in seen:
            errors.append(duplicate(f"{path}[{index}].type", kind))
        seen.add(kind)
        errors += _condition(f"{path}[{index}]", condition)
    return errors


def _condition(path: str, condition: Obj) -> Errors:
    kind, status = condition.get("type") or "", condition.get("status") or ""
    errors = validation.values(f"{path}.type", kind, validation.qualified_name(kind))
    if status not in _STATUSES:
        errors.append(not_supported(f"{path}.status", status, _STATUSES))
    if (generation := condition.get("observedGeneration") or 0) < 0:
        errors.append(invalid_value(f"{path}.observedGeneration", generation, "must be greater than or equal to zero"))
    if condition.get("lastTransitionTime") is None:
        errors.append(required(f"{path}.lastTransitionTime", "must be set"))
    errors += _reason(f"{path}.reason", condition.get("reason") or "")
    if len((condition.get("message") or "").encode()) > _LONGEST_MESSAGE:
        errors.append(too_long(f"{path}.message", _LONGEST_MESSAGE))
    return errors


def _reason(path: str, reason: str) -> Errors:
    if not reason:
        return [required(path, "must be set")]
    errors: Errors = []
    if not re.fullmatch(_REASON, reason):
        errors.append(invalid_value(path, reason, validation.pattern_message(_REASON_TEXT, _REASON, *_REASONS)))
    if len(reason) > _LONGEST_REASON:
        errors.append(too_long(path, _LONGEST_REASON))
    return errors
