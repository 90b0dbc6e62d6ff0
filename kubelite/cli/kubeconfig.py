"""`kubeconfig`: what kubectl needs, on stdout or put into the user's own file beside what is there.

The user's file is kubectl's too: the same lock file guards it, and it is replaced in one step.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from kubelite.cli.client import not_up
from kubelite.cli.failure import Failure
from kubelite.cli.progress import Progress
from kubelite.config import Settings

Config = dict[str, Any]

LOCK_SECONDS = 5.0
_LISTS = ("clusters", "contexts", "users")


def show(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    if not settings.kubeconfig.exists():
        raise not_up(settings)
    content = settings.kubeconfig.read_text()
    if not arguments.merge:
        sys.stdout.write(content)
        return 0
    path = users_file(os.environ)
    added = yaml.safe_load(content)
    merge_into(path, added)
    print(f"{path}: the current context is {added['current-context']} now")
    return 0


def users_file(environ: Mapping[str, str]) -> Path:
    """The first file of $KUBECONFIG, else the one in the home directory."""
    listed = [entry for entry in environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    return Path(listed[0]).absolute() if listed else Path.home() / ".kube" / "config"


def merge_into(path: Path, added: Config) -> None:
    """Put `added` into the file; links are followed, so that the file stays where it is."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(target):
        _write(target, merge(_read(target), added))


def forget(path: Path, removed: Config) -> bool:
    """Take a deleted cluster's entries out of the file again, if that very cluster is in it."""
    target = path.resolve()
    try:
        if not _holds(_read(target), removed):
            return False
        with _locked(target):
            _write(target, without(_read(target), removed))
    except (Failure, OSError):
        return False  # The file is not ours; what can't be read or written stays.
    return True


def _holds(config: Config, other: Config) -> bool:
    """The cluster's authority is what tells it from another of its name."""
    known = [entry.get("cluster") for entry in config.get("clusters") or ()]
    return any(entry["cluster"] in known for entry in other["clusters"])


def without(config: Config, removed: Config) -> Config:
    kept = dict(config)
    for plural in _LISTS:
        names = {entry["name"] for entry in removed[plural]}
        kept[plural] = [entry for entry in config.get(plural) or () if entry.get("name") not in names]
    if kept.get("current-context") == removed["current-context"]:
        kept["current-context"] = ""
    return kept


def _write(path: Path, config: Config) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            yaml.safe_dump(config, file, sort_keys=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def merge(config: Config, added: Config) -> Config:
    """`config` with the entries of `added` in it, those of the same name replaced, and its context made current."""
    merged: Config = {"apiVersion": "v1", "kind": "Config"} | config
    for plural in _LISTS:
        new = {entry["name"]: entry for entry in added[plural]}
        kept = [new.pop(entry.get("name"), entry) for entry in config.get(plural) or ()]
        merged[plural] = kept + list(new.values())
    return merged | {"current-context": added["current-context"]}


def _read(path: Path) -> Config:
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise _not_a_kubeconfig(path, " ".join(str(fault).split())) from None
    config = {} if content is None else content
    if not isinstance(config, dict) or not all(_is_list_of_entries(config.get(plural)) for plural in _LISTS):
        raise _not_a_kubeconfig(path, "it has another form")
    return config


def _is_list_of_entries(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(entry, dict) for entry in value))


def _not_a_kubeconfig(path: Path, why: str) -> Failure:
    return Failure(f"{path} is no kubeconfig, and stays as it is: {why}", "name another: export KUBECONFIG=FILE")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """kubectl's own lock: whoever creates `<file>.lock` may write."""
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise Failure(f"{path} is locked by another program", f"if none is running, type: rm {lock}") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
