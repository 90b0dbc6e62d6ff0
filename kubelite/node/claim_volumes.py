"""Which persistent volume is behind a pod's claim, and whether the pod may have it. Called when volumes are set up.

After upstream's `kubelet/volumemanager/populator`, and its check of ReadWriteOncePod in the operation generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubelite.node.volume_payload import VolumeError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.placement import matches_terms

Find = Callable[[str, str | None, str], Obj | None]  # plural, namespace, name

ALONE = "ReadWriteOncePod"
GROUP = "pv.beta.kubernetes.io/gid"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


class ClaimUnusable(VolumeError):
    """The claim leads nowhere (yet)."""


@dataclass(frozen=True, slots=True)
class PersistentVolume:
    """What a claim is bound to."""

    name: str
    spec: Obj
    read_only: bool
    group: str = ""  # that may use it
    provisioned: bool = False  # by the cluster's own provisioner, so it is here, whatever the server was called


def persistent_volume(pod: Obj, volume: Obj, find: Find) -> PersistentVolume | None:
    """The persistent volume behind a pod's volume, None when it has none."""
    read_only = False
    if source := volume.get("persistentVolumeClaim"):
        name, read_only = source["claimName"], bool(source.get("readOnly"))
    elif "ephemeral" in volume:
        name = f"{meta.name(pod)}-{volume['name']}"
    else:
        return None
    claim = find("persistentvolumeclaims", meta.namespace(pod), name)
    if "ephemeral" in volume:
        _check_owner(pod, claim, name)
    if claim is not None and meta.is_terminating(claim) and not _has_run(pod):
        raise ClaimUnusable(f"error processing PVC {meta.namespace(pod)}/{name}: PVC is being deleted")
    bound, found = _bound_to(f"{meta.namespace(pod)}/{name}", claim, find)
    _check_mode(pod, volume["name"], found["spec"].get("volumeMode") or "Filesystem")
    provisioned = PROVISIONED_BY in meta.annotations(found)
    return PersistentVolume(bound, found["spec"], read_only, _group(found), provisioned)


def is_out_of_reach(volume: PersistentVolume, node: Obj | None) -> bool:
    """A pod that names its node itself may be where its volume isn't."""
    required = (volume.spec.get("nodeAffinity") or {}).get("required")
    if required is None or node is None:
        return False
    return not matches_terms(required.get("nodeSelectorTerms") or (), node)


def _group(persistent: Obj) -> str:
    group = meta.annotations(persistent).get(GROUP, "")
    return group if group.isdecimal() else ""


def _has_run(pod: Obj) -> bool:
    """A pod that has its volumes already keeps them, also when they are set up again after a restart of the kubelet."""
    return any(status.get("containerID") for status in (pod.get("status") or {}).get("containerStatuses") or ())


def _check_owner(pod: Obj, claim: Obj | None, name: str) -> None:
    if claim is not None and not meta.is_controlled_by(claim, pod):
        names = f"PVC {meta.namespace(pod)}/{name} was not created for pod {meta.namespace(pod)}/{meta.name(pod)}"
        raise ClaimUnusable(f"{names} (pod is not owner)")


def _bound_to(where: str, claim: Obj | None, find: Find) -> tuple[str, Obj]:
    problem = f"error processing PVC {where}:"
    if claim is None:
        name = where.partition("/")[2]
        raise ClaimUnusable(f'{problem} failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found')
    wanted = claim["spec"].get("volumeName")
    if (claim.get("status") or {}).get("phase") != "Bound" or not wanted:
        raise ClaimUnusable(f"{problem} PVC is not bound")
    found = find("persistentvolumes", None, wanted)
    if found is None:
        raise ClaimUnusable(
            f'{problem} failed to fetch PV {wanted} from API server: persistentvolumes "{wanted}" not found'
        )
    return wanted, found


def _check_mode(pod: Obj, volume: str, mode: str) -> None:
    """Directories are mounted, raw devices aren't; there are none of these here."""
    spec = pod["spec"]
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    used = {
        field
        for c in every
        for field in ("volumeMounts", "volumeDevices")
        for e in c.get(field) or ()
        if e["name"] == volume
    }
    if mode == "Block" and "volumeMounts" in used:
        raise ClaimUnusable(f"volume {volume} has volumeMode Block, but is specified in volumeMounts")
    if mode != "Block" and "volumeDevices" in used:
        raise ClaimUnusable(f"volume {volume} has volumeMode {mode}, but is specified in volumeDevices")
    if mode == "Block":
        raise ClaimUnusable("raw block volumes are not supported")


def take(pod: Obj, volume: PersistentVolume, directory: Path, find: Find) -> None:
    """A volume may be for one pod at a time: whoever has it says so in its own directory, which `directory` is."""
    if volume.spec.get("accessModes") != [ALONE]:
        return
    for sign in directory.parent.glob(f"*/alone/{volume.name}"):
        namespace, name, uid = sign.read_text().split("/")
        holder = find("pods", namespace, name)
        if uid == meta.uid(pod) or holder is None or meta.uid(holder) != uid:
            continue
        if (holder.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            raise VolumeError(f"volume uses the {ALONE} access mode and is already in use by another pod")
    sign = directory / "alone" / volume.name
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.write_text(f"{meta.namespace(pod)}/{meta.name(pod)}/{meta.uid(pod)}")
