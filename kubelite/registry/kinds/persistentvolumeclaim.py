"""PersistentVolumeClaims: the default class, what may change once they are made, the Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Reader
from kubelite.registry.kinds.persistentvolume import (
    CLASS_ANNOTATION,
    access_mode_errors,
    amount_errors,
    class_annotation_warnings,
    class_name_errors,
    format_access_modes,
    storage_class_of,
    storage_errors,
    volume_mode_errors,
    with_finalizer,
)
from kubelite.registry.kinds.podspec_warnings import fractional_bytes
from kubelite.registry.kinds.storageclass import default_class
from kubelite.registry.printing import UNSET, age

PROTECTION = "kubernetes.io/pvc-protection"

_OLD_SOURCES = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
_RESIZE_STATUSES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)
_REQUEST = "spec.resources.requests.storage"
_IMMUTABLE = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def default_claim(claim: Obj) -> None:
    """Also of the claim templates of a StatefulSet."""
    spec = claim["spec"] = claim.get("spec") or {}
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"


def claim_spec_errors(path: str, spec: Obj, *, any_group: bool = False) -> list[FieldError]:
    """Also of the claim templates of a StatefulSet, at their own path."""
    modes = spec.get("accessModes") or []
    errors = [] if modes else [required(f"{path}.accessModes", "at least 1 access mode is required")]
    errors += validation.label_selector(f"{path}.selector", spec.get("selector"))
    errors += access_mode_errors(f"{path}.accessModes", modes)
    request = _requested(spec)
    if request is None:
        errors.append(required(f"{path}.resources[storage]"))
    else:
        errors += storage_errors(f"{path}.resources[storage]", request)
    errors += class_name_errors(f"{path}.storageClassName", spec.get("storageClassName"))
    errors += volume_mode_errors(f"{path}.volumeMode", spec.get("volumeMode"))
    return errors + _source_errors(path, spec, any_group=any_group)


def _source_errors(path: str, spec: Obj, *, any_group: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("dataSource", "dataSourceRef"):
        source = spec.get(field)
        if source is None:
            continue
        errors += [required(f"{path}.{field}.{part}") for part in ("name", "kind") if not source.get(part)]
        group = source.get("apiGroup") or ""
        if group and not any_group:
            errors += validation.values(f"{path}.{field}.apiGroup", group, validation.dns_subdomain(group))
        if not group and source.get("kind") != "PersistentVolumeClaim":
            text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            errors.append(invalid_value(f"{path}.{field}", source.get("kind", ""), text))
    old, new = spec.get("dataSource"), spec.get("dataSourceRef")
    if old and new and not new.get("namespace") and old != new:
        errors.append(invalid_value(path, old, "must match dataSourceRef"))
    return errors


def _names_group(spec: Obj) -> bool:
    return any((spec.get(field) or {}).get("apiGroup") for field in ("dataSource", "dataSourceRef"))


def _requested(spec: Obj) -> str | None:
    requests = (spec.get("resources") or {}).get("requests") or {}
    amount: str | None = requests.get("storage")
    return amount


def _prepare(new: Obj, old: Obj | None) -> None:
    if old is None:
        with_finalizer(new, PROTECTION)
        _join_data_sources(new["spec"])
        new["spec"].pop("volumeAttributesClassName", None)  # off by default in this version


def _join_data_sources(spec: Obj) -> None:
    """The old field and the new one say the same; the old one knows claims and snapshots only."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        if (source.get("apiGroup") or "", source.get("kind")) in _OLD_SOURCES:
            spec["dataSourceRef"] = dict(source)
        else:
            del spec["dataSource"]
    elif source is None and reference is not None and not reference.get("namespace"):
        spec["dataSource"] = dict(reference)


def _admit(new: Obj, old: Obj | None, reader: Reader) -> None:
    if old is not None:
        _check_expansion(new, old, reader)
    elif storage_class_of(new) is None and (chosen := default_class(reader.list("storageclasses"))) is not None:
        new["spec"]["storageClassName"] = meta.name(chosen)


def _check_expansion(new: Obj, old: Obj, reader: Reader) -> None:
    """More storage can be had only from a class that allows it, and only for a bound claim."""
    if not _grows(new, old):
        return
    if _phase(old) != "Bound":
        raise forbidden("persistentvolumeclaims", meta.name(new), "Only bound persistent volume claims can be expanded")
    found = reader.find("storageclasses", None, storage_class_of(old) or "")
    if found is None or not found.get("allowVolumeExpansion"):
        text = "only dynamically provisioned pvc can be resized and "
        text += "the storageclass that provisions the pvc must support resize"
        raise forbidden("persistentvolumeclaims", meta.name(new), text)


def _grows(new: Obj, old: Obj) -> bool:
    try:
        return quantities.parse(_requested(new["spec"]) or "0") > quantities.parse(_requested(old["spec"]) or "0")
    except ValueError:
        return False


def _phase(claim: Obj) -> str:
    return str((claim.get("status") or {}).get("phase", ""))


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    # What was made with an impossible group may stay as it is.
    errors = claim_spec_errors("spec", new["spec"], any_group=old is not None and _names_group(old["spec"]))
    if old is None or errors:
        return errors
    if not _moves_class_from_annotation(new, old):
        was, now = (meta.annotations(claim).get(CLASS_ANNOTATION, "") for claim in (old, new))
        errors += validation.unchanged(f"metadata.annotations.{CLASS_ANNOTATION}", now, was)
    if _fixed(new, old, bound=_phase(old) == "Bound") != _fixed(old, old, bound=_phase(old) == "Bound"):
        errors.append(forbidden_field("spec", _IMMUTABLE))
    errors += _shrink_errors(new, old)
    # Upstream's path of this one begins below the spec.
    return errors + validation.unchanged("volumeMode", new["spec"]["volumeMode"], old["spec"].get("volumeMode"))


def _fixed(claim: Obj, old: Obj, *, bound: bool) -> Obj:
    """The part of the spec in which `claim` may not differ from `old`."""
    spec = dict(claim["spec"])
    amount = _requested(spec)
    resources = dict(spec.get("resources") or {})
    resources["requests"] = None if bound or amount is None else quantities.parse(amount)
    spec["resources"] = resources
    if bound:
        spec.pop("volumeAttributesClassName", None)
    if not old["spec"].get("volumeName"):
        spec.pop("volumeName", None)
    if _may_get_class(claim, old):
        spec.pop("storageClassName", None)
    return {field: value for field, value in spec.items() if field == "storageClassName" or value not in (None, [], {})}


def _may_get_class(claim: Obj, old: Obj) -> bool:
    """One that has none yet, in the field; if the old annotation names one, only that."""
    named = meta.annotations(old).get(CLASS_ANNOTATION)
    wanted = claim["spec"].get("storageClassName")
    return old["spec"].get("storageClassName") is None and (named is None or wanted in (None, named))


def _moves_class_from_annotation(new: Obj, old: Obj) -> bool:
    """The class goes from the old annotation to the field, which the annotation may or may not survive."""
    was, now = (meta.annotations(claim).get(CLASS_ANNOTATION) for claim in (old, new))
    moves = old["spec"].get("storageClassName") is None and new["spec"].get("storageClassName") == was
    return was is not None and moves and now in (None, was)


def _shrink_errors(new: Obj, old: Obj) -> list[FieldError]:
    wanted, before = (quantities.parse(_requested(claim["spec"]) or "0") for claim in (new, old))
    has = quantities.parse(((old.get("status") or {}).get("capacity") or {}).get("storage", "0"))
    if wanted < before and wanted <= has:
        return [forbidden_field(_REQUEST, "field can not be less than status.capacity")]
    return []


def _status_errors(new: Obj, old: Obj) -> list[FieldError]:
    """Paths and values as upstream reports them."""
    status = new.get("status") or {}
    errors: list[FieldError] = []
    for name, amount in (status.get("capacity") or {}).items():
        errors += amount_errors(f"status.capacity[{name}]", amount)
    for name, state in (status.get("allocatedResourceStatuses") or {}).items():
        errors += _resource_errors("status.allocatedResourceStatus", name)
        if state not in _RESIZE_STATUSES:
            errors.append(not_supported("status.allocatedResourceStatus", name, _RESIZE_STATUSES))
    for name, amount in (status.get("allocatedResources") or {}).items():
        wrong = _resource_errors("status.allocatedResources", name)
        errors += wrong or amount_errors(f"status.allocatedResources[{name}]", amount)
    return errors


def _resource_errors(path: str, name: str) -> list[FieldError]:
    """Storage is the only resource of Kubernetes' own that a claim has."""
    if errors := validation.values(path, name, validation.qualified_name(name)):
        return errors
    native = "/" not in name or "kubernetes.io/" in name
    return [not_supported(path, name, ("storage",))] if native and name != "storage" else []


def _row(claim: Obj, now: datetime) -> list[Any]:
    spec, status = claim["spec"], claim.get("status") or {}
    volume = spec.get("volumeName") or ""
    return [
        meta.name(claim),
        "Terminating" if meta.is_terminating(claim) else _phase(claim),
        volume,
        (status.get("capacity") or {}).get("storage", "0") if volume else "",
        format_access_modes(status.get("accessModes")) if volume else "",
        storage_class_of(claim) or "",
        spec.get("volumeAttributesClassName") or UNSET,
        age(claim, now),
        spec.get("volumeMode") or UNSET,
    ]


PERSISTENT_VOLUME_CLAIM = Kind(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    namespaced=True,
    short_names=("pvc",),
    columns=(
        NAME_COLUMN,
        Column("Status", description="Whether it has a volume."),
        Column("Volume", description="The volume that it has."),
        Column("Capacity", description="How much the volume holds."),
        Column("Access Modes", description="How many may mount it, and how."),
        Column("StorageClass", description="The class that it asks for."),
        Column("VolumeAttributesClass", description="The class of its volume's changeable attributes."),
        AGE_COLUMN,
        Column("VolumeMode", description="File system or raw block device.", priority=1),
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=default_claim,
    prepare=_prepare,
    admit=_admit,
    validate=_validate,
    subresource_rules={"status": _status_errors},
    fields={"name": meta.name},
    initial_status=lambda claim: {"phase": "Pending"},
    warnings=lambda claim: [*class_annotation_warnings(claim), *fractional_bytes("spec", claim["spec"], "storage")],
    returns_deleted=True,
)
