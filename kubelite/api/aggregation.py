"""Aggregated API servers: groups that are served by a Service of the cluster, as its APIService says.

After kube-aggregator: a request is handed on with the user's name in headers, which the other server believes because
the front proxy's certificate comes with them. What it serves is asked for when its availability is looked at, and
becomes part of discovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from aiohttp import web

from kubelite.api.authn import User
from kubelite.api.callout import Unreachable, destination, trust
from kubelite.api.discovery import aggregated_resources
from kubelite.errors import StatusError, service_unavailable
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.streams.proxy import Location, serve_proxy

USER_HEADER, GROUP_HEADER, EXTRA_PREFIX = "X-Remote-User", "X-Remote-Group", "X-Remote-Extra-"
_IN_NAMES = "!#$&'*+-.^_`|~"  # of headers, beside letters and digits
_CHECK_SECONDS = 5


class Aggregation:
    """`shown` are the files of the front proxy's certificate and key."""

    def __init__(self, registry: Registry, shown: tuple[Path, Path]) -> None:
        self._registry = registry
        self._shown = shown
        self._served: dict[str, list[dict[str, Any]]] = {}  # an APIService's uid -> APIResources

    def find(self, group: str, version: str) -> Obj | None:
        """The APIService of what another server answers."""
        found = self._registry.find("apiservices", None, f"{version}.{group}")
        return found if found and found["spec"].get("service") else None

    async def serve(self, request: web.Request, service: Obj, user: User) -> web.StreamResponse:
        try:
            location = self._location(service, user)
        except Unreachable as error:
            raise service_unavailable(str(error)) from error
        return await serve_proxy(request, location, "", request.rel_url.raw_path)

    def _location(self, service: Obj, user: User) -> Location:
        spec = service["spec"]
        to = destination(self._registry, spec)
        host, _, port = to.address.rpartition(":")
        headers = [(USER_HEADER, user.name), *((GROUP_HEADER, group) for group in user.groups)]
        headers += [
            (EXTRA_PREFIX + quote(key, safe=_IN_NAMES), value) for key, values in user.extra.items() for value in values
        ]
        context = trust(spec.get("caBundle") or "", anybody=bool(spec.get("insecureSkipTLSVerify")), shown=self._shown)
        hidden = (USER_HEADER.lower(), GROUP_HEADER.lower(), EXTRA_PREFIX.lower())
        return Location("https", host, int(port), context, to.server_name, headers, hidden)

    # what is there

    async def check(self, service: Obj) -> tuple[str, str, str]:
        """Status, reason and message of its condition Available."""
        spec = service["spec"]
        remote, path = spec["service"], f"/apis/{spec['group']}/{spec['version']}"
        where = f'in "{remote["namespace"]}"'
        if self._registry.find("services", remote["namespace"], remote["name"]) is None:
            return "False", "ServiceNotFound", f"service/{remote['name']} {where} is not present"
        try:
            location = self._location(service, User("system:kube-aggregator", ("system:masters",)))
        except (Unreachable, StatusError):
            return "False", "MissingEndpoints", f"endpoints for service/{remote['name']} {where} have no addresses"
        try:
            self._served[meta.uid(service)] = await _resources(location, path)
        except (OSError, TimeoutError, aiohttp.ClientError, msgspec.DecodeError, KeyError, TypeError) as error:
            url = f"https://{location.authority}{path}"
            return "False", "FailedDiscoveryCheck", f"failing or missing response from {url}: {error or 'timeout'}"
        return "True", "Passed", "all checks passed"

    def _available(self) -> Iterator[Obj]:
        for service in self._registry.list("apiservices"):
            conditions = (service.get("status") or {}).get("conditions")
            if service["spec"].get("service") and meta.condition_is_true(conditions, "Available"):
                yield service

    def _by_group(self) -> list[tuple[str, list[Obj]]]:
        """The APIServices of each group, those of better versions first."""
        found: dict[str, list[Obj]] = {}
        for service in sorted(self._available(), key=lambda one: -one["spec"]["versionPriority"]):
            found.setdefault(service["spec"]["group"], []).append(service)
        return sorted(found.items())

    def groups(self) -> list[dict[str, Any]]:
        """APIGroups."""
        return [_group(name, services) for name, services in self._by_group()]

    def group(self, name: str) -> dict[str, Any] | None:
        """An APIGroup as a document of its own."""
        services = dict(self._by_group()).get(name)
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, services)} if services else None

    def discovered(self) -> list[dict[str, Any]]:
        """APIGroupDiscoveries."""
        return [
            {
                "metadata": {"name": name, "creationTimestamp": None},
                "versions": [self._version(one) for one in services],
            }
            for name, services in self._by_group()
        ]

    def _version(self, service: Obj) -> dict[str, Any]:
        group, version = service["spec"]["group"], service["spec"]["version"]
        resources = aggregated_resources(group, version, self._served.get(meta.uid(service), []))
        return {"version": version, "resources": resources, "freshness": "Current"}


def _group(name: str, services: list[Obj]) -> dict[str, Any]:
    versions = [service["spec"]["version"] for service in services]
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


async def _resources(location: Location, path: str) -> list[dict[str, Any]]:
    async with (
        asyncio.timeout(_CHECK_SECONDS),
        aiohttp.ClientSession() as session,
        session.get(
            f"https://{location.authority}{path}",
            headers=dict(location.headers),
            ssl=location.context or False,
            server_hostname=location.server_name,
        ) as answer,
    ):
        answer.raise_for_status()
        resources: list[dict[str, Any]] = msgspec.json.decode(await answer.read())["resources"]
        return resources
