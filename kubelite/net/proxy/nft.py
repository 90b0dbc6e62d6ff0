"""nftables: scripts in, one transaction each. The only place that speaks to it.

Through libnftables (libnftables(3)), in this process: starting the `nft` command costs six times what the kernel needs
for a change, and many times that on a busy machine. Not for several threads at once.
"""

from __future__ import annotations

import ctypes
import functools
import json
from typing import Any

_LIBRARY = "libnftables.so.1"
_JSON = 1 << 4
_ONLY_TEXT = 0


class NftError(Exception):
    """nftables refused, and nothing was changed; the text is its first complaint."""


def apply(script: str) -> None:
    """All of the script or nothing."""
    _nftables().run(script)


def tables() -> list[str]:
    """Names of the tables for IPv4."""
    return [entry["table"]["name"] for entry in _listed("list tables ip") if "table" in entry]


def elements(table: str, name: str) -> list[str]:
    """The elements of a set of plain values; none where there is no such set."""
    try:
        listed = _listed(f"list set ip {table} {name}")
    except NftError:
        return []
    return [element for entry in listed for element in (entry.get("set") or {}).get("elem") or ()]


def rules(table: str, chain: str) -> list[dict[str, Any]] | None:
    """The rules of a chain; None where there is no such chain."""
    try:
        listed = _listed(f"list chain ip {table} {chain}")
    except NftError:
        return None
    return [entry["rule"] for entry in listed if "rule" in entry]


def _listed(command: str) -> list[dict[str, Any]]:
    answer: dict[str, Any] = json.loads(_nftables().run(command, _JSON))
    return list(answer["nftables"])


@functools.cache
def _nftables() -> _Nftables:
    try:
        return _Nftables(ctypes.CDLL(_LIBRARY))
    except OSError as error:
        raise NftError(str(error)) from error


class _Nftables:
    """One context of the library, kept: making one costs more than most of its runs."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.nft_ctx_new.restype = ctypes.c_void_p
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).restype = ctypes.c_char_p
        self._context = ctypes.c_void_p(library.nft_ctx_new(0))
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str, output: int = _ONLY_TEXT) -> str:
        self._library.nft_ctx_output_set_flags(self._context, output)
        failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        text: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        complaint: bytes = self._library.nft_ctx_get_error_buffer(self._context)
        if failed:
            lines = complaint.decode(errors="replace").strip().splitlines()
            raise NftError(next(iter(lines), "nftables refused without a word"))
        return text.decode()
