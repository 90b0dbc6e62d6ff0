"""StorageClasses, and which of them is the default. After upstream's `pkg/apis/storage/validation`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age

_DEFAULT_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_RECLAIM_POLICIES = ("Delete", "Retain")
_BINDING_MODES = ("Immediate", "WaitForFirstConsumer")


def is_default(storage_class: Obj) -> bool:
    return any(meta.annotations(storage_class).get(key) == "true" for key in _DEFAULT_ANNOTATIONS)


def default_class(classes: Iterable[Obj]) -> Obj | None:
    """The newest of the default classes."""
    return meta.newest(entry for entry in classes if is_default(entry))


def _default(storage_class: Obj) -> None:
    storage_class["reclaimPolicy"] = storage_class.get("reclaimPolicy") or "Delete"
    storage_class["volumeBindingMode"] = storage_class.get("volumeBindingMode") or "Immediate"


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    errors = []
    provisioner = new.get("provisioner") or ""
    if provisioner:
        errors += validation.values("provisioner", provisioner, validation.qualified_name(provisioner.lower()))
    else:
        errors.append(required("provisioner"))
    if "" in (new.get("parameters") or {}):
        errors.append(invalid_value("parameters", "", "field can not be empty."))
    errors += [
        not_supported(field, new[field], choices)
        for field, choices in (("reclaimPolicy", _RECLAIM_POLICIES), ("volumeBindingMode", _BINDING_MODES))
        if new[field] not in choices
    ]
    errors += _topology_errors(new.get("allowedTopologies") or ())
    return errors + (_change_errors(new, old) if old is not None else [])


def _topology_errors(terms: Sequence[Obj]) -> list[FieldError]:
    errors: list[FieldError] = []
    known: list[dict[str, set[str]]] = []
    for index, term in enumerate(terms):
        path = f"allowedTopologies[{index}].matchLabelExpressions"
        wanted: dict[str, set[str]] = {}
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            errors += _expression_errors(f"{path}[{number}]", expression, wanted)
            wanted[expression.get("key") or ""] = set(expression.get("values") or ())
        if wanted in known:
            errors.append(duplicate(path, ""))
        known.append(wanted)
    return errors


def _expression_errors(path: str, expression: Obj, known: Container[str]) -> list[FieldError]:
    key, given = expression.get("key") or "", expression.get("values") or []
    errors = [] if given else [required(f"{path}.values")]
    errors += [duplicate(f"{path}.values[{n}]", value) for n, value in enumerate(given) if value in given[:n]]
    errors += validation.values(f"{path}.key", key, validation.qualified_name(key))
    return errors + ([duplicate(f"{path}.key", key)] if key in known else [])


def _change_errors(new: Obj, old: Obj) -> list[FieldError]:
    errors = [
        forbidden_field(field, f"updates to {field} are forbidden.")
        for field in ("parameters", "provisioner", "reclaimPolicy")
        if (new.get(field) or None) != (old.get(field) or None)
    ]
    return errors + validation.unchanged("volumeBindingMode", new["volumeBindingMode"], old.get("volumeBindingMode"))


def _row(storage_class: Obj, now: datetime) -> list[Any]:
    name = meta.name(storage_class)
    return [
        f"{name} (default)" if is_default(storage_class) else name,
        storage_class.get("provisioner", ""),
        storage_class.get("reclaimPolicy", "Delete"),
        storage_class.get("volumeBindingMode", "Immediate"),
        bool(storage_class.get("allowVolumeExpansion")),
        age(storage_class, now),
    ]


STORAGE_CLASS = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    namespaced=False,
    short_names=("sc",),
    columns=(
        NAME_COLUMN,
        Column("Provisioner", description="Who makes its volumes."),
        Column("ReclaimPolicy", description="What becomes of a volume whose claim is gone."),
        Column("VolumeBindingMode", description="When claims are provisioned and bound."),
        Column("AllowVolumeExpansion", description="Whether claims may ask for more later."),
        AGE_COLUMN,
    ),
    row=_row,
    default=_default,
    validate=_validate,
    returns_deleted=True,
)
