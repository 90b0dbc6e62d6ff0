"""On which nodes a DaemonSet's pods belong, and the pod for a node. Pure; after `daemon_controller` and its utils."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from kubelite.controllers import pods as podq
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.placement import matches_node_affinity, tolerates

GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"
_ALWAYS_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


def target_node(pod: Obj) -> str:
    """The node that the pod runs on or was made for; "" when it names none."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(field["values"]) == 1:
                return str(field["values"][0])
    return ""


def by_node(pods: Iterable[Obj]) -> dict[str, list[Obj]]:
    """Pods by target node: bound ones before others, oldest first."""
    found: defaultdict[str, list[Obj]] = defaultdict(list)
    for pod in sorted(pods, key=_seniority):
        if node := target_node(pod):
            found[node].append(pod)
    return dict(found)


def _seniority(pod: Obj) -> tuple[bool, str, str]:
    return not pod["spec"].get("nodeName"), pod["metadata"].get("creationTimestamp", ""), meta.name(pod)


def tolerations(spec: Obj) -> list[Obj]:
    """The template's tolerations and those every daemon has."""
    present = list(spec.get("tolerations") or ())
    host = (_TOLERATED_ON_HOST_NETWORK,) if spec.get("hostNetwork") else ()
    for key, effect in (*_ALWAYS_TOLERATED, *host):
        wanted = {"key": key, "operator": "Exists", "effect": effect}
        present = [it for it in present if not _same_toleration(it, wanted)] + [wanted]
    return present


def _same_toleration(left: Obj, right: Obj) -> bool:
    fields = ("key", "effect", "value")
    same = all((left.get(name) or "") == (right.get(name) or "") for name in fields)
    return same and (left.get("operator") or "Equal") == (right.get("operator") or "Equal")


def verdict(ds: Obj, node: Obj) -> tuple[bool, bool]:
    """Whether a pod should run on `node`, and whether one that runs there may stay."""
    template = ds["spec"]["template"]
    spec = template["spec"] | {"tolerations": tolerations(template["spec"])}
    if spec.get("nodeName") and spec["nodeName"] != meta.name(node):
        return False, False
    pod = {"metadata": template.get("metadata") or {}, "spec": spec}
    if not matches_node_affinity(pod, node):
        return False, False
    taints = [taint for taint in (node.get("spec") or {}).get("taints") or () if not tolerates(pod, taint)]
    expelled = any(taint["effect"] == "NoExecute" for taint in taints)
    barred = expelled or any(taint["effect"] == "NoSchedule" for taint in taints)
    return not barred, not expelled


def new_pod(ds: Obj, node: str, revision: str) -> Obj:
    """The pod for one node: the scheduler binds it there by its name."""
    pod = podq.from_template(ds["spec"]["template"], ds)
    labels = pod["metadata"].get("labels", {}) | {podq.REVISION_LABEL: revision}
    if generation := meta.annotations(ds).get(GENERATION_ANNOTATION):
        labels[GENERATION_LABEL] = generation
    pod["metadata"] = {"generateName": f"{meta.name(ds)}-"} | pod["metadata"] | {"labels": labels}
    spec = pod["spec"]
    spec["tolerations"] = tolerations(spec)
    affinity: dict[str, Any] = spec.get("affinity") or {}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    spec["affinity"] = affinity | {"nodeAffinity": (affinity.get("nodeAffinity") or {}) | required}
    return pod


def is_updated(ds: Obj, pod: Obj, revision: str) -> bool:
    """Made from the present template: by revision, or by the older generation label."""
    generation = meta.annotations(ds).get(GENERATION_ANNOTATION)
    labels = meta.labels(pod)
    by_generation = bool(generation) and labels.get(GENERATION_LABEL) == generation
    return labels.get(podq.REVISION_LABEL) == revision or by_generation
