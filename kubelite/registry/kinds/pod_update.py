"""What an update of a pod may change; after upstream's `ValidatePodUpdate`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kubelite.errors import forbidden_field, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod_gated_update import gated_update, without_node_wishes
from kubelite.registry.kinds.podspec_containers import image_whitespace
from kubelite.registry.kinds.podspec_rules import MAX_INT32, Errors
from kubelite.registry.kinds.podspec_scheduling import added_tolerations, removed_gates
from kubelite.registry.validation import between

_UPDATABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)
_FREE = ("activeDeadlineSeconds", "tolerations", "schedulingGates")


def pod_update(new: Obj, old: Obj) -> Errors:
    """Errors about the difference of two pod specs (each of which has been looked at by itself)."""
    errors: Errors = []
    for kind in ("containers", "initContainers"):
        ours, theirs = new.get(kind) or [], old.get(kind) or []
        if len(ours) != len(theirs):
            return [*errors, forbidden_field(f"spec.{kind}", "pod updates may not add or remove containers")]
        for index, container in enumerate(ours):
            if not container.get("image"):
                errors.append(required(f"spec.{kind}[{index}].image"))
            errors += image_whitespace(f"spec.{kind}[{index}]", container)
    wrong_deadline, stop = _deadline("spec.activeDeadlineSeconds", new, old)
    errors += wrong_deadline
    if stop:
        return errors
    errors += added_tolerations("spec.tolerations", new.get("tolerations") or [], old.get("tolerations") or [])
    errors += removed_gates("spec.schedulingGates", new.get("schedulingGates") or [], old.get("schedulingGates") or [])
    masked = _masked(new, old)
    if old.get("schedulingGates"):
        errors += gated_update(new, old)
        masked = without_node_wishes(masked, old)
    if changes := list(_differences("", old, masked)):
        text = f"pod updates may not change fields other than {','.join(_UPDATABLE)}\n{_shown(changes)}"
        errors.append(forbidden_field("spec", text))
    return errors


def _deadline(path: str, new: Obj, old: Obj) -> tuple[Errors, bool]:
    """A deadline may be set and brought forward; the second value says that nothing else needs to be looked at."""
    deadline, before = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if deadline is None:
        text = "must not update from a positive integer to nil value"
        return ([] if before is None else [invalid_value(path, None, text)]), False
    if not 0 <= deadline <= MAX_INT32:
        return [invalid_value(path, deadline, between(0, MAX_INT32))], True
    if before is not None and before < deadline:
        return [invalid_value(path, deadline, "must be less than or equal to previous value")], True
    return [], False


def ephemeral_containers_update(new: Obj, old: Obj) -> Errors:
    """They are only ever added, and only through their subresource."""
    path = "spec.ephemeralContainers"
    now = {container.get("name"): container for container in new.get("ephemeralContainers") or ()}
    errors: Errors = []
    for container in old.get("ephemeralContainers") or ():
        subject = f'existing ephemeral containers "{container["name"]}" may not be'
        if container["name"] not in now:
            errors.append(forbidden_field(path, f"{subject} removed\n"))
        elif changes := list(_differences("", container, now[container["name"]])):
            errors.append(forbidden_field(path, f"{subject} changed\n{_shown(changes)}"))
    return errors


def _masked(new: Obj, old: Obj) -> Obj:
    """`new` with everything that may change taken from `old`."""
    masked = {key: value for key, value in meta.copy(new).items() if key not in _FREE}
    masked |= {key: old[key] for key in _FREE if key in old}
    for kind in ("containers", "initContainers"):
        for container, before in zip(masked.get(kind) or (), old.get(kind) or (), strict=True):
            container["image"] = before.get("image")
    grace = old.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and masked.get("terminationGracePeriodSeconds") == 1:
        masked["terminationGracePeriodSeconds"] = grace
    return masked


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Where two values differ; nothing and empty are the same."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differences(f"{path}.{key}".removeprefix("."), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{index}]", before, after)
    elif old != new and not (_is_empty(old) and _is_empty(new)):
        yield path, old, new


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _shown(changes: list[tuple[str, Any, Any]]) -> str:
    lines = []
    for path, old, new in changes:
        for mark, value in (("-", old), ("+", new)):
            if value is not None:
                lines.append(f"{mark} {path}: {msgspec.json.encode(value).decode()}\n")
    return "".join(lines)
