"""Which volume suits a claim; pure (upstream's `pkg/controller/volume/persistentvolume/index.go`)."""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.objects.placement import matches_terms
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.kinds.persistentvolume import storage_class_of


def requested(claim: Obj) -> int:
    return quantity.to_bytes(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", 0))


def capacity(volume: Obj) -> int:
    return quantity.to_bytes(volume["spec"]["capacity"].get("storage", 0))


def refers_to(volume: Obj, claim: Obj) -> bool:
    """The volume is reserved for this claim, by name, and by uid where it says one."""
    ref = volume["spec"].get("claimRef") or {}
    same = ref.get("name") == meta.name(claim) and ref.get("namespace") == meta.namespace(claim)
    return same and ref.get("uid") in (None, "", meta.uid(claim))


def mismatch(volume: Obj, claim: Obj) -> str:
    """Why the volume can't serve the claim; empty when it can."""
    if _is_too_small(volume, claim):
        return "requested PV is too small"
    if not _same_class(volume, claim):
        return "storageClassName does not match"
    return _incompatible(volume, claim)


def _is_too_small(volume: Obj, claim: Obj) -> bool:
    return capacity(volume) < requested(claim)


def _same_class(volume: Obj, claim: Obj) -> bool:
    return (storage_class_of(volume) or "") == (storage_class_of(claim) or "")


def _incompatible(volume: Obj, claim: Obj) -> str:
    if volume["spec"].get("volumeMode", "Filesystem") != claim["spec"].get("volumeMode", "Filesystem"):
        return "incompatible volumeMode"
    if not set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ()):
        return "incompatible accessMode"
    return ""


def best(claim: Obj, volumes: Iterable[Obj]) -> Obj | None:
    """The volume reserved for the claim (of whatever class), else the tightest free one that suits it.

    Of those with the fewest access modes the smallest, as upstream's index has it.
    """
    selector = claim["spec"].get("selector")
    wanted = from_label_selector(selector) if selector is not None else None
    suitable = []
    for volume in volumes:
        if meta.is_terminating(volume) or _is_too_small(volume, claim) or _incompatible(volume, claim):
            continue
        if refers_to(volume, claim):
            return volume
        free = not volume["spec"].get("claimRef") and volume.get("status", {}).get("phase") == "Available"
        selected = wanted is None or wanted.matches(meta.labels(volume))
        if free and selected and _same_class(volume, claim):
            suitable.append(volume)
    return min(suitable, key=_tightness, default=None)


def _tightness(volume: Obj) -> tuple[int, int, str]:
    return len(volume["spec"].get("accessModes") or ()), capacity(volume), meta.name(volume)


def reaches(volume: Obj, node: Obj) -> bool:
    """The volume can be had on the node."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or matches_terms(required.get("nodeSelectorTerms") or (), node)
