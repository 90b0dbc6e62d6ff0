"""What a write demands of the objects that are there already, each as upstream's refusal. Pure; used by the registry.

After apiserver's `registry/rest` and `registry/generic/registry`, and the NamespaceLifecycle admission.
"""

from __future__ import annotations

from kubelite import errors
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind

_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


def namespace_of(kind: Kind, asked: str | None, metadata: Obj) -> str | None:
    """Where an object goes: what it says itself must be what the request says."""
    if not kind.namespaced:
        return None
    own = metadata.get("namespace")
    if own and asked and own != asked:
        raise errors.bad_request(_OTHER_NAMESPACE)
    return asked or own or "default"


def unversioned(metadata: Obj) -> None:
    if metadata.get("resourceVersion") not in (None, "", "0"):
        raise errors.bad_request("resourceVersion should not be set on objects to be created")


def open_namespace(kind: Kind, metadata: Obj, namespace: Obj | None) -> None:
    """Something new needs a namespace that stays; events tell of its end."""
    name = metadata["namespace"]
    if namespace is None:
        raise errors.not_found("namespaces", name)
    if not meta.is_terminating(namespace) or kind.plural == "events":
        return
    why = f"unable to create new content in namespace {name} because it is being terminated"
    error = errors.forbidden(kind.plural, metadata.get("name", ""), why, kind.group)
    message = f"namespace {name} is being terminated"
    error.details["causes"] = [{"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}]
    raise error


def absent(kind: Kind, there: Obj | None) -> None:
    if there is None:
        return
    error = errors.already_exists(kind.plural, meta.name(there), kind.group)
    if meta.is_terminating(there):
        error.message = f"object is being deleted: {error.message}"
    raise error


def of_apply(kind: Kind, config: Obj) -> None:
    """Who names a uid means an object that is there."""
    if uid := meta.uid(config):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise errors.conflict(kind.plural, meta.name(config), why, kind.group)


def of_update(kind: Kind, old: Obj, wanted: Obj) -> None:
    """`wanted` is the metadata of an update."""
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    why = ""
    if uid and uid != meta.uid(old):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta.uid(old)}"
    elif version not in (None, "", "0", old["metadata"]["resourceVersion"]):
        why = _MODIFIED
    if why:
        raise errors.conflict(kind.plural, meta.name(old), why, kind.group)


def of_deletion(kind: Kind, old: Obj, uid: str | None, version: str | None) -> None:
    current = old["metadata"]["resourceVersion"]
    why = ""
    if uid and uid != meta.uid(old):
        why = f"the UID in the precondition ({uid}) does not match the UID in record ({meta.uid(old)}). "
    elif version and version != current:
        why = f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
        why += f"({current}). "
    if why:
        why += "The object might have been deleted and then recreated"
        raise errors.conflict(kind.plural, meta.name(old), why, kind.group)


def of_binding(pod: Obj) -> None:
    name, spec = meta.name(pod), pod["spec"]
    why = ""
    if spec.get("nodeName"):
        why = f'pod {name} is already assigned to node "{spec["nodeName"]}"'
    elif spec.get("schedulingGates"):
        why = f"pod {name} has non-empty .spec.schedulingGates"
    elif meta.is_terminating(pod):
        why = f"pod {name} is being deleted, cannot be assigned to a host"
    if why:
        raise errors.conflict("pods/binding", name, why)
