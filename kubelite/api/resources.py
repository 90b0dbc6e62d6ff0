"""Create, read, update, patch, delete of every kind: HTTP requests to registry calls and answers.

The watch verb is in `watch.py`; subresources with behaviour of their own are in `subresources.py` and `pods.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from kubelite import errors
from kubelite.api import body, patching, selection
from kubelite.api.answer import Answer, send
from kubelite.api.negotiation import Form, answer_form
from kubelite.api.path import Target
from kubelite.api.table import Include, partial_metadata, table
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.registry import Deleted, Registry
from kubelite.store import Stored

_INCLUDE: Mapping[str, Include] = {"": "Metadata", "Metadata": "Metadata", "Object": "Object", "None": "None"}


def include_of(query: Mapping[str, str]) -> Include:
    try:
        return _INCLUDE[query.get("includeObject", "")]
    except KeyError:
        raise errors.bad_request(f"unrecognized includeObject value: {query['includeObject']!r}") from None


def is_dry_run(query: Mapping[str, str]) -> bool:
    asked = query.get("dryRun", "")
    if asked not in ("", "All"):
        raise errors.bad_request('dryRun: Unsupported value: "' + asked + '": supported values: "All"')
    return asked == "All"


class Resources:
    """Handlers of the generic verbs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    # reads

    async def get(self, request: web.Request, target: Target) -> web.StreamResponse:
        stored = self._registry.stored(target.kind, target.namespace, target.name)
        return self._one(request, target.kind, stored.object, stored.raw)

    async def list(self, request: web.Request, target: Target) -> web.StreamResponse:
        kind, query = target.kind, request.query
        chosen = selection.of_query(kind, query)
        items = self._registry.store.list(kind.resource, target.namespace)
        if not chosen.everything:
            items = [item for item in items if chosen.matches(item.object)]
        page = selection.page(
            items,
            self._registry.store.revision,
            _whole_number(query, "limit"),
            query.get("continue", ""),
            counted=chosen.everything,
        )
        form = answer_form(request.headers.get("Accept", ""))
        if form.type == "Table":
            objects = [item.object for item in page.items]
            shown = table(kind, objects, self._registry.now(), include=include_of(query), metadata=page.metadata)
            return send(request, Answer(shown))
        if form.type == "PartialObjectMetadata":
            return send(request, Answer(_partial_list(page)))
        return self._spliced(request, kind, page, form)

    def _spliced(self, request: web.Request, kind: Kind, page: selection.Page, form: Form) -> web.StreamResponse:
        """The list, from the objects' stored bytes."""
        raw = [_with_type(kind, item) for item in page.items]
        content = {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": page.metadata,
            "items": [msgspec.Raw(item) for item in raw],
        }
        return send(request, Answer(content), form)

    # writes

    async def create(self, request: web.Request, target: Target) -> web.StreamResponse:
        decoded = await body.read_object(request, target.kind)
        created = self._registry.create_in(
            target.kind, target.namespace, decoded.object, dry_run=is_dry_run(request.query)
        )
        return self._one(request, target.kind, created, status=201, warnings=decoded.warnings)

    async def update(self, request: web.Request, target: Target) -> web.StreamResponse:
        decoded = await body.read_object(request, target.kind)
        new = decoded.object
        if meta.name(new) != target.name:
            raise errors.bad_request(
                f"the name of the object ({meta.name(new)}) does not match the name on the URL ({target.name})"
            )
        old = self._registry.stored(target.kind, target.namespace, target.name).object
        updated = self._registry.replace(target.kind, old, new, target.subresource, dry_run=is_dry_run(request.query))
        return self._one(request, target.kind, updated, warnings=decoded.warnings)

    async def patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        patch = await patching.read(request, target.kind)
        found = self._registry.store.get(target.kind.resource, target.namespace or "", target.name)
        if found is None:
            raise errors.not_found(target.kind.plural, target.name, target.kind.group)
        new, warnings = patch.apply(found.object)
        updated = self._registry.replace(
            target.kind, found.object, new, target.subresource, dry_run=is_dry_run(request.query)
        )
        return self._one(request, target.kind, updated, warnings=warnings)

    async def delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = await body.read_delete_options(request)
        stored = self._registry.stored(target.kind, target.namespace, target.name)
        deleted = self._registry.delete_stored(target.kind, stored, **options.arguments)
        return self._deleted(request, target.kind, deleted)

    async def delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = await body.read_delete_options(request)
        chosen = selection.of_query(target.kind, request.query)
        items = self._registry.store.list(target.kind.resource, target.namespace)
        doomed = [item for item in items if chosen.matches(item.object)]
        self._registry.delete_many(
            target.kind, doomed, grace=options.grace, propagation=options.propagation, dry_run=options.dry_run
        )
        listed = selection.Page(doomed, self._registry.store.revision)
        return self._spliced(request, target.kind, listed, Form())

    # answers

    def _one(
        self,
        request: web.Request,
        kind: Kind,
        obj: Obj,
        raw: bytes | None = None,
        *,
        status: int = 200,
        warnings: Sequence[str] = (),
    ) -> web.StreamResponse:
        form = answer_form(request.headers.get("Accept", ""))
        all_warnings = [*warnings, *(kind.warnings(obj) if kind.warnings and request.method != "GET" else ())]
        if form.type == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            include = include_of(request.query)
            shown: Any = table(kind, [obj], self._registry.now(), include=include, metadata=metadata)
        elif form.type == "PartialObjectMetadata":
            shown = partial_metadata(obj)
        elif obj["apiVersion"] != kind.api_version:
            shown = {**obj, "apiVersion": kind.api_version}
        else:
            shown = msgspec.Raw(raw) if raw and not form.yaml else obj
        return send(request, Answer(shown, status, all_warnings), form)

    def _deleted(self, request: web.Request, kind: Kind, deleted: Deleted) -> web.StreamResponse:
        if not deleted.gone or kind.grace is not None:
            return self._one(request, kind, deleted.object)
        details = {
            "name": meta.name(deleted.object),
            "group": kind.group,
            "kind": kind.plural,
            "uid": meta.uid(deleted.object),
        }
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
        return send(request, Answer(status))


def _partial_list(page: selection.Page) -> Obj:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": page.metadata,
        "items": [partial_metadata(item.object) for item in page.items],
    }


def _with_type(kind: Kind, item: Stored) -> bytes:
    if kind.stored_as:
        return msgspec.json.encode({**item.object, "apiVersion": kind.api_version})
    return item.raw


def _whole_number(query: Mapping[str, str], name: str) -> int:
    try:
        return int(query.get(name) or 0)
    except ValueError:
        raise errors.bad_request(f"{name}: strconv.ParseInt: parsing {query[name]!r}: invalid syntax") from None
