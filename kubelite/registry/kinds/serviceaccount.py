"""ServiceAccounts; their tokens are made by the subresource `token`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age


def _row(account: Obj, now: datetime) -> list[Any]:
    return [meta.name(account), len(account.get("secrets") or []), age(account, now)]


SERVICE_ACCOUNT = Kind(
    group="",
    version="v1",
    kind="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    namespaced=True,
    short_names=("sa",),
    columns=(NAME_COLUMN, Column("Secrets", description="How many secrets it names."), AGE_COLUMN),
    row=_row,
    subresources=frozenset({"token"}),
    returns_deleted=True,
)
