"""Whether a Job has succeeded early by its successPolicy. Pure; after upstream's `success_policy`."""

from __future__ import annotations

from kubelite.controllers.job import indexes
from kubelite.controllers.job.indexes import Indexes
from kubelite.objects.meta import Obj


def message_when_met(job: Obj, succeeded: Indexes) -> str:
    """Which rule fits; empty when none does."""
    if not succeeded:
        return ""
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        if _fits(rule, succeeded, job["spec"].get("completions") or 0):
            return f"Matched rules at index {number}"
    return ""


def _fits(rule: Obj, succeeded: Indexes, completions: int) -> bool:
    count = rule.get("succeededCount")
    if rule.get("succeededIndexes") is None:
        return count is not None and len(succeeded) >= count
    wanted = indexes.parse(rule["succeededIndexes"], completions)
    reached = len(wanted & succeeded)
    return bool(wanted) and (reached == len(wanted) or (count is not None and reached >= count))
