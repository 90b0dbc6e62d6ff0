"""What an image's name says. PURE; called by images. Follows the library `distribution/reference`, as upstream does."""

from __future__ import annotations

import re

_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]{0,127})?(?:@[a-zA-Z0-9+.-]+:[0-9a-fA-F]{32,})?"
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


def parse_error(reference: str) -> str:
    """Why the reference is none, in the library's words; "" when it is one."""
    if _IDENTIFIER.fullmatch(reference):
        return f"invalid repository name ({reference}), cannot specify 64-byte hexadecimal strings"
    name = _remainder(reference).partition(":")[0]
    if name != name.lower():
        return f"invalid reference format: repository name ({name}) must be lowercase"
    return "" if _REFERENCE.fullmatch(reference) else "invalid reference format"


def _remainder(reference: str) -> str:
    """Without the host, and with the prefix of the official images where one is meant."""
    first, slash, rest = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    host, remainder = (first, rest) if named else ("docker.io", reference)
    official = host in ("docker.io", "index.docker.io") and "/" not in remainder
    return f"library/{remainder}" if official else remainder


def default_policy(reference: str) -> str:
    """Always for a floating tag, IfNotPresent for a fixed one."""
    tag = reference.rpartition("/")[2].partition("@")
    fixed = tag[2] or tag[0].partition(":")[2] not in ("", "latest")
    return "IfNotPresent" if fixed else "Always"


def registry_of(reference: str) -> str:
    """The host part of a reference; Docker Hub's when it has none."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"
