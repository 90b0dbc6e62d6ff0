"""Objects and lists in the form that a client asked for: as they are, as a Table, as metadata alone; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kubelite import errors
from kubelite.api.negotiation import Form
from kubelite.api.selection import Page
from kubelite.api.table import Include, partial_metadata, table
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind

_INCLUDE: Mapping[str, Include] = {"": "Metadata", "Metadata": "Metadata", "Object": "Object", "None": "None"}


def include_of(query: Mapping[str, str]) -> Include:
    """What a Table's rows carry of their objects."""
    try:
        return _INCLUDE[query.get("includeObject", "")]
    except KeyError:
        raise errors.bad_request(f"unrecognized includeObject value: {query['includeObject']!r}") from None


def in_version(kind: Kind, objects: Sequence[Obj]) -> Sequence[Obj]:
    """All of them converted with one call, where a webhook does that. May raise Pending."""
    if kind.require is None:
        return objects
    kind.require(objects)
    return [kind.encode(one) for one in objects]


@dataclass(frozen=True, slots=True)
class One:
    """A single object; `raw` are its stored bytes, which spare encoding it."""

    kind: Kind
    object: Obj
    raw: bytes | None = None

    def shown(self, form: Form, query: Mapping[str, str], now: datetime) -> Any:
        if form.type == "Table":
            metadata = {"resourceVersion": self.object["metadata"].get("resourceVersion", "")}
            include = include_of(query)
            return table(
                self.kind,
                in_version(self.kind, [self.object]),
                now,
                include=include,
                metadata=metadata,
                version=form.api_version,
            )
        if form.type == "PartialObjectMetadata":
            return partial_metadata(self.object, form.api_version)
        if not (self.kind.shown_as_stored and self.raw):
            return self.kind.encode(self.object)
        return msgspec.Raw(self.raw)


@dataclass(frozen=True, slots=True)
class List:
    """A page of a list, spliced from stored bytes where its form allows that."""

    kind: Kind
    page: Page

    def shown(self, form: Form, query: Mapping[str, str], now: datetime) -> Any:
        metadata = self.page.metadata
        if form.type == "Table":
            objects = in_version(self.kind, [item.object for item in self.page.items])
            include = include_of(query)
            return table(self.kind, objects, now, include=include, metadata=metadata, version=form.api_version)
        if form.type == "PartialObjectMetadata":
            kind, version = "PartialObjectMetadataList", form.api_version
            items: list[Any] = [partial_metadata(item.object, version) for item in self.page.items]
        else:
            kind, version = self.kind.list_kind or f"{self.kind.kind}List", self.kind.api_version
            if self.kind.shown_as_stored:
                items = [msgspec.Raw(item.raw) for item in self.page.items]
            else:
                objects = in_version(self.kind, [item.object for item in self.page.items])
                items = [self.kind.encode(one) for one in objects]
        return {"kind": kind, "apiVersion": version, "metadata": metadata, "items": items}


def deleted_status(kind: Kind, obj: Obj) -> Obj:
    """What most kinds answer when an object is gone."""
    details = {"name": meta.name(obj), "group": kind.group, "kind": kind.plural, "uid": meta.uid(obj)}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
