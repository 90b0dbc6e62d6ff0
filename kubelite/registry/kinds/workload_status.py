"""What writes of workloads' statuses may say: counts that aren't negative, and parts no greater than the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kubelite.errors import invalid_value
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.podspec_rules import Errors

StatusRules = Callable[[Obj, Obj], Errors]


def not_negative_counts(path: str, status: Obj, names: Sequence[str]) -> Errors:
    return [error for name in names for error in validation.not_negative(f"{path}.{name}", status.get(name))]


def counts(*names: str, parts: Sequence[str] = (), within_ready: str = "readyReplicas") -> StatusRules:
    """Rules for a status with these counts; `parts` of them are of `replicas`, and the available ones are ready.

    `within_ready` is how upstream calls the latter limit in its message.
    """

    def rules(new: Obj, old: Obj) -> Errors:
        status, before = new.get("status") or {}, old.get("status") or {}
        errors = not_negative_counts("status", status, (*names, *parts, "observedGeneration", "collisionCount"))
        if (before.get("collisionCount") or 0) > (status.get("collisionCount") or 0):
            text = "cannot be decremented"
            errors.append(invalid_value("status.collisionCount", status.get("collisionCount") or 0, text))
        for name in parts:
            errors += _at_most(status, name, "replicas", "status.replicas")
        if "availableReplicas" in parts:
            errors += _at_most(status, "availableReplicas", "readyReplicas", within_ready)
        return errors

    return rules


def _at_most(status: Obj, name: str, whole: str, shown: str) -> Errors:
    value = status.get(name) or 0
    if value <= (status.get(whole) or 0):
        return []
    return [invalid_value(f"status.{name}", value, f"cannot be greater than {shown}")]
