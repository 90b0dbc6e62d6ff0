"""What a pod's claims and their volumes say of where it may run. PURE; used by the scheduler.

After upstream's plugins VolumeBinding, VolumeZone and VolumeRestrictions.
"""

from __future__ import annotations

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.placement import matches_terms


def matches_volume_affinity(volume: Obj, node: Obj) -> bool:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return required is None or matches_terms(required.get("nodeSelectorTerms") or (), node)


def names_ephemeral(pod: Obj, claim: str) -> bool:
    """Whether the claim is to be made for one of the pod's ephemeral volumes."""
    volumes = pod["spec"].get("volumes") or ()
    return any(f"{meta.name(pod)}-{volume['name']}" == claim for volume in volumes if volume.get("ephemeral"))


def uses_claim(pod: Obj, claim: Obj) -> bool:
    if meta.namespace(pod) != meta.namespace(claim):
        return False
    volumes = pod["spec"].get("volumes") or ()
    return any((v.get("persistentVolumeClaim") or {}).get("claimName") == meta.name(claim) for v in volumes)
