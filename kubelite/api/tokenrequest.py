"""The subresource `token` of service accounts: TokenRequests. After upstream's `registry/core/serviceaccount/storage`."""

from __future__ import annotations

from aiohttp import web

from kubelite import errors
from kubelite.api import body
from kubelite.api.answer import Answer, send
from kubelite.api.path import Target
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.tokens import TokenAuthority

_GROUP = "authentication.k8s.io"
_LEAST, _MOST = 600, 2**32
_DEFAULT_SECONDS = 3600
_BOUND_TO = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


class TokenRequests:
    """`create` answers with the request, its status filled in."""

    def __init__(self, registry: Registry, tokens: TokenAuthority) -> None:
        self._registry = registry
        self._tokens = tokens

    async def create(self, request: web.Request, target: Target) -> web.StreamResponse:
        decoded = await body.read_typed(request, _GROUP, "v1", "TokenRequest")
        spec = decoded.object.get("spec") or {}
        seconds = spec.get("expirationSeconds") or _DEFAULT_SECONDS
        account = self._registry.stored(target.kind, target.namespace, target.name).object
        _check_seconds(seconds)
        bound = self._bound_to(account, spec.get("boundObjectRef") or {})
        node = (bound or {}).get("spec", {}).get("nodeName") if bound and bound["kind"] == "Pod" else None
        audiences = spec.get("audiences") or [self._tokens.audience]
        token = self._tokens.issue(
            account,
            seconds=seconds,
            audiences=audiences,
            bound_to=bound,
            node=self._registry.find("nodes", None, node) if node else None,
        )
        answer = {
            **decoded.object,
            "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": None},
            "spec": {**spec, "audiences": audiences, "expirationSeconds": seconds},
            "status": {"token": token.text, "expirationTimestamp": meta.format_time(token.expires)},
        }
        return send(request, Answer(answer, 201))

    def _bound_to(self, account: Obj, ref: Obj) -> Obj | None:
        if not ref:
            return None
        kind, name = ref.get("kind", ""), ref.get("name", "")
        plural = _BOUND_TO.get(kind)
        if plural is None or ref.get("apiVersion") not in (None, "", "v1"):
            group, _, version = ref.get("apiVersion", "").rpartition("/")
            raise errors.bad_request(
                f"cannot bind token for serviceaccount to object of type {group}/{version}, Kind={kind}"
            )
        found = self._registry.get(plural, None if plural == "nodes" else meta.namespace(account), name)
        if plural == "pods" and found["spec"].get("serviceAccountName") != meta.name(account):
            raise errors.bad_request(
                f'cannot bind token for serviceaccount "{meta.name(account)}" '
                "to pod running with different serviceaccount name."
            )
        if ref.get("uid") and ref["uid"] != meta.uid(found):
            raise _another(plural, name, ref["uid"], meta.uid(found))
        return found


def _another(plural: str, name: str, wanted: str, uid: str) -> StatusError:
    why = (
        f"the UID in the bound object reference ({wanted}) does not match the UID in record ({uid}). "
        "The object might have been deleted and then recreated"
    )
    return errors.conflict(plural, name, why)


def _check_seconds(seconds: int) -> None:
    text = ""
    if seconds < _LEAST:
        text = "may not specify a duration less than 10 minutes"
    elif seconds > _MOST:
        text = "may not specify a duration larger than 2^32 seconds"
    if text:
        wrong = errors.invalid_value("spec.expirationSeconds", seconds, text)
        raise errors.invalid("TokenRequest", "", [wrong], _GROUP)
