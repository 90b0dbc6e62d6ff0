"""The provisioner's directory contract; pure (kubernetes-sigs/nfs-subdir-external-provisioner).

`<namespace>-<claim>-<volume>` under the export directory, or what the class's `pathPattern` makes of the claim; a
deleted volume's directory is archived, removed or left as the class's `onDelete` and `archiveOnDelete` say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from kubelite.objects import meta
from kubelite.objects.meta import Obj

_REFERENCE = re.compile(r"\$\{\.PVC\.((?:labels|annotations)\.(.*?)|.*?)\}")

Fate = Literal["delete", "retain", "archive"]


def volume_name(claim: Obj) -> str:
    return f"pvc-{meta.uid(claim)}"


def directory(claim: Obj, pattern: str) -> PurePosixPath:
    """Relative to the export directory; ValueError for a pattern that would leave it."""
    default = PurePosixPath("-".join([meta.namespace(claim) or "", meta.name(claim), volume_name(claim)]))
    if not pattern:
        return default
    path = _REFERENCE.sub(lambda found: _value(claim, found[1], found[2]), pattern)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError(f'pathPattern "{pattern}" gives "{path}", which leaves the export directory')
    return PurePosixPath(*parts) if parts else default


def _value(claim: Obj, reference: str, key: str | None) -> str:
    if reference.startswith("labels."):
        return meta.labels(claim).get(key or "", "")
    if reference.startswith("annotations."):
        return meta.annotations(claim).get(key or "", "")
    return str(claim["metadata"].get(reference, "")) if reference in ("name", "namespace") else ""


def fate(parameters: Mapping[str, str]) -> Fate:
    """What becomes of the directory; ValueError when `archiveOnDelete` isn't a boolean."""
    match parameters.get("onDelete"):
        case "delete":
            return "delete"
        case "retain":
            return "retain"
    archive = parameters.get("archiveOnDelete", "true")
    if archive not in _BOOLEANS:
        raise ValueError(f'archiveOnDelete: "{archive}" is not true or false')
    return "archive" if _BOOLEANS[archive] else "delete"


_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "FALSE", "false", "False"), False
)


def archive_path(export: Path, leaf: str) -> Path:
    """`archived-<leaf>` in the export directory, numbered when that name is taken, so nothing is overwritten."""
    path = export / f"archived-{leaf}"
    number = 1
    while path.exists():
        number += 1
        path = export / f"archived-{leaf}-{number}"
    return path


def doomed_path(directory: Path, volume: str) -> Path:
    """Where a volume's directory is while it is removed: beside its place, as a user may who doesn't own it."""
    return directory.with_name(f".removed-{volume}")
