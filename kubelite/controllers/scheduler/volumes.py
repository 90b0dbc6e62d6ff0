"""What a pod's claims and their volumes say of where it may run. Reads through the client, writes nothing.

After upstream's plugins VolumeBinding, VolumeZone and VolumeRestrictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubelite.controllers.scheduler.snapshot import Misfit
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.ephemeral import foreign
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client
from kubelite.registry.kinds.persistentvolume import storage_class_of

NO_PROVISIONER = "kubernetes.io/no-provisioner"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
UNMADE = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
CLAIM_TAKEN = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


def claims(pod: Obj, client: Client) -> Iterator[tuple[str, Obj | None]]:
    """Name and object of every claim that the pod mounts."""
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            name = claim["claimName"]
        elif volume.get("ephemeral"):
            name = f"{meta.name(pod)}-{volume['name']}"
        else:
            continue
        yield name, client.find("persistentvolumeclaims", meta.namespace(pod), name)


def problem(pod: Obj, client: Client) -> str:
    """What keeps the pod from every node; empty when nothing does."""
    for name, claim in claims(pod, client):
        of_pod = _names_ephemeral(pod, name)
        if claim is None:
            return f'{UNMADE} "{name}"' if of_pod else f'persistentvolumeclaim "{name}" not found'
        if of_pod and (why := foreign(pod, claim)):
            return why
        if (claim.get("status") or {}).get("phase") == "Lost":
            volume = claim["spec"].get("volumeName", "")
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
        if meta.is_terminating(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
        if not is_bound(claim) and not _waits_for_consumer(claim, client):
            return UNBOUND
    return ""


def misfit(pod: Obj, node: Obj, others: Sequence[Obj], client: Client) -> Misfit | None:
    found = [claim for _, claim in claims(pod, client) if claim is not None]
    for claim in found:
        if "ReadWriteOncePod" in claim["spec"]["accessModes"] and any(_uses(other, claim) for other in others):
            return Misfit((CLAIM_TAKEN,))
    reasons = {reason: None for claim in found if (reason := _conflict(claim, node, client))}
    return Misfit(tuple(reasons), resolvable=False) if reasons else None


def _conflict(claim: Obj, node: Obj, client: Client) -> str:
    if is_bound(claim):
        volume = client.find("persistentvolumes", None, claim["spec"].get("volumeName", ""))
        if volume is None:
            return "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
        return "" if matching.reaches(volume, node) else "node(s) had volume node affinity conflict"
    volumes = [volume for volume in client.list("persistentvolumes") if matching.reaches(volume, node)]
    if matching.best(claim, volumes) is not None:
        return ""
    found = client.find("storageclasses", None, storage_class_of(claim) or "")
    if found is None or found["provisioner"] == NO_PROVISIONER:
        return "node(s) didn't find available persistent volumes to bind"
    topologies = found.get("allowedTopologies") or ()
    if topologies and not any(_in_topology(term, node) for term in topologies):
        return "node(s) didn't find available persistent volumes to bind"
    return ""


def _in_topology(term: Obj, node: Obj) -> bool:
    expressions = term.get("matchLabelExpressions") or ()
    return all(meta.labels(node).get(entry["key"]) in entry["values"] for entry in expressions)


def is_bound(claim: Obj) -> bool:
    return bool((claim.get("status") or {}).get("phase") == "Bound")


def _waits_for_consumer(claim: Obj, client: Client) -> bool:
    found = client.find("storageclasses", None, storage_class_of(claim) or "")
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def _names_ephemeral(pod: Obj, claim: str) -> bool:
    """Whether the claim is to be made for one of the pod's ephemeral volumes."""
    volumes = pod["spec"].get("volumes") or ()
    return any(f"{meta.name(pod)}-{volume['name']}" == claim for volume in volumes if volume.get("ephemeral"))


def _uses(pod: Obj, claim: Obj) -> bool:
    if meta.namespace(pod) != meta.namespace(claim):
        return False
    volumes = pod["spec"].get("volumes") or ()
    return any((v.get("persistentVolumeClaim") or {}).get("claimName") == meta.name(claim) for v in volumes)
