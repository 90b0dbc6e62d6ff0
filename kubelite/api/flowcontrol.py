"""Which FlowSchema and priority level a request belongs to: told in its answer's headers, and in `/metrics`.

After apiserver's `util/flowcontrol` (rule.go) and `server/filters/priority-and-fairness`. Requests are answered at
once here: no level ever makes one wait.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from kubelite.api.authn import ACCOUNT, USER, User
from kubelite.api.path import split, split_namespace
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry

SEATS = 600  # upstream's defaults of max-requests-inflight and max-mutating-requests-inflight
_SCHEMA_HEADER, _LEVEL_HEADER = "X-Kubernetes-PF-FlowSchema-UID", "X-Kubernetes-PF-PriorityLevel-UID"
_REMEMBERED = 1000
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the rules see it: of a resource (with its subresource), or of another path."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    path: str = ""

    @classmethod
    def of(cls, method: str, path: str, *, watching: bool = False) -> Asked:
        found = split(path)
        if found is None:
            return cls(method.lower(), path=path)
        group, _, rest = found
        if rest[0] == "watch" and len(rest) > 1:
            watching, rest = True, rest[1:]
        within, rest = split_namespace(group, rest)
        namespace = within or (rest[1] if rest[0] == "namespaces" and len(rest) > 1 else "")
        resource = "/".join([rest[0], *rest[2:3]])
        return cls(_verb(method, named=len(rest) > 1, watching=watching), group, resource, namespace)


def _verb(method: str, *, named: bool, watching: bool) -> str:
    if method in ("GET", "HEAD"):
        return "watch" if watching else "get" if named else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return _VERBS.get(method, "")


def chosen(schemas: Iterable[Obj], asked: Asked, user: User) -> Obj | None:
    """The schema of the lowest precedence that matches."""
    ordered = sorted(schemas, key=lambda schema: (schema["spec"]["matchingPrecedence"], meta.name(schema)))
    return next((schema for schema in ordered if _matches(schema["spec"].get("rules") or (), asked, user)), None)


def _matches(policies: Sequence[Obj], asked: Asked, user: User) -> bool:
    for policy in policies:
        if any(_is_subject(subject, user) for subject in policy["subjects"]):
            if asked.path and any(_allows_path(rule, asked) for rule in policy.get("nonResourceRules") or ()):
                return True
            if not asked.path and any(_allows_resource(rule, asked) for rule in policy.get("resourceRules") or ()):
                return True
    return False


def _is_subject(subject: Obj, user: User) -> bool:
    match subject["kind"]:
        case "User":
            return subject["user"]["name"] in ("*", user.name)
        case "Group":
            return subject["group"]["name"] == "*" or subject["group"]["name"] in user.groups
        case _:
            account = subject["serviceAccount"]
            if account["name"] == "*":
                return user.name.startswith(f"{ACCOUNT}{account['namespace']}:")
            return user.name == f"{ACCOUNT}{account['namespace']}:{account['name']}"


def _has(wanted: str, listed: Collection[str]) -> bool:
    return "*" in listed or wanted in listed


def _allows_resource(rule: Obj, asked: Asked) -> bool:
    if not (_has(asked.verb, rule["verbs"]) and _has(asked.group, rule["apiGroups"])):
        return False
    if not _has(asked.resource, rule["resources"]):
        return False
    return _has(asked.namespace, rule.get("namespaces") or ()) if asked.namespace else bool(rule.get("clusterScope"))


def _allows_path(rule: Obj, asked: Asked) -> bool:
    return _has(asked.verb, rule["verbs"]) and any(
        url in ("*", asked.path) or (url.endswith("/*") and asked.path.startswith(url[:-1]))
        for url in rule["nonResourceURLs"]
    )


def seats(levels: Iterable[Obj]) -> dict[str, int]:
    """What each level has of the server, by its shares."""
    shares = {meta.name(level): _shares(level["spec"]) for level in levels}
    total = sum(shares.values()) or 1
    return {name: math.ceil(SEATS * share / total) for name, share in shares.items()}


def _shares(spec: Obj) -> int:
    return int((spec.get("limited") or spec.get("exempt") or {}).get("nominalConcurrencyShares", 0))


class Flows:
    """`mark` sets the headers of an answer; what it found is remembered until a schema or level changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._resources = [registry.kind(plural).resource for plural in ("flowschemas", "prioritylevelconfigurations")]
        self._seen: tuple[int, ...] = ()
        self._found: dict[tuple[Asked, str, tuple[str, ...]], Mapping[str, str]] = {}

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        user = request.get(USER)
        if user is not None:
            response.headers.update(self._headers(request, user))

    def _headers(self, request: web.Request, user: User) -> Mapping[str, str]:
        version = tuple(one.revision for resource in self._resources for one in self._registry.store.list(resource))
        if version != self._seen or len(self._found) > _REMEMBERED:
            self._seen, self._found = version, {}
        asked = Asked.of(request.method, request.path, watching=request.query.get("watch") in ("1", "true"))
        key = (asked, user.name, user.groups)
        if key not in self._found:
            self._found[key] = self._told(asked, user)
        return self._found[key]

    def _told(self, asked: Asked, user: User) -> Mapping[str, str]:
        """Schemas without a level count for nothing."""
        levels = {meta.name(level): meta.uid(level) for level in self._registry.list("prioritylevelconfigurations")}
        schemas = [one for one in self._registry.list("flowschemas") if _level(one) in levels]
        schema = chosen(schemas, asked, user)
        return {_SCHEMA_HEADER: meta.uid(schema), _LEVEL_HEADER: levels[_level(schema)]} if schema else {}


def _level(schema: Obj) -> str:
    return str(schema["spec"]["priorityLevelConfiguration"]["name"])
