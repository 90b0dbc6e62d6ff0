"""Who asks: client certificates (common name = user, organisations = groups) and service-account tokens."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from kubelite import errors
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.tokens import Claims, TokenAuthority

_TRUSTED = 10.0  # seconds
_REMEMBERED = 1000  # tokens
_EXTRA = "impersonate-extra-"
_LEEWAY = timedelta(minutes=1)  # upstream's, of its token library
ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, Any]:
        """authentication/v1 UserInfo."""
        info: dict[str, Any] = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return {key: value for key, value in info.items() if value}

    @staticmethod
    def of_claims(claims: Claims) -> User:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{claims.namespace}", "system:authenticated")
        return User(claims.user, groups, claims.uid, claims.extra)


USER = web.RequestKey("user", User)
_ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class Authenticator:
    """Finds the user of a request, or refuses it with 401."""

    def __init__(self, registry: Registry, tokens: TokenAuthority) -> None:
        self._registry = registry
        self._tokens = tokens
        self._verified: dict[str, tuple[float, Claims]] = {}

    def user(self, request: web.Request, *, public: bool = False) -> User:
        """Who it is, or (`kubectl --as`) who that one says to be: whoever is authenticated may do everything.

        What is `public` may be read without any credentials, though not with bad ones.
        """
        user = self._authenticated(request, public)
        return _impersonated(request) or user

    def _authenticated(self, request: web.Request, public: bool) -> User:
        """In upstream's order: who has a good certificate isn't asked for a token."""
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        if certificate:
            return _of_certificate(certificate)
        if token := _bearer_token(request.headers.get("Authorization", "")):
            return self._of_token(token)
        if token := _websocket_token(request.headers.get("Sec-WebSocket-Protocol", "")):
            return self._of_token(token)
        if public and "Authorization" not in request.headers:
            return _ANONYMOUS
        raise errors.unauthorized()

    def _of_token(self, text: str) -> User:
        claims = self._claims(text)
        self._check_bound(claims, text)
        return User.of_claims(claims)

    def reviewed(self, text: str, audiences: Sequence[str]) -> tuple[User, tuple[str, ...]]:
        """Whose token it is, and for which of the audiences it is meant; 401 when it is good for nothing."""
        claims = self._tokens.verify(text, audiences)
        if claims is None:
            raise errors.unauthorized()
        self._check_bound(claims, text)
        return User.of_claims(claims), claims.audiences

    def _check_bound(self, claims: Claims, text: str) -> None:
        """A token dies with its account, and with whatever it is bound to."""
        account = self._registry.find("serviceaccounts", claims.namespace, claims.service_account)
        if account is None or meta.uid(account) != claims.uid or _is_over(account):
            raise errors.unauthorized()
        for kind, (name, uid) in claims.bound.items():
            if kind == "node" and "pod" in claims.bound:
                continue  # only told
            found = self._registry.find(f"{kind}s", None if kind == "node" else claims.namespace, name)
            if found is None or uid not in ("", meta.uid(found)) or _is_over(found):
                raise errors.unauthorized()
            if not uid and base64.b64decode((found.get("data") or {}).get("token", "")) != text.encode():
                raise errors.unauthorized()

    def _claims(self, text: str) -> Claims:
        """Verified at most every ten seconds, as upstream does: a signature costs more than most requests."""
        now = time.monotonic()
        known = self._verified.get(text)
        if known is not None and known[0] > now:
            return known[1]
        claims = self._tokens.verify(text)
        if claims is None:
            raise errors.unauthorized()
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[text] = (now + _TRUSTED, claims)
        return claims


def _is_over(obj: Obj) -> bool:
    """What was to be gone a minute ago counts as gone, though something still holds it."""
    deleted = obj["metadata"].get("deletionTimestamp")
    return deleted is not None and meta.parse_time(deleted) + _LEEWAY < _now()


def _now() -> datetime:
    return datetime.now(UTC)


def _of_certificate(certificate: dict[str, Any]) -> User:
    names = [pair for part in certificate["subject"] for pair in part]
    groups = [value for key, value in names if key == "organizationName"]
    name = next((value for key, value in names if key == "commonName"), "")
    return User(name, (*groups, "system:authenticated"))


def _impersonated(request: web.Request) -> User | None:
    """After apiserver's `filters/impersonation`."""
    name, groups = request.headers.get("Impersonate-User", ""), request.headers.getall("Impersonate-Group", [])
    extra: dict[str, list[str]] = {}
    for header, value in request.headers.items():
        if header.lower().startswith(_EXTRA):
            extra.setdefault(unquote(header.lower().removeprefix(_EXTRA)), []).append(value)
    uid = request.headers.get("Impersonate-Uid", "")
    if not name:
        if groups or extra or uid:
            raise errors.internal_error("requested impersonation without impersonating a user")
        return None
    if not groups and name.startswith(ACCOUNT):
        namespace = name.removeprefix(ACCOUNT).split(":")[0]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    everybody = "system:unauthenticated" if name == "system:anonymous" else "system:authenticated"
    return User(name, tuple(dict.fromkeys((*groups, everybody))), uid, extra)


def _bearer_token(header: str) -> str:
    """The scheme in any case, as Python's client writes it in lower case; after apiserver's `request/bearertoken`."""
    scheme, _, token = header.strip().partition(" ")
    return token.split(" ")[0] if scheme.lower() == "bearer" else ""


def _websocket_token(protocols: str) -> str:
    """Browsers can't set headers: `base64url.bearer.authorization.k8s.io.<token>` as a subprotocol."""
    prefix = "base64url.bearer.authorization.k8s.io."
    for protocol in protocols.split(","):
        if protocol.strip().startswith(prefix):
            encoded = protocol.strip().removeprefix(prefix)
            return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode(errors="replace")
    return ""
