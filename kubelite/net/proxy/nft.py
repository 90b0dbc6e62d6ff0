"""The `nft` command: scripts in, one transaction each. The only place that runs it."""

from __future__ import annotations

import json
import subprocess
from typing import Any


class NftError(Exception):
    """nft refused, and nothing was changed; the text is its first complaint."""


def apply(script: str) -> None:
    """All of the script or nothing."""
    _run(["nft", "-f", "-"], script)


def tables() -> list[str]:
    """Names of the tables for IPv4."""
    listed: dict[str, Any] = json.loads(_run(["nft", "-j", "list", "tables", "ip"]))
    return [entry["table"]["name"] for entry in listed["nftables"] if "table" in entry]


def elements(table: str, name: str) -> list[str]:
    """The elements of a set of plain values; none where there is no such set."""
    try:
        listed: dict[str, Any] = json.loads(_run(["nft", "-j", "list", "set", "ip", table, name]))
    except NftError:
        return []
    return [element for entry in listed["nftables"] for element in (entry.get("set") or {}).get("elem") or ()]


def _run(command: list[str], script: str = "") -> str:
    try:
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NftError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise NftError(next(iter(done.stderr.strip().splitlines()), f"nft ended with {done.returncode}"))
    return done.stdout
