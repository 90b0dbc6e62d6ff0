"""What the server itself writes into objects: identity on create, what an update may not touch, deletion marks.

Pure functions over objects, used by the registry; they follow apiserver's `registry/rest` strategies.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Literal

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind

Propagation = Literal["Background", "Foreground", "Orphan"]

SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
MAX_GENERATED_BASE = 58
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"

_IDENTITY = ("namespace", "uid", "creationTimestamp")
_OF_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")
_SERVER_ONLY = ("generation", "selfLink")
_OUTSIDE_SPEC = ("apiVersion", "kind", "metadata", "status")


def generated_suffix() -> str:
    """Five characters that can't spell a word."""
    return "".join(secrets.choice(SAFE_ALPHABET) for _ in range(5))


def generated_name(base: str, suffix: str) -> str:
    """`generateName` and what makes it a name of its own."""
    return base[:MAX_GENERATED_BASE] + suffix


def counts_generations(kind: Kind) -> bool:
    """Which kinds carry metadata.generation: most of the API groups' that have a spec and a status apart, and a few."""
    if kind.counts_generations is not None:
        return kind.counts_generations
    return bool(kind.group) and "status" in kind.subresources


def stamp_created(kind: Kind, obj: Obj, uid: str, now: datetime) -> None:
    """Make `obj` a new object: identity, first generation, the initial status."""
    metadata = obj["metadata"]
    for key in (*_OF_DELETION, *_SERVER_ONLY, "resourceVersion", "managedFields"):
        metadata.pop(key, None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = meta.format_time(now)
    if counts_generations(kind):
        metadata["generation"] = 1
    if "status" in kind.subresources:
        obj["status"] = kind.initial_status(obj) or {}


def restamp(kind: Kind, new: Obj, stamped: Obj) -> None:
    """`new` is `stamped` with changes from outside: what makes it an object of its own is the server's alone."""
    metadata, before = new["metadata"], stamped["metadata"]
    metadata["name"] = metadata.get("name") or before["name"]
    for key in ("uid", "creationTimestamp", "generation", "managedFields"):
        metadata.pop(key, None)
        if key in before:
            metadata[key] = before[key]
    if "status" in kind.subresources:
        new["status"] = stamped["status"]


def carry_over(kind: Kind, new: Obj, old: Obj) -> None:
    """An update of the object proper: system metadata and the status stay as they were."""
    _carry_metadata(new, old)
    if "status" in kind.subresources:
        new["status"] = old.get("status", {})


def carry_over_for_status(kind: Kind, new: Obj, old: Obj) -> Obj:
    """An update of the status: of `new`, only the status and most kinds' labels and annotations count."""
    metadata = dict(old["metadata"])
    for key in (*kind.status_metadata, "resourceVersion", "managedFields"):
        metadata.pop(key, None)
        if new["metadata"].get(key):
            metadata[key] = new["metadata"][key]
    return {**old, "metadata": metadata, "status": new.get("status") or {}}


def _carry_metadata(new: Obj, old: Obj) -> None:
    """What an update leaves out is filled in; what it changes against the rules is left for validation to refuse."""
    wanted, current = new["metadata"], old["metadata"]
    for key in _SERVER_ONLY:
        wanted.pop(key, None)
    for key in _SERVER_ONLY + (_OF_DELETION if meta.is_terminating(old) else ()):
        if key in current:
            wanted[key] = current[key]
    for key in _IDENTITY:
        if not wanted.get(key) and key in current:
            wanted[key] = current[key]


def bump_generation(kind: Kind, new: Obj, old: Obj) -> None:
    if counts_generations(kind) and any(
        new.get(key) != old.get(key) for key in (new.keys() | old.keys()) - set(_OUTSIDE_SPEC)
    ):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def has_finalizers(obj: Obj) -> bool:
    """Something still has to be done before the object may go (a namespace says so in its spec as well)."""
    of_namespace = obj["kind"] == "Namespace" and obj.get("spec", {}).get("finalizers")
    return bool(obj["metadata"].get("finalizers") or of_namespace)


def may_go(obj: Obj) -> bool:
    """A terminating object whose grace is over and whose finalizers are done."""
    metadata = obj["metadata"]
    return meta.is_terminating(obj) and not metadata.get("deletionGracePeriodSeconds") and not has_finalizers(obj)


def grace_period(kind: Kind, obj: Obj, asked: int | None) -> int:
    """Seconds the object gets: none for kinds without grace, for unscheduled and for finished pods."""
    if kind.grace is None:
        return 0
    if not obj.get("spec", {}).get("nodeName") or obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return kind.grace(obj) if asked is None else asked


def marked_for_deletion(obj: Obj, grace: int, propagation: Propagation | None, now: datetime) -> Obj:
    """A copy of `obj` with deletion marks; a mark that is there already can only be brought forward."""
    marked = meta.copy(obj)
    metadata = marked["metadata"]
    _set_propagation_finalizer(metadata, propagation)
    if meta.is_terminating(obj):
        before = metadata.get("deletionGracePeriodSeconds", 0)
        if grace < before:
            started = meta.parse_time(metadata["deletionTimestamp"]) - timedelta(seconds=before)
            metadata["deletionTimestamp"] = meta.format_time(max(started + timedelta(seconds=grace), now))
            metadata["deletionGracePeriodSeconds"] = grace
        return marked
    metadata["deletionTimestamp"] = meta.format_time(now + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if "generation" in metadata:
        metadata["generation"] += 1
    if obj["kind"] == "Namespace":
        marked["status"] = {**marked.get("status", {}), "phase": "Terminating"}
    return marked


def has_propagation(obj: Obj) -> bool:
    """What becomes of the dependents has been decided."""
    return not {ORPHAN, FOREGROUND}.isdisjoint(obj["metadata"].get("finalizers") or ())


def _set_propagation_finalizer(metadata: Obj, propagation: Propagation | None) -> None:
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(propagation or "")
    if propagation is None:
        return
    kept = [finalizer for finalizer in metadata.get("finalizers", []) if finalizer not in (ORPHAN, FOREGROUND)]
    metadata["finalizers"] = kept + ([wanted] if wanted else [])
    if not metadata["finalizers"]:
        del metadata["finalizers"]


def with_ephemeral_containers(new: Obj, old: Obj) -> Obj:
    """An update through the subresource: of `new`, only the ephemeral containers count."""
    given = (new.get("spec") or {}).get("ephemeralContainers")
    spec = {key: value for key, value in old["spec"].items() if key != "ephemeralContainers"}
    metadata = {key: value for key, value in old["metadata"].items() if key not in ("resourceVersion", "managedFields")}
    return {**old, "metadata": metadata, "spec": spec | ({"ephemeralContainers": given} if given else {})}
