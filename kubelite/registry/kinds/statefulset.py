"""StatefulSets: defaults, what may be in them and what may change, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.go_notation import go_int_or_string, go_partition, go_strategy
from kubelite.registry.kinds.persistentvolumeclaim import default_claim
from kubelite.registry.kinds.podspec_defaults import default_template, fill
from kubelite.registry.kinds.podspec_rules import within
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_volumes import claim_template
from kubelite.registry.kinds.podspec_warnings import fractional_bytes, template_warnings
from kubelite.registry.kinds.workload import (
    CONTAINER_COLUMNS,
    amount,
    at_most_all,
    container_cells,
    int_or_percent,
    not_negative,
    runs_for_ever,
    selector_and_labels,
)
from kubelite.registry.kinds.workload_status import counts
from kubelite.registry.printing import age

UPDATABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_KEPT = (
    "updates to statefulset spec for fields other than "
    f"{', '.join(repr(name) for name in UPDATABLE[:-1])} and {UPDATABLE[-1]!r} are forbidden"
)
_SPEC = {"podManagementPolicy": "OrderedReady", "replicas": 1, "revisionHistoryLimit": 10}
_RETENTION = {"whenDeleted": "Retain", "whenScaled": "Retain"}


def _default(workload: Obj) -> None:
    spec = workload["spec"] = workload.get("spec") or {}
    fill(spec, _SPEC)
    strategy = spec["updateStrategy"] = spec.get("updateStrategy") or {}
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0} | (strategy.get("rollingUpdate") or {})
    spec["persistentVolumeClaimRetentionPolicy"] = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    fill(spec["persistentVolumeClaimRetentionPolicy"], _RETENTION)
    template = spec["template"] = spec.get("template") or {}
    default_template(template)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        claim["metadata"] = {"creationTimestamp": None} | (claim.get("metadata") or {})
        default_claim(claim)
        claim["status"] = {"phase": "Pending"} | (claim.get("status") or {})


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    if spec["podManagementPolicy"] not in ("OrderedReady", "Parallel"):
        text = "must be 'OrderedReady' or 'Parallel'"
        errors.append(invalid_value("spec.podManagementPolicy", spec["podManagementPolicy"], text))
    errors += _strategy("spec.updateStrategy", spec["updateStrategy"])
    for name in _RETENTION:
        policy = spec["persistentVolumeClaimRetentionPolicy"][name]
        errors += within(f"spec.persistentVolumeClaimRetentionPolicy.{name}", policy, ("Retain", "Delete"))
    errors += not_negative(spec, "replicas", "minReadySeconds")
    errors += validation.not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
    if name := spec.get("serviceName"):
        errors += validation.values("spec.serviceName", name, validation.dns_label(name))
    errors += selector_and_labels(spec, "statefulset")
    errors += _template_with_claims(spec)
    errors += runs_for_ever(spec, "StatefulSet")
    if old is not None and _fixed(spec) != _fixed(old["spec"]):
        errors.append(forbidden_field("spec", _KEPT))
    return errors


def _strategy(path: str, strategy: Obj) -> list[FieldError]:
    if strategy["type"] == "OnDelete":
        text = "only allowed for updateStrategy 'RollingUpdate'"
        rolling = strategy.get("rollingUpdate")
        return [] if rolling is None else [invalid_value(f"{path}.rollingUpdate", go_partition(rolling), text)]
    if strategy["type"] != "RollingUpdate":
        shown = go_strategy("StatefulSetUpdateStrategy", "RollingUpdateStatefulSetStrategy", strategy)
        return [invalid_value(path, shown, "must be 'RollingUpdate' or 'OnDelete'")]
    rolling = strategy["rollingUpdate"]
    errors = validation.not_negative(f"{path}.rollingUpdate.partition", rolling["partition"])
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        at = f"{path}.rollingUpdate.maxUnavailable"
        errors += int_or_percent(at, unavailable)
        if amount(unavailable) == 0:
            errors.append(invalid_value(at, go_int_or_string(unavailable), "cannot be 0"))
        errors += at_most_all(at, unavailable)
    return errors


def _template_with_claims(spec: Obj) -> list[FieldError]:
    """The template as its pods will be: each claim template takes the place of the volume of its name."""
    errors: list[FieldError] = []
    claims = spec.get("volumeClaimTemplates") or ()
    names = [claim["metadata"].get("name") or "" for claim in claims]
    for index, (name, claim) in enumerate(zip(names, claims, strict=True)):
        path = f"spec.volumeClaimTemplates[{index}]"
        if not name:
            errors.append(required(f"{path}.metadata.name"))
        errors += claim_template(path, claim)
    pod = spec["template"]["spec"]
    own = [volume for volume in pod.get("volumes") or () if volume.get("name") not in names]
    claimed = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in dict.fromkeys(names) if name]
    template = spec["template"] | {"spec": pod | {"volumes": own + claimed}}
    return template_spec("spec.template", template) + errors


def _fixed(spec: Obj) -> Obj:
    """The part of the spec that no update may change."""
    return {key: value for key, value in spec.items() if key not in UPDATABLE and value not in (None, "", [])}


def _warnings(workload: Obj) -> list[str]:
    spec = workload["spec"]
    found = template_warnings(spec["template"])
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        found += fractional_bytes(f"spec.volumeClaimTemplates[{index}]", claim["spec"], "storage")
    limit = spec.get("revisionHistoryLimit")
    if limit is not None and limit < 0:
        text = "a negative value retains all historical revisions; a value >= 0 is recommended"
        found.append(f"spec.revisionHistoryLimit: {text}")
    return found


def _row(workload: Obj, now: datetime) -> list[Any]:
    spec, status = workload["spec"], workload.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec['replicas']}"
    return [meta.name(workload), ready, age(workload, now), *container_cells(spec)]


STATEFUL_SET = Kind(
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    singular="statefulset",
    namespaced=True,
    short_names=("sts",),
    categories=("all",),
    columns=(
        NAME_COLUMN,
        Column("Ready", description="How many of its pods are ready, of how many that it wants."),
        AGE_COLUMN,
        *CONTAINER_COLUMNS,
    ),
    row=_row,
    subresources=frozenset({"status", "scale"}),
    default=_default,
    validate=_validate,
    subresource_rules={
        "status": counts(
            "replicas",
            parts=("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
            within_ready="status.readyReplicas",
        )
    },
    name_rule="label",
    initial_status=lambda workload: {"availableReplicas": 0, "replicas": 0},
    warnings=_warnings,
)
