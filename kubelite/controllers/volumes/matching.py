"""Which volume suits a claim, and what reserves it; pure.

After upstream's `pkg/controller/volume/persistentvolume/index.go` and `component-helpers/storage/volume/pv_helpers.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.objects.placement import matches_terms
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.kinds.persistentvolume import storage_class_of

BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


def requested(claim: Obj) -> int:
    return quantity.to_bytes(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", 0))


def capacity(volume: Obj) -> int:
    return quantity.to_bytes(volume["spec"]["capacity"].get("storage", 0))


def refers_to(volume: Obj, claim: Obj) -> bool:
    """The volume is reserved for this claim, by name, and by uid where it says one."""
    ref = volume["spec"].get("claimRef") or {}
    same = ref.get("name") == meta.name(claim) and ref.get("namespace") == meta.namespace(claim)
    return same and ref.get("uid") in (None, "", meta.uid(claim))


def reserved(volume: Obj, claim: Obj) -> Obj:
    """The volume pointing to the claim; itself where it does already."""
    if (volume["spec"].get("claimRef") or {}).get("uid") == meta.uid(claim):
        return volume
    new = meta.copy(volume)
    if not refers_to(volume, claim):
        new["metadata"].setdefault("annotations", {})[BOUND_BY_CONTROLLER] = "yes"
    new["spec"]["claimRef"] = meta.reference(claim)
    return new


def unbound(volume: Obj) -> Obj:
    """The volume free again, or, where its maker named the claim, waiting for one of the name."""
    new = meta.copy(volume)
    if BOUND_BY_CONTROLLER in meta.annotations(volume):
        del new["metadata"]["annotations"][BOUND_BY_CONTROLLER]
        del new["spec"]["claimRef"]
    else:
        new["spec"]["claimRef"].pop("uid", None)
    return new


def mismatch(volume: Obj, claim: Obj) -> str:
    """Why the volume that the claim asks for by name can't serve it; empty when it can."""
    if meta.is_terminating(volume):
        return f'the volume is marked for deletion "{meta.name(volume)}"'
    if _is_too_small(volume, claim):
        return "requested PV is too small"
    if not _same_class(volume, claim):
        return "storageClassName does not match"
    if modes_differ(volume, claim):
        return "incompatible volumeMode"
    return "" if _has_access_modes(volume, claim) else "incompatible accessMode"


def modes_differ(volume: Obj, claim: Obj) -> bool:
    of_volume, of_claim = (obj["spec"].get("volumeMode") or "Filesystem" for obj in (volume, claim))
    return bool(of_volume != of_claim)


def _is_too_small(volume: Obj, claim: Obj) -> bool:
    return capacity(volume) < requested(claim)


def _same_class(volume: Obj, claim: Obj) -> bool:
    return (storage_class_of(volume) or "") == (storage_class_of(claim) or "")


def _access_modes(obj: Obj) -> frozenset[str]:
    return frozenset(obj["spec"].get("accessModes") or ())


def _has_access_modes(volume: Obj, claim: Obj) -> bool:
    return _access_modes(claim) <= _access_modes(volume)


def best(claim: Obj, volumes: Iterable[Obj], *, delayed: bool) -> Obj | None:
    """The binder's choice: volumes of the fewest access modes go first; a delayed claim gets none but its own."""
    groups: dict[frozenset[str], list[Obj]] = {}
    for volume in volumes:
        if _has_access_modes(volume, claim):
            groups.setdefault(_access_modes(volume), []).append(volume)
    choices = (_choice(claim, groups[modes], lambda volume: not delayed) for modes in sorted(groups, key=_by_number))
    return next((choice for choice in choices if choice is not None), None)


def _by_number(modes: frozenset[str]) -> tuple[int, list[str]]:
    return len(modes), sorted(modes)


def best_on(node: Obj, claim: Obj, volumes: Iterable[Obj], taken: Collection[str]) -> Obj | None:
    """The scheduler's choice for a claim that waits for its consumer: of volumes that the node has, but those `taken`."""
    left = [volume for volume in volumes if meta.name(volume) not in taken]
    found = _choice(claim, left, lambda volume: reaches(volume, node) and _has_access_modes(volume, claim))
    return found if found is not None and reaches(found, node) else None


def _choice(claim: Obj, volumes: Iterable[Obj], suits: Callable[[Obj], bool]) -> Obj | None:
    """The volume reserved for the claim (of whatever class), else the smallest free one that suits it."""
    selector = claim["spec"].get("selector")
    wanted = from_label_selector(selector) if selector is not None else None
    suitable = []
    for volume in volumes:
        if meta.is_terminating(volume) or _is_too_small(volume, claim) or modes_differ(volume, claim):
            continue
        if refers_to(volume, claim):
            return volume
        free = not volume["spec"].get("claimRef") and (volume.get("status") or {}).get("phase") == "Available"
        selected = wanted is None or wanted.matches(meta.labels(volume))
        if free and selected and _same_class(volume, claim) and suits(volume):
            suitable.append(volume)
    return min(suitable, key=lambda volume: (capacity(volume), meta.name(volume)), default=None)


def reaches(volume: Obj, node: Obj) -> bool:
    """The volume can be had on the node."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or matches_terms(required.get("nodeSelectorTerms") or (), node)
