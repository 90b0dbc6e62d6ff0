"""The registry: every read and write of objects, for the HTTP edge and for everything in the process alike.

It is the in-process `Client` (see `client.py`). A write runs default -> prepare -> admit -> validate -> store, all
synchronous, so nothing else happens in between and a refused write leaves no trace. Where webhooks have a say, it ends
with `Pending` until their answers are there (see `webhook_review`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kubelite import errors
from kubelite.config import Settings
from kubelite.errors import FieldError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.patch_merge import merge_patch
from kubelite.objects.selectors import EVERYTHING, Selector
from kubelite.registry import admission, custom, field_managers, preconditions, strategy, validation, webhooks
from kubelite.registry.changes import AllBut, Applied, Deleted, EventStream
from kubelite.registry.client import CUSTOM
from kubelite.registry.conversion import Conversions
from kubelite.registry.field_managers import Writer
from kubelite.registry.kind import Kind
from kubelite.registry.kinds import KINDS, PROTECTED_NAMESPACES
from kubelite.registry.kinds.customresourcedefinition import CUSTOM_RESOURCE_DEFINITION
from kubelite.registry.strategy import Propagation
from kubelite.registry.webhook_review import Birth, current, reviewed
from kubelite.registry.webhook_rules import Attributes
from kubelite.registry.webhooks import Webhooks
from kubelite.store import Store, Stored

_DEFINITIONS = CUSTOM_RESOURCE_DEFINITION.resource


class Registry:
    """See the module; `now` and `new_uid` are arguments so that tests can pin them."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        kinds: Iterable[Kind] = KINDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.store = store
        self.settings = settings
        self.built_in = tuple(kinds)
        self.now = now
        self._new_uid = new_uid
        self._by_plural: dict[str, Kind] = {}
        for kind in self.built_in:
            self._by_plural.setdefault(kind.plural, kind)
        self._conversions = Conversions()
        self._serve_definitions()
        self.webhooks = Webhooks(self, lambda of: [kind for kind in self.kinds if kind.resource == of.resource])

    def _serve_definitions(self) -> None:
        """`kinds` becomes another tuple whenever what is served changes."""
        definitions = (stored.object for stored in self.store.list(_DEFINITIONS))
        self.custom: Sequence[Kind] = custom.kinds_of(definitions, self._conversions)
        self.kinds = (*self.built_in, *self.custom)
        self._by_resource: dict[str, Kind] = {}
        for kind in self.kinds:
            self._by_resource.setdefault(kind.resource, kind)

    def kind(self, plural: str) -> Kind:
        """By its plural if it is built in, else by plural and group (`widgets.example.com`)."""
        return self._by_plural.get(plural) or self._by_resource[plural]

    # reads

    def stored(self, kind: Kind, namespace: str | None, name: str) -> Stored:
        found = self.store.get(kind.resource, namespace or "", name)
        if found is None:
            raise errors.not_found(kind.plural, name, kind.group)
        return found

    def get(self, plural: str, namespace: str | None, name: str) -> Obj:
        return self.stored(self.kind(plural), namespace, name).object

    def find(self, plural: str, namespace: str | None, name: str) -> Obj | None:
        found = self.store.get(self.kind(plural).resource, namespace or "", name)
        return found.object if found else None

    def list(self, plural: str, namespace: str | None = None, selector: Selector = EVERYTHING) -> list[Obj]:
        found = (stored.object for stored in self.store.list(self.kind(plural).resource, namespace))
        return [obj for obj in found if selector.matches(meta.labels(obj))]

    def watch(self, plurals: Iterable[str]) -> EventStream:
        wanted = list(plurals)
        resources = {self.kind(plural).resource: plural for plural in wanted if plural != CUSTOM}
        chosen = AllBut({kind.resource for kind in self.built_in} - set(resources)) if CUSTOM in wanted else resources
        return EventStream(self.store.watch(chosen), resources)

    # create

    def create(self, plural: str, obj: Obj) -> Obj:
        return self.create_in(self.kind(plural), meta.namespace(obj), meta.copy(obj))

    def create_in(
        self,
        kind: Kind,
        namespace: str | None,
        obj: Obj,
        *,
        writer: Writer | None = None,
        managed: Sequence[Obj] = (),
        dry_run: bool = False,
    ) -> Obj:
        """Create `obj`, which becomes the registry's; `managed` are its managedFields, or `writer` has all of it."""
        obj = {**obj, "apiVersion": kind.api_version, "kind": kind.kind}
        metadata = obj["metadata"] = dict(obj.get("metadata") or {})
        preconditions.unversioned(metadata)
        given, birth = metadata.get("name") or "", self._birth(metadata)
        self._place(kind, namespace, metadata, birth.suffix)
        kind.default(obj)
        strategy.stamp_created(kind, obj, birth.uid, birth.now)
        if writer is not None:
            managed = field_managers.created(kind, obj, writer, birth.now)
        if managed:
            metadata["managedFields"] = list(managed)
        kind.prepare(obj, None)
        if kind.namespaced:
            preconditions.open_namespace(kind, metadata, self.find("namespaces", None, metadata["namespace"]))
        there = self.store.get(kind.resource, metadata.get("namespace", ""), metadata.get("name", ""))
        preconditions.absent(kind, there.object if there else None)
        kind.admit(obj, None, self)
        asked = self.webhooks.asked(kind, "CREATE", obj, None, name=given, dry_run=dry_run, manager=writer)
        obj = self._mutated(asked, obj, None)
        self._validate(kind, obj, None)
        self.webhooks.validate(asked, obj)
        admission.check(kind, obj, None, self, self.now())
        return obj if dry_run else self._put(kind, obj)

    def _birth(self, metadata: Obj) -> Birth:
        """The same in every attempt of one write."""
        review = current()
        if review is not None and review.birth is not None:
            return review.birth
        suffix = "" if metadata.get("name") else strategy.generated_suffix()
        birth = Birth(self.now(), self._new_uid(), suffix)
        if review is not None and self.webhooks.any:
            review.birth = birth
        return birth

    def _mutated(self, asked: Attributes | None, obj: Obj, old: Obj | None) -> Obj:
        """`obj` as webhooks want it, with all that the server itself adds once more."""
        if asked is None:
            return obj
        shown = webhooks.unborn(obj, asked.name) if old is None else obj
        new = self.webhooks.mutated(replace(asked, new=shown))
        if new is None or new == shown:
            return obj
        kind = asked.kind
        if old is None:
            strategy.restamp(kind, new, obj)
        else:
            strategy.carry_over(kind, new, old)
        kind.default(new)
        kind.prepare(new, old)
        if old is not None:
            strategy.bump_generation(kind, new, old)
        kind.admit(new, old, self)
        return new

    def _place(self, kind: Kind, namespace: str | None, metadata: Obj, suffix: str) -> None:
        """Its namespace, and its name if it is to be generated: one that is free."""
        metadata["namespace"] = preconditions.namespace_of(kind, namespace, metadata)
        if metadata["namespace"] is None:
            del metadata["namespace"]
        base = metadata.get("generateName")
        if metadata.get("name") or not base:
            return
        metadata["name"] = strategy.generated_name(base, suffix)
        while self.store.get(kind.resource, metadata.get("namespace", ""), metadata["name"]):
            metadata["name"] = strategy.generated_name(base, strategy.generated_suffix())

    def _validate(self, kind: Kind, new: Obj, old: Obj | None, subresource: str = "") -> None:
        rules = kind.subresource_rules.get(subresource)
        wrong = kind.validate(new, old) if rules is None or old is None else rules(new, old)
        self._refuse(kind, new, [*validation.metadata(new, kind, old), *wrong])

    @staticmethod
    def _refuse(kind: Kind, obj: Obj, wrong: Sequence[FieldError]) -> None:
        if wrong:
            raise errors.invalid(kind.kind, meta.name(obj), wrong, kind.group)

    def _put(self, kind: Kind, obj: Obj) -> Obj:
        stored = self.store.put(kind.resource, meta.namespace(obj) or "", meta.name(obj), obj).object
        self._written(kind)
        return stored

    def _written(self, kind: Kind) -> None:
        if kind.resource == _DEFINITIONS:
            self._serve_definitions()
        elif kind.resource in webhooks.RESOURCES:
            self.webhooks.refresh()
        if review := current():
            review.written()

    # update

    def update(self, plural: str, obj: Obj, subresource: str = "") -> Obj:
        kind = self.kind(plural)
        old = self.stored(kind, meta.namespace(obj), meta.name(obj)).object
        return self.replace(kind, old, meta.copy(obj), subresource)

    def patch(self, plural: str, namespace: str | None, name: str, patch: Obj, subresource: str = "") -> Obj:
        kind = self.kind(plural)
        old = self.stored(kind, namespace, name).object
        patched = merge_patch(meta.copy(old), patch)
        return self.replace(kind, old, patched, subresource)

    def replace(
        self,
        kind: Kind,
        old: Obj,
        new: Obj,
        subresource: str = "",
        *,
        writer: Writer | None = None,
        managed: Sequence[Obj] | None = None,
        dry_run: bool = False,
    ) -> Obj:
        """Put `new` (which becomes the registry's) in `old`'s place; `managed` are its managedFields, if known.

        Without a `writer` it is the control plane itself, whose writes of a status no webhook is asked about.
        """
        old = kind.encode(old) if kind.require else old
        new = {**new, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": dict(new.get("metadata") or {})}
        preconditions.of_update(kind, old, new["metadata"])
        given = new["metadata"].pop("managedFields", None)
        asked = self.webhooks.asked(
            kind, "UPDATE", new, old, name=meta.name(old), subresource=subresource, dry_run=dry_run, manager=writer
        )
        if subresource == "status" or subresource in kind.status_writes:
            new = self._of_status(kind, old, new, subresource, asked)
        else:
            new = self._of_object(kind, old, new, subresource, asked)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if managed:
            new["metadata"]["managedFields"] = list(managed)
        elif managed is None and (given or "managedFields" in old["metadata"]):
            field_managers.tracked(
                kind, old, new, given, writer or Writer(field_managers.component(kind), subresource), self.now()
            )
        return new if dry_run else self._write(kind, new, old)

    def _of_status(self, kind: Kind, old: Obj, new: Obj, subresource: str, asked: Attributes | None) -> Obj:
        new = strategy.carry_over_for_status(kind, new, old)
        if asked is not None:
            changed = self.webhooks.mutated(replace(asked, new=new))
            new = strategy.carry_over_for_status(kind, changed or new, old)
        if write := kind.status_writes.get(subresource):
            new["status"] = write(new["status"], old.get("status") or {}, self.now())
        wrong = validation.metadata_of_status(new, old)
        if rules := kind.subresource_rules.get(subresource):
            wrong = [*wrong, *rules(new, old)]
        self._refuse(kind, new, wrong)
        self.webhooks.validate(asked, new)
        return new

    def _of_object(self, kind: Kind, old: Obj, new: Obj, subresource: str, asked: Attributes | None) -> Obj:
        if subresource == "ephemeralcontainers":
            new = meta.copy(strategy.with_ephemeral_containers(new, old))
        strategy.carry_over(kind, new, old)
        kind.default(new)
        if subresource != "finalize":
            kind.prepare(new, old)
        strategy.bump_generation(kind, new, old)
        kind.admit(new, old, self)
        if subresource != "finalize":
            new = self._mutated(asked, new, old)
        self._validate(kind, new, old, subresource)
        self.webhooks.validate(asked, new)
        admission.check(kind, new, old, self, self.now())
        return new

    def apply(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        config: Obj,
        subresource: str = "",
        *,
        writer: Writer,
        force: bool = False,
        dry_run: bool = False,
    ) -> Applied:
        """Server-side apply: create the object, or merge into it what `writer` wants."""
        found = self.store.get(kind.resource, namespace or "", name)
        if found is None:
            if subresource:
                raise errors.not_found(kind.plural, name, kind.group)
            preconditions.of_apply(kind, config)
            obj, managed = field_managers.applied(kind, None, config, writer, self.now(), force=force)
            return Applied(self.create_in(kind, namespace, meta.copy(obj), managed=managed, dry_run=dry_run), None)
        live = kind.encode(found.object)
        new, managed = field_managers.applied(kind, live, config, writer, self.now(), force=force)
        new = self.replace(kind, found.object, meta.copy(new), subresource, managed=managed, dry_run=dry_run)
        return Applied(new, found.object)

    def _write(self, kind: Kind, new: Obj, old: Obj) -> Obj:
        if new == old:
            return old
        return self._remove(kind, new) if strategy.may_go(new) else self._put(kind, new)

    def finalize(self, namespace: Obj) -> Obj:
        return self.update("namespaces", namespace, "finalize")

    def bind(self, pod: Obj, node: str, *, dry_run: bool = False) -> Obj:
        kind = self.kind("pods")
        old = self.stored(kind, meta.namespace(pod), meta.name(pod)).object
        preconditions.of_binding(old)
        new = meta.copy(old)
        new["spec"]["nodeName"] = node
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        status = new.setdefault("status", {})
        status["conditions"] = meta.with_condition(status.get("conditions"), scheduled, self.now())
        return new if dry_run else self._write(kind, new, old)

    # delete

    def delete(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace: int | None = None,
        propagation: Propagation | None = None,
    ) -> Obj:
        kind = self.kind(plural)
        stored = self.stored(kind, namespace, name)
        return self.delete_stored(kind, stored, uid=uid, grace=grace, propagation=propagation).object

    def delete_stored(
        self,
        kind: Kind,
        stored: Stored,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace: int | None = None,
        propagation: Propagation | None = None,
        dry_run: bool = False,
    ) -> Deleted:
        """Delete as the API does: mark, or remove at once when nothing holds the object."""
        old = stored.object
        if kind.plural == "namespaces" and stored.name in PROTECTED_NAMESPACES:
            raise errors.forbidden("namespaces", stored.name, "this namespace may not be deleted")
        preconditions.of_deletion(kind, old, uid, resource_version)
        if asked := self.webhooks.asked(kind, "DELETE", None, old, name=stored.name, dry_run=dry_run):
            self.webhooks.review(asked)
        period = strategy.grace_period(kind, old, grace)
        if propagation is None and kind.orphans_by_default and not strategy.has_propagation(old):
            propagation = "Orphan"
        marked = strategy.marked_for_deletion(old, period, propagation, self.now())
        if not meta.is_terminating(old):
            kind.deleting(marked, self.now())
        gone = strategy.may_go(marked)
        if dry_run or (not gone and marked == old):
            return Deleted(marked, gone)
        if gone:
            if kind.grace is not None and marked != old:
                self._put(kind, marked)  # who watches is told of the mark before the end
            return Deleted(self._remove(kind, old), True)
        return Deleted(self._put(kind, marked), False)

    def _remove(self, kind: Kind, obj: Obj) -> Obj:
        last = self.store.delete(kind.resource, meta.namespace(obj) or "", meta.name(obj)).object
        self._written(kind)
        return last

    def delete_many(self, kind: Kind, chosen: Collection[Stored], **options: Any) -> None:
        """`options` are those of `delete_stored`; the first object that they refuse ends it.

        Webhooks are asked about all of them before the first one goes.
        """
        asked = (self.webhooks.asked(kind, "DELETE", None, one.object, name=one.name) for one in chosen)
        self.webhooks.review_all(one for one in asked if one is not None)
        with reviewed(None):
            for stored in chosen:
                if self.store.get(kind.resource, stored.namespace, stored.name) is not None:
                    self.delete_stored(kind, stored, **options)
