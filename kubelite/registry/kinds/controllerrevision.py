"""ControllerRevisions: immutable snapshots that StatefulSets and DaemonSets roll back to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import NONE, age
from kubelite.registry.validation import not_negative, unchanged


def _default(revision: Obj) -> None:
    revision["revision"] = revision.get("revision") or 0


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    errors = [required("data", "data is mandatory")] if new.get("data") is None else []
    errors += not_negative("revision", new["revision"])
    return errors if old is None else errors + unchanged("data", new.get("data"), old.get("data"))


def _row(revision: Obj, now: datetime) -> list[Any]:
    return [meta.name(revision), _controller(revision), revision["revision"], age(revision, now)]


def _controller(revision: Obj) -> str:
    """Its owner as `kind.group/name`."""
    owner = meta.controller_of(revision)
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    kind = f"{owner['kind']}.{group}" if group else owner["kind"]
    return f"{kind.lower()}/{owner['name']}"


CONTROLLER_REVISION = Kind(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    namespaced=True,
    columns=(
        NAME_COLUMN,
        Column("Controller", description="What it is a revision of."),
        Column("Revision", description="Its place in the history."),
        AGE_COLUMN,
    ),
    row=_row,
    default=_default,
    validate=_validate,
)
