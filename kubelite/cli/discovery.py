"""Which resource serves a kind, and under which path: asked of the server, so that it is never out of date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kubelite.cli.client import ApiError, Client, Obj


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one group version."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    names: tuple[str, ...]

    def path(self, namespace: str, name: str = "") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")

    def shown(self, name: str) -> str:
        """`service/web`, `statefulset.apps/web`."""
        return f"{self.kind.lower()}{'.' if self.group else ''}{self.group}/{name}"


@dataclass(slots=True)
class Discovery:
    """Answers are kept: a command asks for each group version once."""

    client: Client
    _known: dict[str, list[Resource]] = field(default_factory=dict)

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((found for found in self.group_version(api_version) if found.kind == kind), None)

    def by_name(self, name: str) -> Resource | None:
        """`pods`, `pod`, `po`, `statefulsets.apps`."""
        resource, _, group = name.lower().partition(".")
        found = (one for version in self._versions() for one in self.group_version(version))
        return next((one for one in found if resource in one.names and group in ("", one.group)), None)

    def group_version(self, api_version: str) -> list[Resource]:
        if api_version not in self._known:
            self._known[api_version] = list(self._ask(api_version))
        return self._known[api_version]

    def _versions(self) -> Iterator[str]:
        yield "v1"
        for group in self.client.get("/apis")["groups"]:
            yield group["preferredVersion"]["groupVersion"]

    def _ask(self, api_version: str) -> Iterator[Resource]:
        group, _, version = api_version.rpartition("/")
        try:
            answer = self.client.get(f"/apis/{api_version}" if group else f"/api/{version}")
        except ApiError as error:
            if error.code == 404:
                return
            raise
        for entry in answer["resources"]:
            if "/" not in entry["name"]:
                yield _resource(group, version, entry)


def _resource(group: str, version: str, entry: Obj) -> Resource:
    names = (entry["name"], entry.get("singularName", ""), *(entry.get("shortNames") or ()))
    return Resource(group, version, entry["kind"], entry["name"], entry["namespaced"], tuple(filter(None, names)))
