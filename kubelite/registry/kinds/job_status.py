"""What a write of a Job's status may say; after upstream's `validateJobStatus`.

Controllers from outside may write it (`managedBy`), and clients have to be able to rely on it: a finished Job stays
finished, and counts only grow. Most rules hold for what a write changes, so that one wrong field doesn't block others.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubelite.errors import OMITTED, FieldError, duplicate, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.job_policies import indexes_in
from kubelite.registry.kinds.podspec_rules import Errors
from kubelite.registry.kinds.workload_status import not_negative_counts

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")


class _Change:
    """A Job's status before and after."""

    def __init__(self, new: Obj, old: Obj) -> None:
        self.new, self.old = new, old
        self.spec: Obj = new["spec"]
        self.status: Obj = new.get("status") or {}
        self.before: Obj = old.get("status") or {}

    def is_now(self, kind: str) -> bool:
        return meta.condition_is_true(self.status.get("conditions"), kind)

    def was(self, kind: str) -> bool:
        return meta.condition_is_true(self.before.get("conditions"), kind)

    @property
    def is_finished(self) -> bool:
        return self.is_now("Complete") or self.is_now("Failed")

    @property
    def finishes(self) -> bool:
        return self.is_finished != (self.was("Complete") or self.was("Failed"))

    def turns(self, *kinds: str) -> bool:
        return any(self.is_now(kind) != self.was(kind) for kind in kinds)

    def moves(self, *names: str) -> bool:
        return any((self.status.get(name) or None) != (self.before.get(name) or None) for name in names)


def status_errors(new: Obj, old: Obj) -> Errors:
    change = _Change(new, old)
    errors = not_negative_counts("status", change.status, _COUNTS)
    errors += _uncounted("status.uncountedTerminatedPods", change.status.get("uncountedTerminatedPods") or {})
    rules = (_conditions, _completion_time, _finished, _indexes, _ready, _kept)
    return errors + [error for rule in rules for error in rule(change)]


def _uncounted(path: str, uncounted: Obj) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for how in ("succeeded", "failed"):
        for index, uid in enumerate(uncounted.get(how) or ()):
            if not uid:
                errors.append(invalid_value(f"{path}.{how}[{index}]", uid, "must not be empty"))
            elif uid in seen:
                errors.append(duplicate(f"{path}.{how}[{index}]", uid))
            seen.add(uid)
    return errors


def _conditions(change: _Change) -> Errors:
    """Which of the ends exclude, and which require each other."""
    is_now, turns = change.is_now, change.turns
    wrong: list[tuple[bool, str]] = [
        (
            turns("Complete", "Failed") and is_now("Complete") and is_now("Failed"),
            "cannot set Complete=True and Failed=true conditions",
        ),
        (
            turns("Complete", "FailureTarget") and is_now("Complete") and is_now("FailureTarget"),
            "cannot set Complete=True and FailureTarget=true conditions",
        ),
        (
            turns("Failed", "FailureTarget") and is_now("Failed") and not is_now("FailureTarget"),
            "cannot set Failed=True condition without the FailureTarget=true condition",
        ),
        (
            turns("Complete", "SuccessCriteriaMet") and is_now("Complete") and not is_now("SuccessCriteriaMet"),
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (
            is_now("SuccessCriteriaMet") and is_now("Failed"),
            "cannot set SuccessCriteriaMet=True and Failed=true conditions",
        ),
        (
            is_now("SuccessCriteriaMet") and is_now("FailureTarget"),
            "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions",
        ),
    ]
    wrong += [
        (change.was(kind) and not is_now(kind), f"cannot disable the terminal {kind}=True condition")
        for kind in _TERMINAL
    ]
    lost = change.was("SuccessCriteriaMet") and not is_now("SuccessCriteriaMet")
    wrong.append((lost, "cannot disable the SuccessCriteriaMet=True condition"))
    return [invalid_value("status.conditions", OMITTED, text) for is_wrong, text in wrong if is_wrong]


def _completion_time(change: _Change) -> Iterator[FieldError]:
    path, done, start = "status.completionTime", change.status.get("completionTime"), change.status.get("startTime")
    if change.turns("Complete") or change.moves("completionTime"):
        if done and not change.is_now("Complete"):
            yield invalid_value(path, done, "cannot set completionTime when there is no Complete=True condition")
        if not done and change.is_now("Complete"):
            yield required(path, "completionTime is required for Complete jobs")
    changed = change.moves("startTime", "completionTime")
    if changed and start and done and meta.parse_time(done) < meta.parse_time(start):
        yield invalid_value(path, done, "completionTime cannot be set before startTime")
    if done and change.before.get("completionTime") and change.moves("completionTime"):
        yield invalid_value(path, done, "completionTime cannot be mutated")


def _finished(change: _Change) -> Iterator[FieldError]:
    """What a finished Job has no more of."""
    if not change.is_finished:
        return
    status = change.status
    for name in ("active", "terminating"):
        if (change.finishes or change.moves(name)) and status.get(name, 0) > 0:
            yield invalid_value(f"status.{name}", status[name], f"{name}>0 is invalid for finished job")
    never_starts = change.spec.get("suspend") and change.spec.get("completions") == 0
    if (change.finishes or change.moves("startTime")) and not status.get("startTime") and not never_starts:
        yield required("status.startTime", "startTime is required for finished job")
    uncounted = status.get("uncountedTerminatedPods") or {}
    left = any(uncounted.get(how) for how in ("succeeded", "failed"))
    if (change.finishes or change.moves("uncountedTerminatedPods")) and left:
        text = "uncountedTerminatedPods needs to be empty for finished job"
        yield invalid_value("status.uncountedTerminatedPods", uncounted, text)


def _indexes(change: _Change) -> Iterator[FieldError]:
    completions, sets = change.spec.get("completions"), {}
    for name in ("completedIndexes", "failedIndexes"):
        text = change.status.get(name)
        sets[name], why = indexes_in(text or "", completions or 0)
        if not change.moves(name) or text is None:
            continue
        if why and completions is not None:
            yield invalid_value(f"status.{name}", text, f"error parsing {name}: {why}")
        elif text and name == "completedIndexes" and change.spec.get("completionMode") != "Indexed":
            yield invalid_value(
                f"status.{name}", text, "cannot set non-empty completedIndexes when non-indexed completion mode"
            )
        elif name == "failedIndexes" and change.spec.get("backoffLimitPerIndex") is None:
            yield invalid_value(
                f"status.{name}", text, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            )
    both = sets["completedIndexes"] & sets["failedIndexes"]
    if change.moves("completedIndexes", "failedIndexes") and both:
        text = f"failedIndexes and completedIndexes overlap at index: {min(both)}"
        yield invalid_value("status.failedIndexes", change.status.get("failedIndexes"), text)


def _ready(change: _Change) -> Iterator[FieldError]:
    ready = change.status.get("ready") or 0
    if change.moves("ready", "active") and ready > (change.status.get("active") or 0):
        yield invalid_value("status.ready", ready, "cannot set more ready pods than active")


def _kept(change: _Change) -> Iterator[FieldError]:
    """Counts that only grow (successes may shrink with the number of indexes), and the start.

    A Job that is resumed gets a new start; upstream refuses that to its own controller, too, which is a known fault.
    """
    spec, status, before = change.spec, change.status, change.before
    elastic = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for name in ("failed", "succeeded"):
        shrinks = (status.get(name) or 0) < (before.get(name) or 0)
        if shrinks and not (name == "succeeded" and elastic):
            yield invalid_value(f"status.{name}", status.get(name) or 0, f"cannot decrease the {name} counter")
    started = before.get("startTime")
    if started and change.moves("startTime") and not spec.get("suspend") and not change.was("Suspended"):
        yield required("status.startTime", "startTime cannot be removed for unsuspended job")
