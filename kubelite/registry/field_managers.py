"""`metadata.managedFields`: who owns which fields of an object that is server-side applied. Called by the registry.

Ownership of what clients create is tracked from its creation, of what the control plane creates (upstream: that too)
from its first server-side apply on: it costs time and space, and without an apply nobody can conflict. What was there
before belongs, then, to `before-first-apply`, and what client-side apply remembered to `kubectl-client-side-apply`,
from which kubectl takes it over as from upstream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from kubelite import errors
from kubelite.errors import StatusError
from kubelite.objects import field_sets, meta, patch_apply
from kubelite.objects.field_sets import FieldSet, Path
from kubelite.objects.meta import Obj
from kubelite.objects.patch_apply import LEAF, Conflicts, Ignored, Malformed, Manager, Managers, Shape
from kubelite.registry.kind import Kind
from kubelite.schema.model import definition_for

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_BEFORE = "before-first-apply"
_CLIENT_SIDE = "kubectl-client-side-apply"
_KUBECTL = "kubectl"

_NOBODYS: frozenset[Path] = frozenset({("f:apiVersion",), ("f:kind",), ("f:metadata",)}) | {
    ("f:metadata", f"f:{name}")
    for name in (
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
    )
}


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a field manager's name, and the subresource it goes through."""

    name: str = "kubelite"
    subresource: str = ""

    def manager(self, kind: Kind) -> Manager:
        return Manager(self.name, "Update", kind.api_version, self.subresource)

    @property
    def applier(self) -> Manager:
        return Manager(self.name, "Apply", "", self.subresource)


@dataclass(frozen=True, slots=True)
class Owners:
    """The decoded entries; times as they are written."""

    managers: Managers
    times: Mapping[Manager, str]
    versions: Mapping[Manager, str]  # of appliers, whose identity has none


def decode(entries: Sequence[Obj]) -> Owners:
    """422-worthy nonsense is dropped: who writes managedFields by hand answers for it."""
    managers: dict[Manager, FieldSet] = {}
    times, versions = {}, {}
    for entry in entries:
        applies = entry.get("operation") == "Apply"
        manager = Manager(
            entry.get("manager", ""),
            "Apply" if applies else "Update",
            "" if applies else entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        managers[manager] = field_sets.decode(entry.get("fieldsV1") or {})
        times[manager], versions[manager] = entry.get("time", ""), entry.get("apiVersion", "")
    return Owners(managers, times, versions)


def encode(managers: Managers, before: Owners, writer: Manager, version: str, now: datetime) -> list[Obj]:
    """The writer's entry is of now; appliers come first, then the others in the order of their writing."""
    entries = []
    for manager, fields in managers.items():
        entry: Obj = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": version if manager == writer else manager.version or before.versions.get(manager, version),
            "time": before.times.get(manager) or meta.format_time(now),
            "fieldsType": "FieldsV1",
            "fieldsV1": field_sets.encode(fields),
        }
        if manager == writer:
            entry["time"] = meta.format_time(now)
        entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    return sorted(entries, key=lambda entry: (entry["operation"], entry["time"], entry["manager"]))


def shape_of(kind: Kind) -> Shape:
    if kind.structural is not None:
        return kind.structural.shape
    found = definition_for(kind.group, kind.version, kind.kind)
    return found.shape if found else LEAF


def _ignored(kind: Kind, subresource: str) -> Ignored:
    """Identity is nobody's, and a path that leaves a part of the object alone says nothing about it."""
    apart = "f:status" if "status" in kind.subresources and subresource != "status" else ""
    if subresource == "status":
        apart = "f:spec"
    return lambda path: path in _NOBODYS or path[0] == apart


def component(kind: Kind) -> str:
    """What upstream calls the part of the control plane that writes objects of this kind."""
    if kind.plural in ("pods", "nodes", "leases"):
        return "kubelet"
    return "kube-apiserver" if kind.group == "apiextensions.k8s.io" else "kube-controller-manager"


def created(kind: Kind, obj: Obj, writer: Writer, now: datetime) -> list[Obj]:
    """The managedFields of a new object: all of it is its creator's."""
    manager, ignored = writer.manager(kind), _ignored(kind, "")
    try:
        found = patch_apply.compare({}, _plain(obj), shape_of(kind)).added
    except Malformed:
        return []
    fields = frozenset(path for path in found if not ignored(path))
    return encode({manager: fields}, Owners({}, {}, {}), manager, kind.api_version, now) if fields else []


def tracked(kind: Kind, old: Obj, new: Obj, given: Sequence[Obj] | None, writer: Writer, now: datetime) -> None:
    """Bring `new`'s managedFields up to date; `given` are those that the client itself wrote, if it did."""
    if given == [{}]:
        new["metadata"].pop("managedFields", None)  # the client wants to begin afresh
        return
    entries = given if given and _readable(given) else old["metadata"].get("managedFields")
    if not entries:
        return
    before, manager = decode(entries), writer.manager(kind)
    try:
        after = patch_apply.update(
            _plain(old),
            _plain(new),
            shape_of(kind),
            before.managers,
            manager,
            ignored=_ignored(kind, writer.subresource),
        )
    except Malformed:
        after = before.managers
    if after == before.managers:
        new["metadata"]["managedFields"] = list(entries)
    elif after:
        touched = manager if after.get(manager) != before.managers.get(manager) else Manager("", "Update")
        new["metadata"]["managedFields"] = encode(after, before, touched, kind.api_version, now)


def _readable(entries: Sequence[Obj]) -> bool:
    """What a client wrote wrongly is as if it hadn't written it."""
    return all(
        entry.get("operation") in ("Apply", "Update")
        and entry.get("apiVersion")
        and entry.get("fieldsType") == "FieldsV1"
        for entry in entries
    )


def _plain(obj: Obj) -> Obj:
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def applied(
    kind: Kind, live: Obj | None, config: Obj, writer: Writer, now: datetime, *, force: bool
) -> tuple[Obj, list[Obj]]:
    """The object as the applier wants it, and its managedFields. Raises 409 for conflicts, 500 for what can't merge."""
    shape, manager, ignored = shape_of(kind), writer.applier, _ignored(kind, writer.subresource)
    before = Owners({}, {}, {})
    try:
        if live is not None:
            before = _owners(kind, live, shape, ignored, now)
        plain = _plain(live) if live is not None else {}
        force = force or _conflicts_only_with_itself(plain, config, shape, before.managers, manager, ignored)
        new, managers = patch_apply.apply(plain, config, shape, before.managers, manager, force=force, ignored=ignored)
    except Malformed as fault:
        raise StatusError(500, "", f"failed to create typed patch object ({_title(kind, config)}): {fault}") from None
    except Conflicts as conflicts:
        raise _conflict(conflicts, before) from None
    if writer.name == _KUBECTL and new.get("metadata", {}).get("annotations", {}).get(LAST_APPLIED):
        new = _remembering(new, config)
    if live is not None and managers == before.managers and new == plain:
        return new, list(live["metadata"].get("managedFields") or ())
    return new, encode(managers, before, manager, kind.api_version, now)


def _remembering(obj: Obj, config: Obj) -> Obj:
    """Whoever goes back to client-side apply finds what was applied last."""
    metadata = obj["metadata"]
    text = msgspec.json.encode(config, order="sorted").decode() + "\n"
    return {**obj, "metadata": {**metadata, "annotations": {**metadata["annotations"], LAST_APPLIED: text}}}


def _owners(kind: Kind, live: Obj, shape: Shape, ignored: Ignored, now: datetime) -> Owners:
    if entries := live["metadata"].get("managedFields"):
        return decode(entries)
    everything = frozenset(p for p in patch_apply.compare({}, _plain(live), shape).added if not ignored(p))
    client_side = _last_applied(live, shape)
    annotation = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
    client_side = everything & field_sets.with_parents(client_side | {annotation}) if client_side else frozenset()
    owned = {
        Manager(_CLIENT_SIDE, "Update", kind.api_version): client_side,
        Manager(_BEFORE, "Update", kind.api_version): everything - client_side,
    }
    managers = {manager: fields for manager, fields in owned.items() if fields}
    return Owners(managers, {manager: meta.format_time(now) for manager in managers}, {})


def _last_applied(live: Obj, shape: Shape) -> FieldSet:
    """The fields that client-side apply put there and that still are as it put them."""
    text = meta.annotations(live).get(LAST_APPLIED)
    try:
        config = msgspec.json.decode(text, type=dict) if text else {}
        if config.get("apiVersion") != live["apiVersion"]:
            return frozenset()
        found = patch_apply.compare(config, _plain(live), shape)
        return patch_apply.field_set(config, shape) - found.modified - found.added - found.removed
    except (msgspec.DecodeError, Malformed):
        return frozenset()


def _conflicts_only_with_itself(
    live: Obj, config: Obj, shape: Shape, managers: Managers, manager: Manager, ignored: Ignored
) -> bool:
    """kubectl takes over from client-side apply without asking: what that remembers is kubectl's own."""
    if manager.name != _KUBECTL or "metadata" not in live or LAST_APPLIED not in meta.annotations(live):
        return False
    try:
        patch_apply.apply(live, config, shape, managers, manager, force=False, ignored=ignored)
    except Conflicts as conflicts:
        return {path for _, path in conflicts.fields} <= _last_applied(live, shape)
    return False


def _conflict(conflicts: Conflicts, owners: Owners) -> StatusError:
    named: dict[str, list[str]] = {}
    causes = []
    for manager, path in conflicts.fields:
        who, shown = _name(manager, owners), field_sets.show(path)
        named.setdefault(who, []).append(shown)
        causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": shown})
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [line for who in sorted(named) for line in (f"conflicts with {who}:", *(f"- {p}" for p in named[who]))]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return StatusError(409, "Conflict", message, {"causes": causes})


def _name(manager: Manager, owners: Owners) -> str:
    who = f'"{manager.name}"'
    if manager.subresource:
        who += f' with subresource "{manager.subresource}"'
    return f"{who} using {manager.version}" if manager.operation == "Update" else who


def _title(kind: Kind, config: Obj) -> str:
    where = f"{meta.namespace(config) or ''}/{meta.name(config)}"
    return f"{where}; {kind.api_version}, Kind={kind.kind}"


def not_typed(kind: Kind, config: Obj, faults: Sequence[str]) -> StatusError:
    """Upstream's bare 500 for a configuration that doesn't fit the schema."""
    listed = faults[0] if len(faults) == 1 else "errors:\n" + "\n".join(f"  {fault}" for fault in faults)
    return errors.StatusError(500, "", f"failed to create typed patch object ({_title(kind, config)}): {listed}")
