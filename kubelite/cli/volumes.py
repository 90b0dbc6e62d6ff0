"""`volumes`: which claim has which directory, how much is in it, and which pod uses it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from kubelite.cli import text
from kubelite.cli.client import Client, Obj
from kubelite.cli.progress import Progress
from kubelite.config import Settings

HEADER = ["CLAIM", "CAPACITY", "USED", "POD", "DIRECTORY"]


def show(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    with closing(Client.of(settings)) as client:
        volumes = client.items("/api/v1/persistentvolumes")
        claims, pods = claims_by_volume(client), client.items("/api/v1/pods")
    progress("measuring the directories")
    rows = table(volumes, claims, pods) + left_over(volumes, settings.volumes)
    progress.wipe()
    print(text.columns([HEADER, *rows]) if rows else f"no volumes; their directories will be in {settings.volumes}")
    return 0


def claims_by_volume(client: Client) -> dict[str, Obj]:
    """Bound claims by the name of their volume."""
    claims = client.items("/api/v1/persistentvolumeclaims")
    return {claim["spec"]["volumeName"]: claim for claim in claims if claim["spec"].get("volumeName")}


def table(volumes: Iterable[Obj], claims: dict[str, Obj], pods: Iterable[Obj]) -> list[list[str]]:
    """One row for each volume that has a directory on this host."""
    users: dict[tuple[str, str], list[str]] = {}
    for pod in pods:
        for name in claim_names(pod):
            users.setdefault((pod["metadata"]["namespace"], name), []).append(pod["metadata"]["name"])
    rows = []
    for volume in volumes:
        path = directory(volume)
        if path is None:
            continue
        claim = claims.get(volume["metadata"]["name"])
        key = (claim["metadata"]["namespace"], claim["metadata"]["name"]) if claim else None
        rows.append(
            [
                "/".join(key) if key else f"({(volume.get('status') or {}).get('phase', 'unbound').lower()})",
                str(volume["spec"]["capacity"]["storage"]),
                text.size(used(path)),
                ",".join(users.get(key, ())) or "-" if key else "-",
                str(path),
            ]
        )
    return sorted(rows)


def claim_names(pod: Obj) -> list[str]:
    volumes = pod["spec"].get("volumes") or ()
    return [one["persistentVolumeClaim"]["claimName"] for one in volumes if one.get("persistentVolumeClaim")]


def directory(volume: Obj) -> Path | None:
    source = volume["spec"].get("nfs") or volume["spec"].get("hostPath") or volume["spec"].get("local")
    return Path(source["path"]) if source else None


def left_over(volumes: Iterable[Obj], export: Path) -> list[list[str]]:
    """Directories that outlived their volume (the class archives them)."""
    known = {directory(volume) for volume in volumes}
    paths = sorted(path for path in export.glob("*/") if path not in known and not _holds(path, known))
    names = ("(archived)" if path.name.startswith("archived-") else "-" for path in paths)
    return [[name, "-", text.size(used(path)), "-", str(path)] for name, path in zip(names, paths, strict=True)]


def _holds(path: Path, known: Iterable[Path | None]) -> bool:
    """A class's pathPattern may put directories deeper than one level."""
    return any(other is not None and other.is_relative_to(path) for other in known)


def used(path: Path) -> int:
    """Bytes in the files under `path`; what may not be looked into counts nothing."""
    total = 0
    for parent, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total
