"""The garbage collector: objects whose owners are gone go too (upstream's `pkg/controller/garbagecollector`).

Background deletion needs nothing but this; foreground and orphan deletion are finalizers that the owner carries until
its dependents are gone, or no longer refer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Client, Event, Recorder
from kubelite.registry.kind import Kind
from kubelite.registry.strategy import FOREGROUND, ORPHAN, Propagation

_Where = tuple[str, str | None, str]  # plural, namespace, name


class GarbageCollector(Controller):
    """Keys are (namespace, "<plural>/<name>") since objects of every kind go through one queue."""

    name = "garbage-collector-controller"

    def __init__(
        self, client: Client, recorder: Recorder, kinds: Iterable[Kind], now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        self._kinds = {(kind.group, kind.version, kind.kind): kind for kind in kinds if kind.plural != "events"}
        self._places: dict[str, _Where] = {}  # of every object, by its uid
        self._dependents: dict[str, set[_Where]] = {}  # by the owner's uid
        self._lost: dict[_Where, set[str]] = {}  # of dependents that still are: uids of owners seen to go

    def watches(self) -> Mapping[str, Mapper]:
        return {CUSTOM: self._changed} | {kind.plural: self._changed for kind in self._kinds.values()}

    def _changed(self, event: Event) -> Iterable[Key]:
        where = _where(event.plural, event.object)
        before, after = _owner_uids(event.old), _owner_uids(event.object) if event.type != "DELETED" else set()
        for uid in before | _owner_uids(event.object):
            self._dependents.setdefault(uid, set()).discard(where)
        for uid in after:
            self._dependents.setdefault(uid, set()).add(where)
        keys = []
        if event.type == "DELETED":
            keys += self._gone(where, event.object)
        else:
            self._places[meta.uid(event.object)] = where
        if after or (event.type != "DELETED" and _is_collecting(event.object)):
            keys.append(_key(where))
        # A dependent that was let go may have been the last one a foreground deletion waits for.
        for ref in meta.owner_references(event.old) if event.old and before - after else ():
            if owner := self._owner(event.object, ref):
                keys.append(_key(owner))
        return keys

    def _gone(self, where: _Where, obj: Obj) -> list[Key]:
        """Its dependents know, even when its kind goes with it and nobody can look it up any more; its owners wait."""
        self._places.pop(meta.uid(obj), None)
        self._lost.pop(where, None)
        dependents = self._dependents.pop(meta.uid(obj), ())
        for dependent in dependents:
            self._lost.setdefault(dependent, set()).add(meta.uid(obj))
        owners = [owner for ref in meta.owner_references(obj) if (owner := self._owner(obj, ref))]
        return [_key(other) for other in (*dependents, *owners)]

    def _owner(self, dependent: Obj, ref: Obj) -> _Where | None:
        """None as well when no such kind is served in that version: what isn't known isn't gone."""
        group, _, version = ref["apiVersion"].rpartition("/")
        if kind := self._kinds.get((group, version, ref["kind"])):
            return _placed(kind.plural, kind, dependent, ref)
        for kind in self.client.custom:
            if (kind.group, kind.version, kind.kind) == (group, version, ref["kind"]):
                return _placed(kind.resource, kind, dependent, ref)
        return None

    def reconcile(self, key: Key) -> None:
        namespace, path = key
        plural, _, name = path.partition("/")
        obj = self._find((plural, namespace, name))
        if obj is None:
            return
        if _is_collecting(obj):
            self._collect(plural, obj)
            obj = self.client.find(plural, namespace, name)
        if obj is not None and meta.owner_references(obj) and not meta.is_terminating(obj):
            self._judge(plural, obj)

    def _find(self, where: _Where) -> Obj | None:
        try:
            return self.client.find(*where)
        except KeyError:
            return None  # of a custom kind that is gone

    def _judge(self, plural: str, obj: Obj) -> None:
        """Delete an object none of whose owners remain; drop references to owners that are gone."""
        solid, gone, leaving = [], [], []
        lost = self._lost.get(_where(plural, obj), ())
        for ref in meta.owner_references(obj):
            owner = self._owner(obj, ref)
            found = self.client.find(*owner) if owner else None
            if ref["uid"] in lost:
                gone.append(ref)
            elif owner is None:
                solid.append(ref)
                self._complain(obj, ref)
            elif found is None or meta.uid(found) != ref["uid"]:
                gone.append(ref)
                self._complain(obj, ref)
            elif FOREGROUND in found["metadata"].get("finalizers", ()) and meta.is_terminating(found):
                leaving.append(ref)
            else:
                solid.append(ref)
        if solid:
            if gone or leaving:
                self._keep_owners(plural, obj, solid)
        elif gone or leaving:
            dependents = self._living(meta.uid(obj))
            if leaving and any(_is_collecting(dependent) for _, dependent in dependents):
                self._unblock(plural, obj)  # or owners in a circle would wait for each other
            self.client.delete(
                plural,
                meta.namespace(obj),
                meta.name(obj),
                uid=meta.uid(obj),
                propagation="Foreground" if leaving and dependents else _propagation(obj),
            )

    def _unblock(self, plural: str, obj: Obj) -> None:
        owners = [{**ref, "blockOwnerDeletion": False} for ref in meta.owner_references(obj)]
        if owners != meta.owner_references(obj):
            self._keep_owners(plural, obj, owners)

    def _complain(self, obj: Obj, ref: Obj) -> None:
        """The owner is there, but where this dependent can't have one."""
        place = self._places.get(ref["uid"])
        if place is None or place[1] in (None, meta.namespace(obj)):
            return
        own = meta.namespace(obj) or ""
        owner = f"[{ref['apiVersion']}/{ref['kind']}, namespace: {own}, name: {ref['name']}, uid: {ref['uid']}]"
        text = f'ownerRef {owner} does not exist in namespace "{own}"'
        self.recorder.event(obj, "Warning", "OwnerRefInvalidNamespace", text)

    def _keep_owners(self, plural: str, obj: Obj, owners: list[Obj]) -> None:
        new = meta.copy(obj)
        new["metadata"]["ownerReferences"] = owners
        if not owners:
            del new["metadata"]["ownerReferences"]
        self.client.update(plural, new)

    def _living(self, uid: str) -> list[tuple[str, Obj]]:
        """(plural, object) of what refers to this owner now."""
        found = []
        for where in sorted(self._dependents.get(uid, ()), key=str):
            obj = self._find(where)
            if obj is not None and uid in _owner_uids(obj):
                found.append((where[0], obj))
        return found

    def _collect(self, plural: str, owner: Obj) -> None:
        """Serve an owner that waits with a finalizer of ours."""
        dependents = self._living(meta.uid(owner))
        finalizers = owner["metadata"]["finalizers"]
        if ORPHAN in finalizers:
            for kind, obj in dependents:
                kept = [ref for ref in meta.owner_references(obj) if ref["uid"] != meta.uid(owner)]
                self._keep_owners(kind, obj, kept)
            self._release(plural, owner, ORPHAN)
            return
        for kind, obj in dependents:
            if not meta.is_terminating(obj):
                self._judge(kind, obj)
        blocking = [
            ref
            for _, obj in self._living(meta.uid(owner))
            for ref in meta.owner_references(obj)
            if ref["uid"] == meta.uid(owner) and ref.get("blockOwnerDeletion")
        ]
        if not blocking:
            self._release(plural, owner, FOREGROUND)

    def _release(self, plural: str, owner: Obj, finalizer: str) -> None:
        current = self.client.find(plural, meta.namespace(owner), meta.name(owner))
        if current is None or meta.uid(current) != meta.uid(owner):
            return
        new = meta.copy(current)
        new["metadata"]["finalizers"] = [one for one in new["metadata"].get("finalizers", []) if one != finalizer]
        if not new["metadata"]["finalizers"]:
            del new["metadata"]["finalizers"]
        self.client.update(plural, new)


def _propagation(obj: Obj) -> Propagation:
    """What the object's own finalizers ask for."""
    finalizers = obj["metadata"].get("finalizers") or ()
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"


def _placed(plural: str, kind: Kind, dependent: Obj, ref: Obj) -> _Where | None:
    """A cluster-scoped object has no namespace in which a namespaced owner could be."""
    namespace = meta.namespace(dependent)
    if kind.namespaced and namespace is None:
        return None
    return plural, namespace if kind.namespaced else None, ref["name"]


def _where(plural: str, obj: Obj) -> _Where:
    return plural, meta.namespace(obj), meta.name(obj)


def _key(where: _Where) -> Key:
    plural, namespace, name = where
    return namespace, f"{plural}/{name}"


def _owner_uids(obj: Obj | None) -> set[str]:
    return {ref["uid"] for ref in meta.owner_references(obj)} if obj else set()


def _is_collecting(obj: Obj) -> bool:
    finalizers = obj["metadata"].get("finalizers") or ()
    return meta.is_terminating(obj) and (FOREGROUND in finalizers or ORPHAN in finalizers)
