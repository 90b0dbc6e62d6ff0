"""A Deployment's ReplicaSets: which one is new, their revisions and annotations. Pure; after `deployment/util`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubelite.controllers import amounts, revisions
from kubelite.objects import meta
from kubelite.objects.meta import Obj

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
}
_LONGEST_HISTORY = 2000


def replicas(obj: Obj) -> int:
    return int(obj["spec"].get("replicas", 1))


def reported(rs: Obj, count: str) -> int:
    """A count of the status, e.g. `availableReplicas`."""
    return int((rs.get("status") or {}).get(count, 0))


def is_rolling(deployment: Obj) -> bool:
    return bool((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def _fenceposts(deployment: Obj) -> tuple[int, int]:
    """maxSurge rounds up, maxUnavailable down; they aren't both 0."""
    asked = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    total = replicas(deployment)
    surge = amounts.of(asked.get("maxSurge"), total, round_up=True, default="25%")
    unavailable = amounts.of(asked.get("maxUnavailable"), total, round_up=False, default="25%")
    return surge, unavailable if surge or unavailable else 1


def max_surge(deployment: Obj) -> int:
    return _fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Obj) -> int:
    if not is_rolling(deployment):
        return 0
    return min(_fenceposts(deployment)[1], replicas(deployment))


def _plain_template(template: Obj) -> Obj:
    """The template without the label that tells ReplicaSets apart, and without empty metadata."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value}
    labels = {key: value for key, value in (metadata.pop("labels", None) or {}).items() if key != HASH_LABEL}
    return template | {"metadata": metadata | {"labels": labels}}


def same_template(left: Obj, right: Obj) -> bool:
    return _plain_template(left) == _plain_template(right)


def by_age(sets: Iterable[Obj]) -> list[Obj]:
    """Oldest first."""
    return sorted(sets, key=lambda rs: (rs["metadata"].get("creationTimestamp", ""), meta.name(rs)))


def find_new(deployment: Obj, sets: Iterable[Obj]) -> Obj | None:
    """The oldest set with the Deployment's present template."""
    wanted = _plain_template(deployment["spec"]["template"])
    return next((rs for rs in by_age(sets) if _plain_template(rs["spec"]["template"]) == wanted), None)


def revision(obj: Obj) -> int:
    try:
        return int(meta.annotations(obj).get(REVISION, "0"))
    except ValueError:
        return 0


def next_revision(old: Iterable[Obj]) -> int:
    return max(map(revision, old), default=0) + 1


def annotated_size(rs: Obj, annotation: str) -> int | None:
    try:
        return int(meta.annotations(rs)[annotation])
    except (KeyError, ValueError):
        return None


def size_annotations(deployment: Obj) -> dict[str, str]:
    wanted = replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + max_surge(deployment))}


def inherited_annotations(deployment: Obj) -> dict[str, str]:
    return {key: value for key, value in meta.annotations(deployment).items() if key not in _NOT_COPIED}


def revised_annotations(deployment: Obj, rs: Obj, number: int) -> dict[str, str]:
    """The annotations of a set that is the new one: those of the Deployment, and a revision no less than `number`."""
    wanted = meta.annotations(rs) | inherited_annotations(deployment)
    if revision(rs) < number:
        former = wanted.get(REVISION)
        wanted[REVISION] = str(number)
        if former:
            wanted[HISTORY] = _with_former(wanted.get(HISTORY, ""), former)
    return wanted


def _with_former(past: str, former: str) -> str:
    """The revisions that the set has been, oldest dropped when the list gets too long."""
    entries = [*filter(None, past.split(",")), former]
    while len(",".join(entries)) > _LONGEST_HISTORY:
        entries.pop(0)
    return ",".join(entries)


def new_replica_set(deployment: Obj, number: int, size: int) -> Obj:
    """The set for the present template, `size` pods to begin with."""
    template = deployment["spec"]["template"]
    digest = revisions.template_hash(template, (deployment.get("status") or {}).get("collisionCount"))
    labelled = meta.copy(template)
    labels = ((labelled.get("metadata") or {}).get("labels") or {}) | {HASH_LABEL: digest}
    labelled["metadata"] = (labelled.get("metadata") or {}) | {"labels": labels}
    selector = meta.copy(deployment["spec"]["selector"])
    selector["matchLabels"] = (selector.get("matchLabels") or {}) | {HASH_LABEL: digest}
    own = {REVISION: str(number)} | size_annotations(deployment)
    spec = {"replicas": size, "selector": selector, "template": labelled}
    if minimum := deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = minimum
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta.name(deployment)}-{digest}",
            "namespace": meta.namespace(deployment),
            "labels": labels,
            "annotations": inherited_annotations(deployment) | own,
            "ownerReferences": [meta.owner_reference(deployment)],
        },
        "spec": spec,
    }


def superfluous(deployment: Obj, old: Sequence[Obj]) -> list[Obj]:
    """Sets beyond the history limit that are empty and settled, lowest revision first."""
    limit = int(deployment["spec"].get("revisionHistoryLimit", revisions.DEFAULT_HISTORY_LIMIT))
    alive = [rs for rs in old if not meta.is_terminating(rs)]
    excess = len(alive) - limit
    if excess <= 0:
        return []
    aged = sorted(alive, key=lambda rs: (revision(rs), rs["metadata"].get("creationTimestamp", ""), meta.name(rs)))
    return [rs for rs in aged[:excess] if _is_settled_and_empty(rs)]


def _is_settled_and_empty(rs: Obj) -> bool:
    observed = reported(rs, "observedGeneration") >= rs["metadata"].get("generation", 0)
    return observed and not replicas(rs) and not reported(rs, "replicas")
