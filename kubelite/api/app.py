"""The aiohttp application: routes, the error edge, authentication, and which handler serves which verb."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from kubelite import errors
from kubelite.api import discovery
from kubelite.api.aggregation import Aggregation
from kubelite.api.answer import Answer, send, send_error, warn
from kubelite.api.authn import USER, Authenticator
from kubelite.api.connect import connecting
from kubelite.api.discovery import Discovery
from kubelite.api.flowcontrol import Flows
from kubelite.api.health import PATHS as HEALTH
from kubelite.api.health import Check, Health
from kubelite.api.metrics import PREFIX as METRICS
from kubelite.api.metrics import Metrics
from kubelite.api.negotiation import discovery_form
from kubelite.api.openapi import OpenApi
from kubelite.api.options import check_timeout, is_true
from kubelite.api.path import Target, parse, split
from kubelite.api.pods import Pods
from kubelite.api.proxied import Proxied
from kubelite.api.resources import Resources
from kubelite.api.reviews import Reviews
from kubelite.api.subresources import Subresources
from kubelite.api.telemetry import Telemetry
from kubelite.api.tokenrequest import TokenRequests
from kubelite.api.watch import Watches
from kubelite.objects.meta import Obj
from kubelite.objects.usage import Meter
from kubelite.registry.kind import Kind
from kubelite.registry.registry import Registry
from kubelite.registry.webhook_review import Caller, Pending, Review, reviewed
from kubelite.tokens import TokenAuthority

log = logging.getLogger(__name__)

MAX_BODY = 3 * 1024 * 1024  # upstream's limit for resource requests
Verb = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]

_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OPEN = (*HEALTH, "/version")
_CACHED = {"Cache-Control": "public, max-age=3600"}


@web.middleware
async def _status_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever fails is answered as a Status."""
    try:
        return await handler(request)
    except errors.StatusError as error:
        return send_error(error)
    except web.HTTPRequestEntityTooLarge:
        message = f"Request entity too large: limit is {MAX_BODY}"
        return send_error(errors.StatusError(413, "RequestEntityTooLarge", message))
    except web.HTTPNotFound:
        return send_error(errors.page_not_found())
    except web.HTTPMethodNotAllowed:
        return send_error(errors.method_not_allowed())
    except (ConnectionResetError, web.HTTPException):
        raise
    except Exception as error:
        log.exception("%s %s failed", request.method, request.path)
        return send_error(errors.internal_error(str(error)))


class Served:
    """What is made from the kinds served."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        self.table = {(kind.group, kind.version, kind.plural): kind for kind in kinds}
        self.discovery = Discovery(kinds)
        self.openapi = OpenApi(kinds)


class Api:
    """Everything behind the port; `ready` are the checks of /readyz by name."""

    def __init__(
        self,
        registry: Registry,
        tokens: TokenAuthority,
        pods: Pods,
        usages: Meter,
        ready: Mapping[str, Check],
        address: str,
        webhooks: Caller,
        aggregation: Aggregation,
    ) -> None:
        self._registry = registry
        self._webhooks = webhooks
        self._aggregation = aggregation
        self._authenticator = Authenticator(registry, tokens)
        self._built = Served(registry.kinds)
        self._reviews = Reviews(self._authenticator)
        self._tokens = tokens
        self._metrics = Metrics(registry, usages)
        self._health = Health(ready)
        self._telemetry = Telemetry(registry)
        self._flows = Flows(registry)
        self._address = address
        resources, watches = Resources(registry), Watches(registry)
        self._collection: dict[str, Verb] = {
            "GET": resources.list,
            "POST": resources.create,
            "DELETE": resources.delete_collection,
        }
        self._watch: Verb = watches.watch
        self._object: dict[str, Verb] = {
            "GET": resources.get,
            "PUT": resources.update,
            "PATCH": resources.patch,
            "DELETE": resources.delete,
        }
        self._subresources = _subresource_verbs(registry, tokens, resources, pods, usages)

    @property
    def _served(self) -> Served:
        """What is served now: definitions of custom resources come and go."""
        if self._built.kinds is not self._registry.kinds:
            self._built = Served(self._registry.kinds)
        return self._built

    def application(self) -> web.Application:
        app = web.Application(
            middlewares=[_status_errors], client_max_size=MAX_BODY, handler_args={"keepalive_timeout": 120}
        )
        app.on_response_prepare.append(self._flows.mark)
        for path, handler in {
            "/version": self._version,
            "/.well-known/openid-configuration": self._issuer,
            "/openid/v1/jwks": self._keys,
            "/metrics": self._telemetry.answer,
            "/metrics/slis": self._health.metrics,
            "/api": self._api_versions,
            "/apis": self._group_list,
            "/apis/{group}": self._group,
            "/openapi/v2": lambda request: self._served.openapi.v2(request),
            "/openapi/v3": lambda request: self._served.openapi.v3_index(request),
            "/openapi/v3/{path:.+}": lambda request: self._served.openapi.v3(request),
            "/api/{version}": self._resource_list,
            "/apis/{group}/{version}": self._resource_list,
        }.items():
            guarded = self._guarded(path, handler)
            app.router.add_get(path, guarded)
            app.router.add_get(f"{path}/", guarded)  # as generated clients ask for documents
        for path in HEALTH:
            guarded = self._guarded(path, self._health.answer)
            app.router.add_get(path, guarded)
            app.router.add_get(path + "/{check:.*}", guarded)
        app.router.add_route("*", "/api/{tail:.+}", self._resource)
        app.router.add_route("*", "/apis/{tail:.+}", self._resource)
        app.router.add_route("*", "/{tail:.*}", self._guarded("/", self._nothing))
        return app

    def _guarded(self, path: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            request[USER] = self._authenticator.user(request, public=path in _OPEN)
            check_timeout(request.query)
            return await handler(request)

        return guarded

    # resources

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        user = request[USER] = self._authenticator.user(request)
        if review := _review(request.path):
            if request.method != "POST":
                raise errors.method_not_allowed()
            return await self._reviews.answer(request, *review, user)
        if request.path.startswith(METRICS):
            return await self._metrics.answer(request)
        located = split(request.path)
        if located and (service := self._elsewhere(*located[:2])):
            return await self._aggregation.serve(request, service, user)
        target, watching = self._target(request)
        handler = self._watch if watching else self._handler(request.method, target)
        if handler is None:
            raise errors.method_not_allowed()
        if target.subresource != "proxy":
            check_timeout(request.query)
        answer = self._reviewed(handler, request, target) if self._asks(target) else handler(request, target)
        response = await self._telemetry.counted(request.method, target, answer, watching=watching)
        if target.kind.deprecation:
            warn(response, target.kind.deprecation)
        return response

    def _asks(self, target: Target) -> bool:
        """Whether webhooks may have to be called."""
        return self._registry.webhooks.any or target.kind.require is not None

    async def _reviewed(self, handler: Verb, request: web.Request, target: Target) -> web.StreamResponse:
        """Handled anew whenever webhooks have answered what it took them to know."""
        review = Review(request[USER].info, self._webhooks)
        while True:
            try:
                with reviewed(review):
                    if connection := connecting(request, target):
                        self._registry.webhooks.review(connection)
                    response = await handler(request, target)
            except Pending as pending:
                await review.settle(pending)
            else:
                for text in dict.fromkeys(review.warnings):
                    warn(response, text)
                return response

    def _target(self, request: web.Request) -> tuple[Target, bool]:
        path = request.path
        old_form = path.split("/")[3 if path.startswith("/api/") else 4 :][:1] == ["watch"]
        target = parse(path.replace("/watch/", "/", 1) if old_form else path, self._served.table)
        asked = not target.name and is_true(request.query, "watch")
        return target, request.method == "GET" and not target.subresource and (old_form or asked)

    def _handler(self, method: str, target: Target) -> Verb | None:
        if method == "HEAD":
            method = "GET"
        if target.subresource:
            return self._subresources.get(target.subresource, {}).get(method)
        verb = (_OBJECT_VERBS if target.name else _COLLECTION_VERBS).get(method)
        if verb not in (*target.kind.verbs, *target.kind.untold_verbs):
            return None
        return (self._object if target.name else self._collection).get(method)

    # everything else

    async def _nothing(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            paths = ["/api", "/api/v1", "/apis", *(f"/apis/{name}" for name in self._served.discovery.group_names())]
            others = ["/.well-known/openid-configuration", "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks"]
            return send(request, Answer({"paths": [*paths, *_OPEN, *others]}))
        raise errors.page_not_found()

    async def _version(self, request: web.Request) -> web.StreamResponse:
        return send(request, Answer(discovery.version_info()))

    async def _issuer(self, request: web.Request) -> web.StreamResponse:
        """Who signs service-account tokens, for whoever wants to check them without asking."""
        found = self._tokens.configuration(f"https://{self._address}/openid/v1/jwks")
        return web.Response(body=msgspec.json.encode(found), content_type="application/json", headers=_CACHED)

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        keys = msgspec.json.encode(self._tokens.keys())
        return web.Response(body=keys, content_type="application/jwk-set+json", headers=_CACHED)

    def _elsewhere(self, group: str, version: str) -> Obj | None:
        """The APIService of what another server answers; whatever is served here is nobody else's."""
        return None if self._served.discovery.serves(group, version) else self._aggregation.find(group, version)

    async def _api_versions(self, request: web.Request) -> web.StreamResponse:
        return self._discovered(request, self._served.discovery.api_versions(self._address), core=True)

    async def _group_list(self, request: web.Request) -> web.StreamResponse:
        listed = self._served.discovery.group_list()
        return self._discovered(
            request, listed | {"groups": [*listed["groups"], *self._aggregation.groups()]}, core=False
        )

    def _discovered(self, request: web.Request, plain: dict[str, Any], *, core: bool) -> web.StreamResponse:
        form = discovery_form(request.headers.get("Accept", ""))
        if form.type == "object":
            return send(request, Answer(plain))
        found = self._served.discovery.aggregated(core, form.version)
        if not core:
            found["items"] += self._aggregation.discovered()
        response = send(request, Answer(found))
        response.headers["Content-Type"] = (
            f"application/json;g=apidiscovery.k8s.io;v={form.version};as=APIGroupDiscoveryList"
        )
        return response

    async def _group(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["group"]
        return _found(request, self._served.discovery.group(name) or self._aggregation.group(name))

    async def _resource_list(self, request: web.Request) -> web.StreamResponse:
        group, version = request.match_info.get("group", ""), request.match_info["version"]
        if service := self._elsewhere(group, version):
            return await self._aggregation.serve(request, service, request[USER])
        return _found(request, self._served.discovery.resource_list(group, version))


def _found(request: web.Request, document: dict[str, Any] | None) -> web.StreamResponse:
    if document is None:
        raise errors.page_not_found()
    return send(request, Answer(document))


def _review(path: str) -> tuple[str, str] | None:
    """(group, kind) of a review's path."""
    parts = path.strip("/").split("/")
    if len(parts) < 4 or parts[0] != "apis":
        return None
    for plural, kind, _ in discovery.REVIEWS.get((parts[1], parts[2]), ()):
        if parts[-1] == plural:
            return parts[1], kind
    return None


def _subresource_verbs(
    registry: Registry, tokens: TokenAuthority, resources: Resources, pods: Pods, usages: Meter
) -> Mapping[str, Mapping[str, Verb]]:
    subresources, proxied = Subresources(registry), Proxied(registry, usages)
    plain: Mapping[str, Verb] = {"GET": resources.get, "PUT": resources.update, "PATCH": resources.patch}
    return {
        "status": plain,
        "approval": plain,
        "ephemeralcontainers": plain,
        "scale": {
            "GET": subresources.get_scale,
            "PUT": subresources.update_scale,
            "PATCH": subresources.patch_scale,
        },
        "binding": {"POST": subresources.create_binding},
        "eviction": {"POST": subresources.create_eviction},
        "finalize": {"PUT": resources.update},
        "token": {"POST": TokenRequests(registry, tokens).create},
        "log": {"GET": pods.log},
        "exec": {"GET": pods.exec, "POST": pods.exec},
        "attach": {"GET": pods.attach, "POST": pods.attach},
        "portforward": {"GET": pods.port_forward, "POST": pods.port_forward},
        "proxy": dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), proxied.serve),
    }
