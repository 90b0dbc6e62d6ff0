"""Service-account tokens: JWTs signed with the cluster's key (upstream's `serviceaccount` package).

The kubelet projects them into pods, the token subresource hands them out, the HTTP edge verifies them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from kubelite.objects import meta
from kubelite.objects.meta import Obj

ISSUER = "https://kubernetes.default.svc.cluster.local"
_ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose token it is, and which pod it is bound to, if any."""

    namespace: str
    service_account: str
    uid: str
    pod_name: str = ""
    pod_uid: str = ""

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"


class TokenAuthority:
    """Issues and verifies; `audience` is the API server's own."""

    def __init__(
        self,
        key: EllipticCurvePrivateKey,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        audience: str = ISSUER,
    ) -> None:
        self._key = key
        self._now = now
        self.audience = audience

    def issue(
        self, account: Obj, *, seconds: int = 3607, audiences: Sequence[str] = (), bound_to: Obj | None = None
    ) -> Token:
        """A token for the ServiceAccount object `account`, bound to a pod when one is given."""
        now = self._now()
        expires = now + timedelta(seconds=seconds)
        private: dict[str, Any] = {
            "namespace": meta.namespace(account),
            "serviceaccount": {"name": meta.name(account), "uid": meta.uid(account)},
        }
        if bound_to is not None:
            private[bound_to["kind"].lower()] = {"name": meta.name(bound_to), "uid": meta.uid(bound_to)}
        claims = {
            "aud": list(audiences) or [self.audience],
            "exp": expires,
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{meta.namespace(account)}:{meta.name(account)}",
            "kubernetes.io": private,
        }
        return Token(jwt.encode(claims, self._key, algorithm=_ALGORITHM), expires)

    def verify(self, text: str) -> Claims | None:
        """The token's claims, None when it isn't ours, isn't for us, or has run out."""
        try:
            claims = jwt.decode(
                text, self._key.public_key(), algorithms=[_ALGORITHM], audience=self.audience, issuer=ISSUER
            )
        except jwt.InvalidTokenError:
            return None
        private = claims["kubernetes.io"]
        account, pod = private["serviceaccount"], private.get("pod", {})
        return Claims(private["namespace"], account["name"], account["uid"], pod.get("name", ""), pod.get("uid", ""))
