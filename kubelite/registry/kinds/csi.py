"""Kinds of storage drivers: CSIDriver, CSINode, CSIStorageCapacity and VolumeAttachment, kept for those who bring them.

No driver runs here, so nothing acts on them. After upstream's `pkg/apis/storage/{v1,validation}`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required, too_long
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import NONE, UNSET, age

_GROUP = "storage.k8s.io"
_LONGEST_DRIVER = 63
_LONGEST_NODE_ID = 192
_POLICIES = ("ReadWriteOnceWithFSType", "File", "None")
_MODES = ("Persistent", "Ephemeral")
_LEAST_TOKEN_SECONDS = 600


def _spec(obj: Obj) -> Obj:
    spec: Obj = obj.get("spec") or {}
    obj["spec"] = spec
    return spec


def driver_name(path: str, name: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [too_long(path, _LONGEST_DRIVER)] if len(name) > _LONGEST_DRIVER else []
    return errors + validation.values(path, name, validation.dns_subdomain(name.lower()))


# --- CSIDriver -------------------------------------------------------------------------------------------------------


def _default_driver(driver: Obj) -> None:
    spec = _spec(driver)
    flags = {"attachRequired": True, "podInfoOnMount": False, "storageCapacity": False, "requiresRepublish": False}
    for field, value in (flags | {"seLinuxMount": False}).items():
        if spec.get(field) is None:
            spec[field] = value
    spec["fsGroupPolicy"] = spec.get("fsGroupPolicy") or "ReadWriteOnceWithFSType"
    spec["volumeLifecycleModes"] = spec.get("volumeLifecycleModes") or ["Persistent"]


def _validate_driver(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = driver_name("metadata.name", meta.name(new))
    if spec["fsGroupPolicy"] not in _POLICIES:
        errors.append(not_supported("spec.fsGroupPolicy", spec["fsGroupPolicy"], sorted(_POLICIES)))
    for mode in spec["volumeLifecycleModes"]:
        if mode not in _MODES:
            errors.append(not_supported("spec.volumeLifecycleModes", mode, sorted(_MODES)))
    errors += _token_errors(spec.get("tokenRequests") or ())
    if old is not None:
        # Upstream's path of the first differs from the field's name.
        for field, shown in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")):
            errors += validation.unchanged(f"spec.{shown}", spec[field], old["spec"].get(field))
    return errors


def _token_errors(requests: Any) -> list[FieldError]:
    errors = []
    audiences = set()
    for index, request in enumerate(requests):
        path, audience, seconds = (
            f"spec.tokenRequests[{index}]",
            request.get("audience"),
            request.get("expirationSeconds"),
        )
        if audience in audiences:
            errors.append(duplicate(f"{path}.audience", audience))
        audiences.add(audience)
        if seconds is not None and seconds < _LEAST_TOKEN_SECONDS:
            text = "may not specify a duration less than 10 minutes"
            errors.append(invalid_value(f"{path}.expirationSeconds", seconds, text))
    return errors


def _driver_row(driver: Obj, now: datetime) -> list[Any]:
    spec = driver["spec"]
    requests = spec.get("tokenRequests")
    return [
        meta.name(driver),
        spec["attachRequired"],
        spec["podInfoOnMount"],
        spec["storageCapacity"],
        UNSET if requests is None else ",".join(request.get("audience", "") for request in requests),
        spec["requiresRepublish"],
        ",".join(spec["volumeLifecycleModes"]) or NONE,
        age(driver, now),
    ]


CSI_DRIVER = Kind(
    group=_GROUP,
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    singular="csidriver",
    namespaced=False,
    columns=(
        NAME_COLUMN,
        Column("AttachRequired", "boolean", description="Whether volumes are attached before they are mounted."),
        Column("PodInfoOnMount", "boolean", description="Whether the driver is told of the pod."),
        Column("StorageCapacity", "boolean", description="Whether the driver says how much storage is left."),
        Column("TokenRequests", description="Audiences of the tokens that the driver gets."),
        Column("RequiresRepublish", "boolean", description="Whether the driver is called again and again."),
        Column("Modes", description="How long its volumes live."),
        AGE_COLUMN,
    ),
    row=_driver_row,
    default=_default_driver,
    validate=_validate_driver,
    counts_generations=True,
    returns_deleted=True,
)


# --- CSINode ---------------------------------------------------------------------------------------------------------


def _default_node(node: Obj) -> None:
    spec = _spec(node)
    spec["drivers"] = spec.get("drivers") or []


def _validate_node(new: Obj, old: Obj | None) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = set()
    before = {driver["name"]: driver for driver in (old or {"spec": {}})["spec"].get("drivers") or ()}
    for index, driver in enumerate(new["spec"]["drivers"]):
        path, name = f"spec.drivers[{index}]", driver.get("name") or ""
        errors += driver_name(f"{path}.name", name)
        if name in seen:
            errors.append(duplicate(f"{path}.name", name))
        seen.add(name)
        errors += _node_driver_errors(path, driver)
        if name in before and before[name] != driver:
            errors.append(invalid_value("spec.drivers", driver, "field is immutable"))
    return errors


def _node_driver_errors(path: str, driver: Obj) -> list[FieldError]:
    node_id, count = driver.get("nodeID") or "", (driver.get("allocatable") or {}).get("count")
    errors = [] if node_id else [required(f"{path}.nodeID")]
    if len(node_id) > _LONGEST_NODE_ID:
        errors.append(invalid_value(f"{path}.nodeID", node_id, f"must be {_LONGEST_NODE_ID} characters or less"))
    errors += validation.not_negative(f"{path}.allocatable.count", count)
    keys = driver.get("topologyKeys") or []
    for number, key in enumerate(keys):
        errors += [] if key else [required(path)]
        errors += [duplicate(path, key)] if key in keys[:number] else []
        errors += validation.values(path, key, validation.qualified_name(key))
    return errors


def _node_row(node: Obj, now: datetime) -> list[Any]:
    return [meta.name(node), len(node["spec"]["drivers"]), age(node, now)]


CSI_NODE = Kind(
    group=_GROUP,
    version="v1",
    kind="CSINode",
    plural="csinodes",
    singular="csinode",
    namespaced=False,
    columns=(NAME_COLUMN, Column("Drivers", "integer", description="How many drivers the node has."), AGE_COLUMN),
    row=_node_row,
    default=_default_node,
    validate=_validate_node,
    returns_deleted=True,
)


# --- CSIStorageCapacity ----------------------------------------------------------------------------------------------


def _validate_capacity(new: Obj, old: Obj | None) -> list[FieldError]:
    name = new.get("storageClassName") or ""
    errors = validation.label_selector("nodeTopology", new.get("nodeTopology"))
    errors += validation.values("storageClassName", name, validation.dns_subdomain(name)) if name else [_no_class()]
    for field in ("capacity", "maximumVolumeSize"):
        if new.get(field) is not None:
            errors += validation.quantity(field, new[field])
    if old is not None:
        for field in ("nodeTopology", "storageClassName"):
            errors += validation.unchanged(field, new.get(field), old.get(field))
    return errors


def _no_class() -> FieldError:
    return required("storageClassName")


def _capacity_row(capacity: Obj, now: datetime) -> list[Any]:
    return [meta.name(capacity), capacity.get("storageClassName", ""), capacity.get("capacity") or UNSET]


CSI_STORAGE_CAPACITY = Kind(
    group=_GROUP,
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    singular="csistoragecapacity",
    namespaced=True,
    columns=(
        NAME_COLUMN,
        Column("StorageClassName", description="The class that it is about."),
        Column("Capacity", description="How much is left."),
    ),
    row=_capacity_row,
    validate=_validate_capacity,
    returns_deleted=True,
)


# --- VolumeAttachment ------------------------------------------------------------------------------------------------


def _prepare_attachment(new: Obj, old: Obj | None) -> None:
    _spec(new)


def _validate_attachment(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    attacher, node = spec.get("attacher") or "", spec.get("nodeName") or ""
    errors = [] if attacher else [required("spec.attacher")]
    errors += _source_errors(spec.get("source") or {})
    errors += validation.values("spec.nodeName", node, validation.dns_subdomain(node))
    if old is not None:
        return errors + validation.unchanged("spec", spec, old["spec"])
    name = (spec.get("source") or {}).get("persistentVolumeName")
    errors += driver_name("spec.attacher", attacher)
    if name is not None:
        errors += validation.values("spec.source.persistentVolumeName", name, validation.dns_subdomain(name))
    return errors


def _source_errors(source: Obj) -> list[FieldError]:
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
    if name is None and inline is None:
        return [required("spec.source", text)]
    if name is not None and inline is not None:
        return [forbidden_field("spec.source", text)]
    if name == "":
        return [required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")]
    return []


def _attachment_row(attachment: Obj, now: datetime) -> list[Any]:
    spec = attachment["spec"]
    return [
        meta.name(attachment),
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool((attachment.get("status") or {}).get("attached")),
        age(attachment, now),
    ]


VOLUME_ATTACHMENT = Kind(
    group=_GROUP,
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    singular="volumeattachment",
    namespaced=False,
    columns=(
        NAME_COLUMN,
        Column("Attacher", format="name", description="The driver that attaches."),
        Column("PV", description="The volume."),
        Column("Node", description="The node that it is attached to."),
        Column("Attached", "boolean", description="Whether it is attached."),
        AGE_COLUMN,
    ),
    row=_attachment_row,
    subresources=frozenset({"status"}),
    prepare=_prepare_attachment,
    validate=_validate_attachment,
    initial_status=lambda attachment: {"attached": False},
    returns_deleted=True,
)
