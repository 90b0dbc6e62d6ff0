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
COMPACTION = 300.0  # seconds

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

    @property
    def reads_converted(self) -> bool:
        """Whether it looks at fields of what a webhook converts: those of the request's version count."""
        return self.kind.require is not None and any(path in self.kind.fields for path in self.fields.paths)

    def of(self, items: Sequence[Stored]) -> Sequence[Stored]:
        """Those of them that match. May raise Pending."""
        if self.everything:
            return items
        if self.kind.require is not None and self.reads_converted:
            self.kind.require([item.object for item in items])
        return [item for item in items if self.matches(item.object)]

    def matches(self, obj: Obj) -> bool:
        return self.labels.matches(meta.labels(obj)) and self.fields.matches(lambda path: self._read(obj, path))

    def _read(self, obj: Obj, path: str) -> str:
        if path == "metadata.name":
            return meta.name(obj)
        if path == "metadata.namespace":
            return meta.namespace(obj) or ""
        return self.kind.fields[path](self.kind.encode(obj) if self.kind.require else obj)


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


@dataclass(frozen=True, slots=True)
class Token:
    """What `continue` says: behind which key to go on, in the list as it was at `revision` (-1: as it is now)."""

    revision: int
    after: Key
    begun: float  # when the first page was given out, in seconds since the epoch

    def encode(self) -> str:
        content = {"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.after, "begun": int(self.begun)}
        return base64.urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Token:
        try:
            content = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            namespace, name = content["start"]
            return cls(int(content["rv"]), (str(namespace), str(name)), float(content["begun"]))
        except (ValueError, KeyError, TypeError, binascii.Error, msgspec.DecodeError):
            raise errors.bad_request("continue key is not valid") from None

    def is_spent(self, now: float) -> bool:
        """Upstream compacts every five minutes, and what was before can't be listed any more."""
        return self.revision >= 0 and now - self.begun > COMPACTION

    def expired(self) -> errors.StatusError:
        """410 with a token to go on with, though what follows no longer fits what came before."""
        error = errors.expired(_EXPIRED)
        error.metadata["continue"] = Token(-1, self.after, self.begun).encode()
        return error


def page(
    items: Sequence[Stored], revision: int, limit: int, token: Token | None, *, begun: float, counted: bool
) -> Page:
    """The next `limit` items (0: all) behind the token. `counted`: say how many remain (only without selectors).

    `begun` is for the next page's token, when this is the first.
    """
    if token is not None:
        items = [item for item in items if (item.namespace, item.name) > token.after]
    if not limit or len(items) <= limit:
        return Page(items, revision)
    last = items[limit - 1]
    left = len(items) - limit
    following = Token(revision, (last.namespace, last.name), token.begun if token and token.revision >= 0 else begun)
    return Page(items[:limit], revision, following.encode(), left if counted else 0)
