"""Who a StatefulSet's pod is: ordinal, names, labels, claims. Pure; after upstream's `stateful_set_utils`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from kubelite.controllers import pods
from kubelite.objects import meta
from kubelite.objects.meta import Obj

NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
_MEMBER = re.compile(r"(.*)-([0-9]+)", re.DOTALL)
_LARGEST_ORDINAL = 2**31 - 1


@lru_cache(maxsize=4096)
def parent_and_ordinal(name: str) -> tuple[str, int]:
    """`web-3` -> (`web`, 3); the ordinal is -1 when the name has none."""
    found = _MEMBER.fullmatch(name)
    if found is None:
        return "", -1
    ordinal = int(found[2])
    return found[1], ordinal if ordinal <= _LARGEST_ORDINAL else -1


def ordinal(pod: Obj) -> int:
    return parent_and_ordinal(meta.name(pod))[1]


def is_member(set: Obj, pod: Obj) -> bool:
    return parent_and_ordinal(meta.name(pod))[0] == meta.name(set)


def replicas(set: Obj) -> int:
    return int(set["spec"].get("replicas", 1))


def start(set: Obj) -> int:
    return int((set["spec"].get("ordinals") or {}).get("start", 0))


def in_range(set: Obj, number: int) -> bool:
    return start(set) <= number < start(set) + replicas(set)


def is_parallel(set: Obj) -> bool:
    return bool(set["spec"].get("podManagementPolicy") == "Parallel")


def min_ready_seconds(set: Obj) -> int:
    return int(set["spec"].get("minReadySeconds", 0))


def pod_name(set: Obj, number: int) -> str:
    return f"{meta.name(set)}-{number}"


def claim_templates(set: Obj) -> list[Obj]:
    return set["spec"].get("volumeClaimTemplates") or []


def claim_name(set: Obj, template: Obj, number: int) -> str:
    return f"{meta.name(template)}-{meta.name(set)}-{number}"


def claim_names(set: Obj, number: int) -> list[str]:
    return [claim_name(set, template, number) for template in claim_templates(set)]


def new_claim(set: Obj, template: Obj, number: int) -> Obj:
    """The claim of one ordinal: the template with its own name, and the set's labels over its own."""
    claim = meta.copy(template)
    selected = set["spec"]["selector"].get("matchLabels") or {}
    metadata = {key: value for key, value in claim["metadata"].items() if value is not None}
    metadata |= {"name": claim_name(set, template, number), "namespace": meta.namespace(set)}
    if labels := meta.labels(template) | selected:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim["spec"]}


def _volumes(set: Obj, number: int, others: list[Obj]) -> list[Obj]:
    """The claims' volumes, then those of the template that no claim replaces."""
    own: list[dict[str, Any]] = [
        {"name": meta.name(template), "persistentVolumeClaim": {"claimName": claim_name(set, template, number)}}
        for template in claim_templates(set)
    ]
    names = {volume["name"] for volume in own}
    return own + [volume for volume in others if volume["name"] not in names]


def new_pod(set: Obj, template: Obj, number: int, revision: str) -> Obj:
    """The pod of an ordinal, made from the template of `revision`."""
    pod = pods.from_template(template, set)
    name = pod_name(set, number)
    # The name is given; upstream's pods of every controller say what it would have been generated from all the same.
    pod["metadata"] = {"name": name, "generateName": f"{meta.name(set)}-"} | pod["metadata"]
    pod["metadata"]["labels"] = pod["metadata"].get("labels", {}) | {
        NAME_LABEL: name,
        INDEX_LABEL: str(number),
        pods.REVISION_LABEL: revision,
    }
    pod["spec"]["hostname"] = name
    if set["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = set["spec"]["serviceName"]
    if volumes := _volumes(set, number, pod["spec"].get("volumes") or []):
        pod["spec"]["volumes"] = volumes
    return pod


def identity_matches(set: Obj, pod: Obj) -> bool:
    name = meta.name(pod)
    return name == pod_name(set, ordinal(pod)) and meta.labels(pod).get(NAME_LABEL) == name


def storage_matches(set: Obj, pod: Obj) -> bool:
    """Every claim template has its volume in the pod."""
    if not claim_templates(set):
        return True
    mounted = {
        volume["name"]: (volume.get("persistentVolumeClaim") or {}).get("claimName")
        for volume in pod["spec"].get("volumes") or ()
    }
    number = ordinal(pod)
    return all(mounted.get(meta.name(it)) == claim_name(set, it, number) for it in claim_templates(set))


def repaired(set: Obj, pod: Obj) -> Obj:
    """The pod with its name, its identity labels and its claims' volumes put right.

    Another name (`web-01` for `web-1`) can't be given to a pod: that this fails is what upstream's users see, too.
    """
    fixed = meta.copy(pod)
    number = ordinal(pod)
    name = pod_name(set, number)
    fixed["metadata"] |= {"name": name, "labels": meta.labels(fixed) | {NAME_LABEL: name, INDEX_LABEL: str(number)}}
    if not storage_matches(set, pod):
        fixed["spec"]["volumes"] = _volumes(set, number, fixed["spec"].get("volumes") or [])
    return fixed
