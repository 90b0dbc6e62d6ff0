"""Leases: heartbeats of nodes and locks of leaders."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, invalid_value
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    errors = []
    if seconds is not None and seconds <= 0:
        errors.append(invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    return errors + validation.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def _row(lease: Obj, now: datetime) -> list[Any]:
    return [meta.name(lease), (lease.get("spec") or {}).get("holderIdentity") or "", age(lease, now)]


LEASE = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    singular="lease",
    namespaced=True,
    columns=(NAME_COLUMN, Column("Holder", description="Who holds it now."), AGE_COLUMN),
    row=_row,
    validate=_validate,
    create_on_update=True,
    unconditional_update=False,
)
