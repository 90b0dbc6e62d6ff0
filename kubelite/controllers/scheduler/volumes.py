"""What a pod's claims and their volumes say of where it may run. Reads through the client, writes nothing.

After upstream's plugins VolumeBinding, VolumeZone and VolumeRestrictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kubelite.controllers.scheduler.snapshot import Misfit
from kubelite.controllers.volumes import matching
from kubelite.controllers.volumes.binder import SELECTED_NODE
from kubelite.controllers.volumes.ephemeral import foreign
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client
from kubelite.registry.kinds.persistentvolume import storage_class_of

NO_PROVISIONER = "kubernetes.io/no-provisioner"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
UNMADE = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"
CLAIM_TAKEN = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"

_ZONE_LABELS = (
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
)


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


@dataclass(frozen=True, slots=True)
class Bindings:
    """What has to be done before the pod may run on a node."""

    reserved: Sequence[tuple[Obj, Obj]] = ()  # volumes, each with the claim that gets it
    provisioned: Sequence[Obj] = ()  # claims whose volumes are still to be made


def misfit(pod: Obj, node: Obj, others: Sequence[Obj], client: Client) -> Misfit | None:
    found = [claim for _, claim in claims(pod, client) if claim is not None]
    for claim in found:
        if "ReadWriteOncePod" in claim["spec"]["accessModes"] and any(_uses(other, claim) for other in others):
            return Misfit((CLAIM_TAKEN,))
    reasons = dict.fromkeys(reason for claim in found if is_bound(claim) for reason in _conflicts(claim, node, client))
    if bindings(pod, node, client) is None:
        reasons[NOTHING_TO_BIND] = None
    return Misfit(tuple(reasons), resolvable=False) if reasons else None


def _conflicts(claim: Obj, node: Obj, client: Client) -> list[str]:
    volume = client.find("persistentvolumes", None, claim["spec"].get("volumeName", ""))
    if volume is None:
        return ["node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"]
    conflicts = [] if matching.reaches(volume, node) else ["node(s) had volume node affinity conflict"]
    return conflicts if _in_zone(volume, node) else [*conflicts, "node(s) had no available volume zone"]


def _in_zone(volume: Obj, node: Obj) -> bool:
    """The volume's labels may name zones, joined by two underscores; a node that names none takes any volume."""
    of_volume, of_node = meta.labels(volume), meta.labels(node)
    if of_node.keys().isdisjoint(_ZONE_LABELS):
        return True
    return all(of_node.get(key) in of_volume[key].split("__") for key in _ZONE_LABELS if key in of_volume)


def bindings(pod: Obj, node: Obj, client: Client) -> Bindings | None:
    """For claims that wait for their consumer, the smallest first; None when the node can't satisfy them all."""
    found = dict(claims(pod, client))  # a pod may mount one claim twice
    waiting = [claim for claim in found.values() if claim is not None and not is_bound(claim)]
    volumes = client.list("persistentvolumes") if waiting else []
    taken: dict[str, tuple[Obj, Obj]] = {}
    provisioned = []
    for claim in sorted(waiting, key=matching.requested):
        selected = meta.annotations(claim).get(SELECTED_NODE)
        if selected not in (None, meta.name(node)):
            return None
        volume = None if selected else matching.best_on(node, claim, volumes, taken)
        if volume is not None:
            taken[meta.name(volume)] = (volume, claim)
        elif _can_provision(claim, node, client):
            provisioned.append(claim)
        else:
            return None
    return Bindings(list(taken.values()), provisioned)


def _can_provision(claim: Obj, node: Obj, client: Client) -> bool:
    found = client.find("storageclasses", None, storage_class_of(claim) or "")
    if found is None or found["provisioner"] == NO_PROVISIONER:
        return False
    topologies = found.get("allowedTopologies") or ()
    return not topologies or any(_in_topology(term, node) for term in topologies)


def _in_topology(term: Obj, node: Obj) -> bool:
    expressions = term.get("matchLabelExpressions") or ()
    return all(meta.labels(node).get(entry["key"]) in entry["values"] for entry in expressions)


def is_bound(claim: Obj) -> bool:
    return bool((claim.get("status") or {}).get("phase") == "Bound")


def _waits_for_consumer(claim: Obj, client: Client) -> bool:
    """The ones that name a volume have to be bound by the volume controller, as those of other classes."""
    found = client.find("storageclasses", None, storage_class_of(claim) or "")
    if found is None or claim["spec"].get("volumeName"):
        return False
    return bool(found.get("volumeBindingMode") == "WaitForFirstConsumer")


def _names_ephemeral(pod: Obj, claim: str) -> bool:
    """Whether the claim is to be made for one of the pod's ephemeral volumes."""
    volumes = pod["spec"].get("volumes") or ()
    return any(f"{meta.name(pod)}-{volume['name']}" == claim for volume in volumes if volume.get("ephemeral"))


def _uses(pod: Obj, claim: Obj) -> bool:
    if meta.namespace(pod) != meta.namespace(claim):
        return False
    volumes = pod["spec"].get("volumes") or ()
    return any((v.get("persistentVolumeClaim") or {}).get("claimName") == meta.name(claim) for v in volumes)
