"""Which objects of a list or watch a request means: label and field selectors, limit and continue; pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from kubelite import errors
from kubelite.api import selector_text
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import FieldSelector, Selector
from kubelite.registry.kind import Kind
from kubelite.store import Stored

Key = tuple[str, str]  # namespace and name

_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """A request's selectors over one kind."""

    kind: Kind
    labels: Selector
    fields: FieldSelector

    @property
    def everything(self) -> bool:
        return self.labels.empty and not self.fields.terms

    def matches(self, obj: Obj) -> bool:
        return self.labels.matches(meta.labels(obj)) and self.fields.matches(lambda path: self._read(obj, path))

    def _read(self, obj: Obj, path: str) -> str:
        if path == "metadata.name":
            return meta.name(obj)
        if path == "metadata.namespace":
            return meta.namespace(obj) or ""
        return self.kind.fields[path](obj)


def of_query(kind: Kind, query: Mapping[str, str]) -> Selection:
    """From `labelSelector` and `fieldSelector`; 400 for what can't be read or isn't selectable."""
    fields = selector_text.parse_fields(query.get("fieldSelector", ""))
    for path in fields.paths:
        if path not in ("metadata.name", "metadata.namespace") and path not in kind.fields:
            raise errors.bad_request(
                f"field label not supported: {path}"
                if kind.fields or kind.structural
                else f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
            )
    return Selection(kind, selector_text.parse(query.get("labelSelector", "")), fields)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: `after` is the key it starts behind, `revision` that of the list's first page."""

    items: Sequence[Stored]
    revision: int
    token: str = ""
    remaining: int = 0

    @property
    def metadata(self) -> Obj:
        result: Obj = {"resourceVersion": str(self.revision)}
        if self.token:
            result["continue"] = self.token
            if self.remaining:
                result["remainingItemCount"] = self.remaining
        return result


def page(items: Sequence[Stored], revision: int, limit: int, after: Key | None, *, counted: bool) -> Page:
    """The next `limit` items (0: all) behind `after`. `counted`: say how many remain (only without selectors)."""
    if after is not None:
        items = [item for item in items if (item.namespace, item.name) > after]
    if not limit or len(items) <= limit:
        return Page(items, revision)
    last = items[limit - 1]
    left = len(items) - limit
    return Page(items[:limit], revision, encode_token(revision, (last.namespace, last.name)), left if counted else 0)


def encode_token(revision: int, after: Key) -> str:
    """-1 for the revision: go on with whatever is there then."""
    raw = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": revision, "start": after})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_token(token: str) -> tuple[int, Key]:
    try:
        content = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = content["start"]
        return int(content["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError, binascii.Error, msgspec.DecodeError):
        raise errors.bad_request("continue key is not valid") from None


def expired_token(after: Key) -> errors.StatusError:
    """410 with a token to go on with, though what follows no longer fits what came before."""
    error = errors.expired(_EXPIRED)
    error.metadata["continue"] = encode_token(-1, after)
    return error
