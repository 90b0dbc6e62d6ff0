"""Claims of a StatefulSet's pods: which are missing, and who owns them by the retention policy.

Pure; `persistentVolumeClaimRetentionPolicy` works by owner references alone, the garbage collector does the rest:

| whenScaled | whenDeleted | controller reference on the claim          |
|------------|-------------|--------------------------------------------|
| Retain     | Retain      | none                                       |
| Retain     | Delete      | the set                                    |
| Delete     | Retain      | the pod, once it is out of range           |
| Delete     | Delete      | the set; the pod, once it is out of range  |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubelite.controllers.statefulset import identity
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class ClaimWork:
    """What one pod's claims need: some created, some given other owners, some waited for while they go.

    `disputed` are those whose policy is ignored because something else controls them; their users are told.
    """

    create: tuple[Obj, ...] = ()
    change: tuple[Obj, ...] = ()
    deleting: tuple[str, ...] = ()
    disputed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.change or self.deleting or self.disputed)


NOTHING = ClaimWork()


@dataclass(frozen=True, slots=True)
class _Policy:
    scaled: bool  # Delete when the pod is scaled away
    deleted: bool  # Delete with the set


def _policy(set: Obj) -> _Policy:
    asked = set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return _Policy(asked.get("whenScaled") == "Delete", asked.get("whenDeleted") == "Delete")


def _is_about(ref: Obj, owner: Obj) -> bool:
    """Same kind and name; the uid may be that of a former one."""
    return (ref["apiVersion"], ref["kind"], ref["name"]) == (owner["apiVersion"], owner["kind"], meta.name(owner))


def _is_stale(claim: Obj, owner: Obj) -> bool:
    found = next((ref for ref in meta.owner_references(claim) if _is_about(ref, owner)), None)
    return found is not None and found["uid"] != meta.uid(owner)


def _is_disputed(claim: Obj, set: Obj, pod: Obj) -> bool:
    """The policy would give the claim away, but another controller has it, or a former set or pod of the same name."""
    refs, policy = meta.owner_references(claim), _policy(set)
    if not refs or not (policy.scaled or policy.deleted):
        return False
    ours = (meta.uid(set), meta.uid(pod))
    foreign = any(ref.get("controller") and ref["uid"] not in ours for ref in refs)
    return foreign or _is_stale(claim, set) or _is_stale(claim, pod)


def _wanted_owner(set: Obj, pod: Obj) -> Obj | None:
    policy = _policy(set)
    if policy.scaled and not identity.in_range(set, identity.ordinal(pod)):
        return pod
    return set if policy.deleted else None


def _owned_right(claim: Obj, set: Obj, pod: Obj) -> Obj | None:
    """The claim with the owners that the policy asks for; None when nothing is to change.

    Claims of a former set or pod of the same name are left to the garbage collector.
    """
    refs = meta.owner_references(claim)
    owner = _wanted_owner(set, pod)
    if not refs and owner is None:
        return None
    if _is_stale(claim, set) or _is_stale(claim, pod):
        return None
    kept = [ref for ref in refs if not _is_about(ref, set) and not _is_about(ref, pod)]
    wanted = kept if owner is None or _is_disputed(claim, set, pod) else [*kept, meta.owner_reference(owner)]
    if _same(refs, wanted):
        return None
    changed = meta.copy(claim)
    changed["metadata"]["ownerReferences"] = wanted
    if not wanted:
        del changed["metadata"]["ownerReferences"]
    return changed


def _same(refs: list[Obj], wanted: list[Obj]) -> bool:
    def key(ref: Obj) -> tuple[str, bool]:
        return ref["uid"], bool(ref.get("controller"))

    return sorted(map(key, refs)) == sorted(map(key, wanted))


def is_stale(set: Obj, pod: Obj, claims: Mapping[str, Obj]) -> bool:
    """A claim still belongs to a scaled-away pod of the same name and is about to go: the new pod must wait."""
    if not _policy(set).scaled:
        return False
    names = identity.claim_names(set, identity.ordinal(pod))
    return any(_is_stale(claims[name], pod) for name in names if name in claims)


def missing(set: Obj, pod: Obj, claims: Mapping[str, Obj]) -> ClaimWork:
    """Everything a pod needs before it can run: its claims, with the right owners."""
    number = identity.ordinal(pod)
    create, deleting = [], []
    for template in identity.claim_templates(set):
        name = identity.claim_name(set, template, number)
        if name not in claims:
            wanted = identity.new_claim(set, template, number)
            create.append(_owned_right(wanted, set, pod) or wanted)
        elif meta.is_terminating(claims[name]):
            deleting.append(name)
    if deleting:
        return ClaimWork(tuple(create), deleting=tuple(deleting))
    return ClaimWork(tuple(create), _changes(set, pod, claims), disputed=_disputed(set, pod, claims))


def owners(set: Obj, pod: Obj, claims: Mapping[str, Obj]) -> ClaimWork:
    """Existing claims of `pod` whose owners don't follow the policy."""
    change = _changes(set, pod, claims)
    return ClaimWork(change=change, disputed=_disputed(set, pod, claims)) if change else NOTHING


def _existing(set: Obj, pod: Obj, claims: Mapping[str, Obj]) -> Iterator[Obj]:
    names = identity.claim_names(set, identity.ordinal(pod))
    return (claims[name] for name in names if name in claims)


def _changes(set: Obj, pod: Obj, claims: Mapping[str, Obj]) -> tuple[Obj, ...]:
    changed = (_owned_right(claim, set, pod) for claim in _existing(set, pod, claims))
    return tuple(claim for claim in changed if claim is not None)


def _disputed(set: Obj, pod: Obj, claims: Mapping[str, Obj]) -> tuple[str, ...]:
    return tuple(meta.name(claim) for claim in _existing(set, pod, claims) if _is_disputed(claim, set, pod))
