"""PersistentVolumes: defaults, one source that never changes, the Table; and what claims share with them."""

from __future__ import annotations

import posixpath
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.csi import driver_name
from kubelite.registry.kinds.podspec_scheduling import node_selector
from kubelite.registry.printing import UNSET, age

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
PROTECTION = "kubernetes.io/pv-protection"

_ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_VOLUME_MODES = ("Block", "Filesystem")
_RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
_NOT_SOURCES = frozenset(
    {
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)
_REQUIRED_OF_SOURCE = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "csi": ("volumeHandle",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "glusterfs": ("endpoints", "path"),
    "hostPath": ("path",),
    "iscsi": ("targetPortal", "iqn"),
    "local": ("path",),
    "nfs": ("server", "path"),
    "portworxVolume": ("volumeID",),
    "rbd": ("monitors", "image"),
    "vsphereVolume": ("volumePath",),
}
# Upstream doesn't look at the secret with which a volume is staged.
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_STABLE_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


def storage_class_of(obj: Obj) -> str | None:
    """The class of a claim or volume: the old annotation goes before the field; None where neither is there."""
    annotations = meta.annotations(obj)
    if CLASS_ANNOTATION in annotations:
        return annotations[CLASS_ANNOTATION]
    name: str | None = obj["spec"].get("storageClassName")
    return name


def class_annotation_warnings(obj: Obj) -> list[str]:
    if CLASS_ANNOTATION not in meta.annotations(obj):
        return []
    return [
        f'metadata.annotations[{CLASS_ANNOTATION}]: deprecated since v1.8; use "storageClassName" attribute instead'
    ]


def with_finalizer(obj: Obj, finalizer: str) -> None:
    finalizers = obj["metadata"].get("finalizers") or []
    if finalizer not in finalizers:
        obj["metadata"]["finalizers"] = [*finalizers, finalizer]


def format_access_modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in (modes or ()))


def access_mode_errors(path: str, modes: list[str]) -> list[FieldError]:
    supported = sorted(_ACCESS_MODES)
    errors = [not_supported(path, mode, supported) for mode in modes if mode not in _ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(mode in _ACCESS_MODES for mode in modes if mode != "ReadWriteOncePod"):
        errors.append(forbidden_field(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def storage_errors(path: str, amount: str | int | float) -> list[FieldError]:
    try:
        positive = quantities.parse(amount) > 0
    except ValueError as error:
        return [invalid_value(path, amount, str(error))]
    return [] if positive else [invalid_value(path, str(amount), "must be greater than zero")]


def volume_mode_errors(path: str, mode: str | None) -> list[FieldError]:
    return [] if mode is None or mode in _VOLUME_MODES else [not_supported(path, mode, _VOLUME_MODES)]


def class_name_errors(path: str, name: str | None) -> list[FieldError]:
    return validation.values(path, name, validation.dns_subdomain(name)) if name else []


def _default(volume: Obj) -> None:
    spec = volume["spec"] = volume.get("spec") or {}
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    spec["volumeMode"] = spec.get("volumeMode") or "Filesystem"
    if isinstance(spec.get("hostPath"), dict):
        spec["hostPath"].setdefault("type", "")


def _prepare(new: Obj, old: Obj | None) -> None:
    if old is None:
        with_finalizer(new, PROTECTION)
        new["spec"].pop("volumeAttributesClassName", None)  # off by default in this version


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    modes = spec.get("accessModes") or []
    errors = [] if modes else [required("spec.accessModes")]
    errors += access_mode_errors("spec.accessModes", modes)
    errors += _capacity_errors(spec.get("capacity") or {})
    policy = spec["persistentVolumeReclaimPolicy"]
    if policy not in _RECLAIM_POLICIES:
        errors.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM_POLICIES))
    if (affinity := spec.get("nodeAffinity")) is not None:
        errors += _affinity_errors("spec.nodeAffinity.required", affinity.get("required"))
    errors += _source_errors(spec)
    if policy == "Recycle" and posixpath.normpath((spec.get("hostPath") or {}).get("path") or "-") == "/":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(forbidden_field("spec.persistentVolumeReclaimPolicy", text))
    errors += class_name_errors("spec.storageClassName", spec.get("storageClassName"))
    errors += volume_mode_errors("spec.volumeMode", spec["volumeMode"])
    return errors + (_change_errors(spec, old["spec"]) if old is not None else [])


def _affinity_errors(path: str, selector: Obj | None) -> list[FieldError]:
    if selector is None:
        return [required(path, "must specify required node constraints")]
    return node_selector(f"{path}.nodeSelectorTerms", selector)


def _capacity_errors(capacity: Obj) -> list[FieldError]:
    errors = [] if capacity else [required("spec.capacity")]
    if set(capacity) != {"storage"}:
        errors.append(not_supported("spec.capacity", capacity or None, ("storage",)))
    for name, amount in capacity.items():
        errors += amount_errors(f"spec.capacity[{name}]", amount) + storage_errors(f"spec.capacity[{name}]", amount)
    return errors


def amount_errors(path: str, amount: str | int | float) -> list[FieldError]:
    try:
        value = int(quantities.parse(amount))
    except ValueError:
        return []
    return [invalid_value(path, value, "must be a valid resource quantity")] if value < 0 else []


def _sources(spec: Obj) -> list[str]:
    return [field for field, value in spec.items() if field not in _NOT_SOURCES and value is not None]


def _source_errors(spec: Obj) -> list[FieldError]:
    sources = _sources(spec)
    if not sources:
        return [required("spec", "must specify a volume type")]
    errors = [forbidden_field(f"spec.{extra}", "may not specify more than 1 volume type") for extra in sources[1:]]
    name, source = sources[0], spec[sources[0]]
    path = str(source.get("path") or "")
    if name == "csi":
        errors += _csi_errors("spec.csi", source)
    errors += [required(f"spec.{name}.{field}") for field in _REQUIRED_OF_SOURCE.get(name, ()) if not source.get(field)]
    if name == "nfs" and not path.startswith("/"):
        errors.append(invalid_value("spec.nfs.path", path, "must be an absolute path"))
    if name in ("hostPath", "local") and ".." in path.split("/"):
        errors.append(invalid_value(f"spec.{name}.path", path, "must not contain '..'"))
    if name == "hostPath" and path and (kind := source.get("type") or "") not in HOST_PATH_TYPES:
        errors.append(not_supported("spec.hostPath.type", kind, HOST_PATH_TYPES))
    if name == "local" and spec.get("nodeAffinity") is None:
        errors.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    return errors


def _csi_errors(path: str, source: Obj) -> list[FieldError]:
    errors = driver_name(f"{path}.driver", source.get("driver") or "")
    for field in _CSI_SECRETS:
        if (secret := source.get(field)) is None:
            continue
        for part, rule in (("name", validation.dns_subdomain), ("namespace", validation.dns_label)):
            at, value = f"{path}.{field}.{part}", secret.get(part) or ""
            errors += validation.values(at, value, rule(value)) if value else [required(at)]
    return errors


def _change_errors(spec: Obj, old: Obj) -> list[FieldError]:
    errors = []
    if _kept_source(spec, old) != {name: old[name] for name in _sources(old)}:
        text = "spec.persistentvolumesource is immutable after creation"
        errors.append(forbidden_field("spec.persistentvolumesource", text))
    # Upstream's paths of these two begin below the spec.
    errors += validation.unchanged("volumeMode", spec["volumeMode"], old.get("volumeMode"))
    before, after = old.get("nodeAffinity"), spec.get("nodeAffinity")
    if before is not None and not _same_but_for_stable_labels(after, before):
        text = f"{validation.IMMUTABLE}, except for updating from beta label to GA"
        errors.append(invalid_value("nodeAffinity", after, text))
    return errors


def _kept_source(spec: Obj, old: Obj) -> Obj:
    """The source in which no update may change anything; a secret to expand with may be named later, once."""
    source = {name: spec[name] for name in _sources(spec)}
    expand = "controllerExpandSecretRef"
    if source.get("csi") and old.get("csi") and old["csi"].get(expand) is None:
        source["csi"] = {field: value for field, value in source["csi"].items() if field != expand}
    return source


def _same_but_for_stable_labels(new: Any, old: Any) -> bool:
    """Nothing and empty are the same; a label's key may change into the one that took its place."""
    if isinstance(new, dict) and isinstance(old, dict):
        names = new.keys() | old.keys()
        return all(
            _same_but_for_stable_labels(new.get(name), old.get(name))
            or (name == "key" and _STABLE_LABELS.get(old.get(name, "")) == new.get(name))
            for name in names
        )
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(_same_but_for_stable_labels, new, old))
    return (new or None) == (old or None)


def _initial_status(volume: Obj) -> Obj:
    return {"phase": "Pending", "lastPhaseTransitionTime": volume["metadata"]["creationTimestamp"]}


def _status(wanted: Obj, old: Obj, now: datetime) -> Obj:
    """A phase that changes has the time of the change, if whoever changes it doesn't say another."""
    since = "lastPhaseTransitionTime"
    if wanted.get("phase") == old.get("phase") or wanted.get(since) not in (None, old.get(since)):
        return wanted
    return {**wanted, since: meta.format_time(now)}


def _warnings(volume: Obj) -> list[str]:
    warnings = class_annotation_warnings(volume)
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Recycle":
        warnings.append(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. "
            "Instead, the recommended approach is to use dynamic provisioning."
        )
    return warnings


def _row(volume: Obj, now: datetime) -> list[Any]:
    spec, status = volume["spec"], volume.get("status") or {}
    claim = spec.get("claimRef")
    return [
        meta.name(volume),
        (spec.get("capacity") or {}).get("storage", "0"),
        format_access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if meta.is_terminating(volume) else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        storage_class_of(volume) or "",
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason") or "",
        age(volume, now),
        spec.get("volumeMode") or UNSET,
    ]


PERSISTENT_VOLUME = Kind(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    singular="persistentvolume",
    namespaced=False,
    short_names=("pv",),
    columns=(
        NAME_COLUMN,
        Column("Capacity", description="How much it holds."),
        Column("Access Modes", description="How many may mount it, and how."),
        Column("Reclaim Policy", description="What becomes of it when its claim is gone."),
        Column("Status", description="Whether a claim has it."),
        Column("Claim", description="The claim that has it."),
        Column("StorageClass", description="The class that it belongs to."),
        Column("VolumeAttributesClass", description="The class of its changeable attributes."),
        Column("Reason", description="Why it is in its status."),
        AGE_COLUMN,
        Column("VolumeMode", description="File system or raw block device.", priority=1),
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    prepare=_prepare,
    validate=_validate,
    fields={"name": meta.name},
    initial_status=_initial_status,
    status_writes={"status": _status},
    warnings=_warnings,
    returns_deleted=True,
)
