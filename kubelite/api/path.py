"""Resource paths to what they name; pure (apiserver's `endpoints/request/requestinfo.go`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubelite import errors
from kubelite.registry.kind import Kind

KindTable = Mapping[tuple[str, str, str], Kind]  # (group, version, plural)

_OF_NAMESPACES = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: a collection (`name` empty), an object, or a subresource of it."""

    kind: Kind
    namespace: str | None
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows the subresource (pods/proxy)


def split(path: str) -> tuple[str, str, list[str]] | None:
    """(group, version, what follows) of `/api/v1/...` or `/apis/<group>/<version>/...`; None for any other path."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        return "", parts[1], parts[2:]
    if parts[0] == "apis" and len(parts) > 3:
        return parts[1], parts[2], parts[3:]
    return None


def parse(path: str, kinds: KindTable) -> Target:
    """The target of a resource's path; 404 when nothing is served there."""
    found = split(path)
    if found is None:
        raise errors.page_not_found()
    group, version, rest = found
    namespace, rest = split_namespace(group, rest)
    plural, name, subresource, *more = [*rest, "", "", ""][: max(len(rest), 3)]
    kind = kinds.get((group, version, plural))
    if kind is None or (namespace is not None and not kind.namespaced):
        raise errors.page_not_found()
    if subresource and subresource not in kind.subresources:
        raise errors.page_not_found()
    if name and kind.namespaced and namespace is None:
        raise errors.page_not_found()
    return Target(kind, namespace, name, subresource, "/".join(part for part in more if part))


def split_namespace(group: str, rest: Sequence[str]) -> tuple[str | None, list[str]]:
    """(namespace, what follows it); a namespace's own subresources are not inside it."""
    if rest[0] == "namespaces" and len(rest) > 2 and (group or rest[2] not in _OF_NAMESPACES):
        return rest[1], list(rest[2:])
    return None, list(rest)
