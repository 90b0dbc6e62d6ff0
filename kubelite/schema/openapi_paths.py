"""The HTTP operations of served resources, from which both OpenAPI documents are rendered.

Paths, operation ids, actions and group-version-kinds are upstream's: kubectl and generated clients look them up.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kubelite.schema.model import definition_for, schemas

GVK = tuple[str, str, str]
Schema = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
DELETE_OPTIONS = META + "DeleteOptions"
PATCH = META + "Patch"
STATUS = META + "Status"
BODY_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
ANSWER_TYPES = ("application/json",)

_STRINGS = {"continue", "fieldSelector", "labelSelector", "resourceVersion", "resourceVersionMatch", "dryRun"}
_STRINGS |= {"fieldManager", "fieldValidation", "propagationPolicy", "pretty"}
_INTEGERS = {"limit", "timeoutSeconds", "gracePeriodSeconds"}
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_SELECT = ("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch")
_LIST = ("allowWatchBookmarks", *_SELECT, "sendInitialEvents", "timeoutSeconds", "watch")


class Served(Protocol):
    """What is asked of a served resource; the registry's Kind is one."""

    @property
    def group(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def namespaced(self) -> bool: ...
    @property
    def subresources(self) -> Collection[str]: ...
    @property
    def verbs(self) -> Collection[str]: ...
    @property
    def definitions(self) -> Mapping[str, Schema]:
        """Of the resource itself and of its lists, by name; empty when they are built in."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a path. `body` and `result` are names of definitions, or empty."""

    method: str
    action: str
    id: str
    target: GVK
    query: tuple[str, ...] = ()
    body: str = ""
    result: str = ""

    @property
    def body_types(self) -> tuple[str, ...]:
        return PATCH_TYPES if self.action == "patch" else BODY_TYPES

    @property
    def codes(self) -> tuple[str, ...]:
        created = self.action in ("post", "put", "patch")
        return ("200", "201") if created else ("200",)


@dataclass(frozen=True, slots=True)
class ServedPath:
    template: str
    operations: tuple[Operation, ...]
    parameters: tuple[str, ...] = field(default=())  # in the template


def group_version_path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def query_type(name: str) -> str:
    return "string" if name in _STRINGS else "integer" if name in _INTEGERS else "boolean"


def paths(resource: Served) -> list[ServedPath]:
    """Collection, item and subresource paths of one resource, without those that no verb serves."""
    root = "/" + group_version_path(resource.group, resource.version)
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{root}{scope}/{resource.plural}"
    found = [_path(collection, _collection(resource)), _path(collection + "/{name}", _item(resource))]
    if resource.namespaced:
        found.append(_path(f"{root}/{resource.plural}", _all_namespaces(resource)))
    for name in sorted(resource.subresources):
        found.append(_path(f"{collection}/{{name}}/{name}", _subresource(resource, name)))
    return [path for path in found if path.operations]


def _path(template: str, operations: Iterable[Operation]) -> ServedPath:
    names = [name for name in ("name", "namespace") if f"{{{name}}}" in template]
    return ServedPath(template, tuple(operations), tuple(names))


def _gvk(resource: Served) -> GVK:
    return resource.group, resource.version, resource.kind


def _names(resource: Served) -> tuple[str, str]:
    """The definitions of the resource and of its lists; empty where there is none."""
    if resource.definitions:
        own, listed = resource.definitions
        return own, listed
    name = _name(_gvk(resource))
    return name, f"{name}List" if f"{name}List" in schemas() else ""


def _name(gvk: GVK) -> str:
    found = definition_for(*gvk)
    return found.name if found else ""


def _id(verb: str, resource: Served, suffix: str = "") -> str:
    group = "".join(part.capitalize() for part in (resource.group.removesuffix(".k8s.io") or "core").split("."))
    scope = "Namespaced" if resource.namespaced and suffix != "ForAllNamespaces" else ""
    return f"{verb}{group}{resource.version.capitalize()}{scope}{resource.kind}{suffix}"


def _collection(resource: Served) -> Iterator[Operation]:
    gvk, (name, listed) = _gvk(resource), _names(resource)
    if "list" in resource.verbs:
        yield Operation("get", "list", _id("list", resource), gvk, _LIST, result=listed)
    if "create" in resource.verbs:
        yield Operation("post", "post", _id("create", resource), gvk, _WRITE, name, name)
    if "deletecollection" in resource.verbs:
        query = (*_SELECT, *_DELETE)
        id_ = _id("deleteCollection", resource)
        yield Operation("delete", "deletecollection", id_, gvk, query, DELETE_OPTIONS, STATUS)


def _all_namespaces(resource: Served) -> Iterator[Operation]:
    if "list" in resource.verbs:
        id_ = _id("list", resource, "ForAllNamespaces")
        yield Operation("get", "list", id_, _gvk(resource), _LIST, result=_names(resource)[1])


def _item(resource: Served) -> Iterator[Operation]:
    gvk, name = _gvk(resource), _names(resource)[0]
    yield from _read_and_write(resource, gvk, "", {"get", "update", "patch"} & set(resource.verbs))
    if "delete" in resource.verbs:
        yield Operation("delete", "delete", _id("delete", resource), gvk, _DELETE, DELETE_OPTIONS, name or STATUS)


def _read_and_write(resource: Served, gvk: GVK, suffix: str, verbs: Collection[str]) -> Iterator[Operation]:
    name = _names(resource)[0] if gvk == _gvk(resource) else _name(gvk)
    if "get" in verbs:
        yield Operation("get", "get", _id("read", resource, suffix), gvk, ("pretty",), result=name)
    if "update" in verbs:
        yield Operation("put", "put", _id("replace", resource, suffix), gvk, _WRITE, name, name)
    if "patch" in verbs:
        yield Operation("patch", "patch", _id("patch", resource, suffix), gvk, (*_WRITE, "force"), PATCH, name)


_SCALE: GVK = ("autoscaling", "v1", "Scale")
_POSTED: dict[str, GVK] = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
_CONNECTED: dict[str, GVK] = {
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}


def _subresource(resource: Served, name: str) -> Iterator[Operation]:
    suffix = name.capitalize()
    if gvk := _POSTED.get(name):
        body = _name(gvk)
        yield Operation("post", "post", _id("create", resource, suffix), gvk, _WRITE, body, body)
    elif gvk := _CONNECTED.get(name):
        for method in ("get", "post"):
            yield Operation(method, "connect", _id(f"connect{method.capitalize()}", resource, suffix), gvk)
    elif name == "proxy":
        for method in ("get", "post", "put", "patch", "delete"):
            id_ = _id(f"connect{method.capitalize()}", resource, suffix)
            yield Operation(method, "connect", id_, ("", "v1", f"{resource.kind}ProxyOptions"))
    elif name == "log":
        yield Operation("get", "get", _id("read", resource, suffix), _gvk(resource))
    else:
        gvk = _SCALE if name == "scale" else _gvk(resource)
        verbs = ("update",) if name == "finalize" else ("get", "update", "patch")
        yield from _read_and_write(resource, gvk, suffix, verbs)


def all_definitions(resources: Iterable[Served]) -> Mapping[str, Schema]:
    """The built-in ones and those that resources bring themselves."""
    return ChainMap(*(dict(resource.definitions) for resource in resources if resource.definitions), schemas())


def reachable(found: Iterable[ServedPath], known: Mapping[str, Schema]) -> list[str]:
    """The definitions that these operations name, and those that they refer to, sorted."""
    operations = [operation for path in found for operation in path.operations]
    pending = {name for operation in operations for name in (operation.body, operation.result) if name}
    pending.add(STATUS)
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        seen.add(name)
        pending |= set(_references(known[name])) - seen
    return sorted(seen)


def _references(schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield schema["$ref"]
    for inner in schema.get("properties", {}).values():
        yield from _references(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _references(schema[key])
