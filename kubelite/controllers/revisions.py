"""ControllerRevisions: the history of a StatefulSet's or DaemonSet's template; and hashes of templates.

Pure; follows upstream's `pkg/controller/history`, so that names, hashes and data are what `kubectl rollout history`
and `undo` expect: data is a strategic merge patch that puts the template back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from kubelite.objects import meta
from kubelite.objects.gojson import escaped
from kubelite.objects.meta import Obj

HASH_LABEL = "controller.kubernetes.io/hash"
DEFAULT_HISTORY_LIMIT = 10

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193
_LONGEST_PREFIX = 223
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


def safe_encode(text: str) -> str:
    """Letters and digits that can't form words by accident, one for each character."""
    return "".join(_SAFE[ord(character) % len(_SAFE)] for character in text)


def fnv1(data: bytes) -> int:
    """FNV-1, 32 bits: what upstream hashes revisions with."""
    value = _FNV_OFFSET
    for byte in data:
        value = (value * _FNV_PRIME & 0xFFFFFFFF) ^ byte
    return value


def fnv1a(data: bytes) -> int:
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value


def template_hash(template: Obj, collision_count: int | None) -> str:
    """The `pod-template-hash` of a template: stable, otherwise opaque to everybody."""
    count = b"" if collision_count is None else str(collision_count).encode()
    return safe_encode(str(fnv1a(_encode_sorted(template) + count)))


def data_of(template: Obj) -> Obj:
    """The patch that restores `template`, with the empty fields that Go's encoder always writes."""
    normal = msgspec.json.decode(_encode_sorted(template))
    normal["metadata"] = {"creationTimestamp": None} | (normal.get("metadata") or {})
    spec = normal.get("spec") or {}
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        container.setdefault("resources", {})
    data: Obj = msgspec.json.decode(_encode_sorted({"spec": {"template": normal | {"$patch": "replace"}}}))
    return data


def template_of(revision: Obj) -> Obj:
    """The template that a revision recorded."""
    template = {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}
    recorded = template.get("metadata") or {}
    template["metadata"] = {key: value for key, value in recorded.items() if value is not None}
    return template


def revision_hash(data: Obj, collision_count: int) -> str:
    return safe_encode(str(fnv1(escaped(_encode_sorted(data)) + str(collision_count).encode())))


def new_revision(owner: Obj, number: int, collision_count: int) -> Obj:
    """The revision that records the owner's present template."""
    template = owner["spec"]["template"]
    data = data_of(template)
    digest = revision_hash(data, collision_count)
    return named_revision(owner, number, data, digest, {HASH_LABEL: digest})


def named_revision(owner: Obj, number: int, data: Obj, digest: str, extra_labels: dict[str, str]) -> Obj:
    """A revision `<owner>-<digest>` with the template's labels and the owner's annotations."""
    metadata: Obj = {
        "name": _name(owner, digest),
        "namespace": meta.namespace(owner),
        "labels": (owner["spec"]["template"].get("metadata") or {}).get("labels", {}) | extra_labels,
        "ownerReferences": [meta.owner_reference(owner)],
    }
    if meta.annotations(owner):
        metadata["annotations"] = dict(meta.annotations(owner))
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": data,
        "revision": number,
    }


def renamed(revision: Obj, owner: Obj, collision_count: int) -> Obj:
    """`revision` under the name of another collision count; its hash label stays, as upstream's."""
    name = _name(owner, revision_hash(revision["data"], collision_count))
    return revision | {"metadata": revision["metadata"] | {"name": name}}


def _name(owner: Obj, digest: str) -> str:
    return f"{meta.name(owner)[:_LONGEST_PREFIX]}-{digest}"


def ordered(revisions: Iterable[Obj]) -> list[Obj]:
    """Oldest first."""
    return sorted(
        revisions, key=lambda it: (it["revision"], it["metadata"].get("creationTimestamp", ""), meta.name(it))
    )


def next_number(revisions: Sequence[Obj]) -> int:
    return int(revisions[-1]["revision"]) + 1 if revisions else 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What the present template needs: `revision` as it is, with a higher number, or created."""

    revision: Obj
    create: bool = False
    renumber: int | None = None


def decide(owner: Obj, revisions: Sequence[Obj], collision_count: int) -> Decision:
    """`revisions` are the owner's, oldest first; an equal older one is used again under a new number."""
    data = data_of(owner["spec"]["template"])
    equal = [revision for revision in revisions if revision["data"] == data]
    if not equal:
        return Decision(new_revision(owner, next_number(revisions), collision_count), create=True)
    if equal[-1] is revisions[-1]:
        return Decision(equal[-1])
    return Decision(equal[-1], renumber=next_number(revisions))


def superfluous(revisions: Iterable[Obj], live: Collection[str], limit: int) -> list[Obj]:
    """The oldest of the revisions that nothing uses (by name), as many as there are above the limit."""
    unused = [revision for revision in revisions if meta.name(revision) not in live]
    return unused[: max(0, len(unused) - limit)] if limit >= 0 else []
