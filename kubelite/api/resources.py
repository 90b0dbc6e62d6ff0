"""Create, read, update, patch, delete of every kind: HTTP requests to registry calls and answers.

The watch verb is in `watch.py`; subresources with behaviour of their own are in `subresources.py` and `pods.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from kubelite import errors
from kubelite.api import body, options, patching, selection
from kubelite.api.answer import Answer, send
from kubelite.api.authn import USER
from kubelite.api.negotiation import answer_form
from kubelite.api.options import ListOptions, WriteKind, WriteOptions
from kubelite.api.path import Target
from kubelite.api.selection import Page, Selection, Token
from kubelite.api.views import List, One, deleted_status
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.changes import Deleted
from kubelite.registry.custom import finalizer_warnings
from kubelite.registry.field_managers import Writer
from kubelite.registry.kind import Kind
from kubelite.registry.registry import Registry
from kubelite.store import Expired, Stored


def write_options(request: web.Request, kind: WriteKind, *, apply: bool = False) -> WriteOptions:
    return options.write_options(request.query, request.headers.get("User-Agent", ""), kind, apply=apply)


_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them "
    "or set propagationPolicy=Orphan to suppress this warning"
)


class Resources:
    """Handlers of the generic verbs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    # reads

    async def get(self, request: web.Request, target: Target) -> web.StreamResponse:
        version = options.resource_version(request.query)
        self._check_seen(version)
        stored = self._registry.stored(target.kind, target.namespace, target.name)
        return self._one(request, target, stored.object, raw=stored.raw)

    def _check_seen(self, version: int | None) -> None:
        if version and version > self._registry.store.revision:
            raise options.too_large(version, self._registry.store.revision)

    async def list(self, request: web.Request, target: Target) -> web.StreamResponse:
        asked = options.list_options(request.query)
        chosen = selection.of_query(target.kind, request.query)
        page = self._page(target, chosen, asked)
        form = answer_form(request.headers.get("Accept", ""))
        return send(request, Answer(List(target.kind, page).shown(form, request.query, self._registry.now())), form)

    def _page(self, target: Target, chosen: Selection, asked: ListOptions) -> Page:
        store, resource = self._registry.store, target.kind.resource
        token = Token.decode(asked.token) if asked.token else None
        revision, now = token.revision if token else None, self._registry.now().timestamp()
        if asked.exact:
            revision = asked.version
        elif revision is None:
            self._check_seen(asked.version)
        if revision is None or revision < 0:
            items: Sequence[Stored] = store.list(resource, target.namespace)
            revision = store.revision
        else:
            if token is not None and token.is_spent(now):
                raise token.expired()
            items = self._snapshot(resource, target.namespace, revision, token)
        return selection.page(chosen.of(items), revision, asked.limit, token, begun=now, counted=chosen.everything)

    def _snapshot(self, resource: str, namespace: str | None, revision: int, token: Token | None) -> Sequence[Stored]:
        store = self._registry.store
        if revision > store.revision:
            raise options.too_large(revision, store.revision)
        try:
            return store.list_at(resource, namespace, revision)
        except Expired:
            if token is None:
                raise errors.expired("The resourceVersion for the provided list is too old.") from None
            raise token.expired() from None

    # writes

    async def create(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = write_options(request, "CreateOptions")
        decoded = await body.read_object(request, target.kind, wanted.directive)
        return self._created(request, target, decoded, wanted)

    def _created(
        self, request: web.Request, target: Target, decoded: body.Decoded, wanted: WriteOptions
    ) -> web.StreamResponse:
        kind, obj = target.kind, target.kind.decode(decoded.object)
        if kind.requested_by is not None:
            kind.requested_by(obj, request[USER].info)
        _check_version(kind, obj, None)
        created = self._registry.create_in(
            kind.storage, target.namespace, obj, writer=Writer(wanted.manager), dry_run=wanted.dry_run
        )
        texts = [*decoded.warnings, *_warnings(target.kind, created, None)]
        return self._one(request, target, created, status=201, warnings=texts)

    async def update(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = write_options(request, "UpdateOptions")
        decoded = await body.read_object(request, target.kind, wanted.directive)
        _check_name(decoded.object, target)
        stored = self._registry.store.get(target.kind.resource, target.namespace or "", target.name)
        if stored is None and target.kind.create_on_update and not target.subresource:
            decoded.object["metadata"].pop("resourceVersion", None)
            return self._created(request, target, decoded, wanted)
        old = self._registry.stored(target.kind, target.namespace, target.name).object
        _check_conditional(decoded.object, target)
        updated = self._replace(target, old, target.kind.decode(decoded.object), wanted)
        return self._one(request, target, updated, warnings=[*decoded.warnings, *_warnings(target.kind, updated, old)])

    async def patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        if body.media_type(request) == patching.APPLY_PATCH:
            return await self._apply(request, target)
        wanted = write_options(request, "PatchOptions")
        patch = await patching.read(request, target.kind, wanted.directive)
        old = self._registry.stored(target.kind, target.namespace, target.name).object
        new, warnings = patch.apply(target.kind.encode(old))
        _check_name(new, target)
        _check_uid(new, old, target)
        updated = self._replace(target, old, target.kind.decode(new), wanted)
        return self._one(request, target, updated, warnings=[*warnings, *_warnings(target.kind, updated, old)])

    def _replace(self, target: Target, old: Obj, new: Obj, wanted: WriteOptions) -> Obj:
        _check_version(target.kind, new, old)
        writer = Writer(wanted.manager, target.subresource)
        return self._registry.replace(
            target.kind.storage, old, new, target.subresource, writer=writer, dry_run=wanted.dry_run
        )

    async def _apply(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = write_options(request, "PatchOptions", apply=True)
        config = await patching.read_config(request, target, wanted.directive)
        _check_name(config.object, target)
        if stored := self._registry.store.get(target.kind.resource, target.namespace or "", target.name):
            _check_uid(config.object, stored.object, target)
        applied = self._registry.apply(
            target.kind.storage,
            target.namespace,
            target.name,
            target.kind.decode(config.object),
            target.subresource,
            writer=Writer(wanted.manager, target.subresource),
            force=wanted.force,
            dry_run=wanted.dry_run,
        )
        status = 201 if applied.old is None else 200
        texts = [*config.warnings, *_warnings(target.kind, applied.object, applied.old)]
        return self._one(request, target, applied.object, status=status, warnings=texts)

    async def delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = await body.read_delete_options(request)
        stored = self._registry.stored(target.kind, target.namespace, target.name)
        deleted = self._registry.delete_stored(target.kind.storage, stored, **wanted.arguments)
        return self._deleted(request, target, deleted, wanted)

    async def delete_collection(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = await body.read_delete_options(request)
        chosen, asked = selection.of_query(target.kind, request.query), options.list_options(request.query)
        page = self._page(target, chosen, asked)
        self._registry.delete_many(target.kind.storage, page.items, **wanted.arguments)
        form = answer_form(request.headers.get("Accept", ""))
        shown = List(target.kind, page).shown(form, request.query, self._registry.now())
        return send(request, Answer(shown, warnings=_orphans(target, wanted)), form)

    # answers

    def _one(
        self,
        request: web.Request,
        target: Target,
        obj: Obj,
        *,
        raw: bytes | None = None,
        status: int = 200,
        warnings: Sequence[str] = (),
    ) -> web.StreamResponse:
        form = answer_form(request.headers.get("Accept", ""))
        shown = One(target.kind, obj, raw).shown(form, request.query, self._registry.now())
        return send(request, Answer(shown, status, warnings), form)

    def _deleted(
        self, request: web.Request, target: Target, deleted: Deleted, wanted: body.DeleteOptions
    ) -> web.StreamResponse:
        warnings = _orphans(target, wanted)
        if not deleted.gone or target.kind.returns_deleted:
            status = 202 if wanted.cascades and not deleted.gone else 200
            return self._one(request, target, deleted.object, status=status, warnings=warnings)
        return send(request, Answer(deleted_status(target.kind, deleted.object), 200, warnings))


def _warnings(kind: Kind, new: Obj, old: Obj | None) -> list[str]:
    """What is worth saying of an object that was written."""
    found = kind.warnings(new) if kind.warnings else []
    return found + (finalizer_warnings(new, old) if kind.structural is not None else [])


def _orphans(target: Target, wanted: body.DeleteOptions) -> list[str]:
    """Of the kinds that leave their pods behind when nothing is said of them, Jobs say so."""
    return [_ORPHANS] if target.kind.plural == "jobs" and wanted.propagation is None else []


def _check_name(obj: Obj, target: Target) -> None:
    """The object in a body is the one that the path names."""
    name, namespace = meta.name(obj), meta.namespace(obj)
    if name != target.name:
        raise errors.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
            if name
            else f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if namespace and target.namespace and namespace != target.namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_version(kind: Kind, new: Obj, old: Obj | None) -> None:
    """What one form of an object allows and another doesn't."""
    if wrong := kind.of_version(new, old):
        raise errors.invalid(kind.kind, meta.name(new), wrong, kind.storage.group)


def _check_uid(new: Obj, old: Obj, target: Target) -> None:
    """A patch may name no other uid (in an update it is a precondition instead)."""
    if meta.uid(new) and meta.uid(new) != meta.uid(old):
        wrong = errors.invalid_value("metadata.uid", meta.uid(new), "field is immutable")
        raise errors.invalid(target.kind.kind, target.name, [wrong], target.kind.group)


def _check_conditional(new: Obj, target: Target) -> None:
    if not target.kind.unconditional_update and not new["metadata"].get("resourceVersion"):
        unset: Any = msgspec.Raw(b"0x0")
        wrong = errors.invalid_value("metadata.resourceVersion", unset, "must be specified for an update")
        raise errors.invalid(target.kind.kind, target.name, [wrong], target.kind.group)
