"""Who asks: client certificates (common name = user, organisations = groups) and service-account tokens."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from kubelite import errors
from kubelite.objects import meta
from kubelite.registry.registry import Registry
from kubelite.tokens import Claims, TokenAuthority

_TRUSTED = 10.0  # seconds
_REMEMBERED = 1000  # tokens


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated user."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""

    @property
    def info(self) -> dict[str, Any]:
        """authentication/v1 UserInfo."""
        info: dict[str, Any] = {"username": self.name, "groups": list(self.groups)}
        return {**info, "uid": self.uid} if self.uid else info

    @staticmethod
    def of_claims(claims: Claims) -> User:
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{claims.namespace}", "system:authenticated")
        return User(claims.user, groups, claims.uid)


class Authenticator:
    """Finds the user of a request, or refuses it with 401."""

    def __init__(self, registry: Registry, tokens: TokenAuthority) -> None:
        self._registry = registry
        self._tokens = tokens
        self._verified: dict[str, tuple[float, Claims]] = {}

    def user(self, request: web.Request) -> User:
        header = request.headers.get("Authorization", "")
        if header.startswith("Bearer "):
            return self._of_token(header.removeprefix("Bearer ").strip())
        if token := _websocket_token(request.headers.get("Sec-WebSocket-Protocol", "")):
            return self._of_token(token)
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        if certificate:
            return _of_certificate(certificate)
        raise errors.unauthorized()

    def _of_token(self, text: str) -> User:
        claims = self._claims(text)
        account = self._registry.find("serviceaccounts", claims.namespace, claims.service_account)
        if account is None or meta.uid(account) != claims.uid:
            raise errors.unauthorized()
        if claims.pod_name:
            pod = self._registry.find("pods", claims.namespace, claims.pod_name)
            if pod is None or meta.uid(pod) != claims.pod_uid:
                raise errors.unauthorized()
        return User.of_claims(claims)

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


def _of_certificate(certificate: dict[str, Any]) -> User:
    names = [pair for part in certificate["subject"] for pair in part]
    groups = [value for key, value in names if key == "organizationName"]
    name = next((value for key, value in names if key == "commonName"), "")
    return User(name, (*groups, "system:authenticated"))


def _websocket_token(protocols: str) -> str:
    """Browsers can't set headers: `base64url.bearer.authorization.k8s.io.<token>` as a subprotocol."""
    prefix = "base64url.bearer.authorization.k8s.io."
    for protocol in protocols.split(","):
        if protocol.strip().startswith(prefix):
            encoded = protocol.strip().removeprefix(prefix)
            return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode(errors="replace")
    return ""
