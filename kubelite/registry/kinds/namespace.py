"""Namespaces. Deletion (phase Terminating, emptying, finalize) is the registry's and the namespace controller's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age
from kubelite.registry.validation import finalizer_names

PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})

_NAME_LABEL = "kubernetes.io/metadata.name"


def _default(namespace: Obj) -> None:
    namespace["spec"] = namespace.get("spec") or {}
    metadata = namespace["metadata"]
    if name := metadata.get("name"):
        metadata["labels"] = (metadata.get("labels") or {}) | {_NAME_LABEL: name}


def _prepare(new: Obj, old: Obj | None) -> None:
    """Finalizers of the spec change only through the subresource finalize."""
    spec = new["spec"] = dict(new["spec"])
    if old is not None:
        spec["finalizers"] = old["spec"].get("finalizers") or []
    elif "kubernetes" not in (spec.get("finalizers") or []):
        spec["finalizers"] = [*(spec.get("finalizers") or []), "kubernetes"]


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    return finalizer_names("spec.finalizers", new["spec"].get("finalizers") or ())


def _validate_status(new: Obj, old: Obj) -> list[FieldError]:
    terminating = meta.is_terminating(new)
    wanted = "Terminating" if terminating else "Active"
    if _phase(new) == wanted:
        return []
    text = f"may only be '{wanted}' if `deletionTimestamp` is {'not ' if terminating else ''}empty"
    return [invalid_value("status.Phase", _phase(new), text)]


def _phase(namespace: Obj) -> str:
    return str((namespace.get("status") or {}).get("phase", ""))


def _row(namespace: Obj, now: datetime) -> list[Any]:
    return [meta.name(namespace), _phase(namespace), age(namespace, now)]


NAMESPACE = Kind(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    short_names=("ns",),
    columns=(NAME_COLUMN, Column("Status", description="Whether the namespace is in use or going away."), AGE_COLUMN),
    row=_row,
    subresources=frozenset({"status", "finalize"}),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    default=_default,
    prepare=_prepare,
    validate=_validate,
    subresource_rules={"status": _validate_status},
    name_rule="label",
    fields={"name": meta.name, "status.phase": _phase},
    initial_status=lambda namespace: {"phase": "Active"},
)
