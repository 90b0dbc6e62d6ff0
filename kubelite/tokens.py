"""Service-account tokens: JWTs signed with the cluster's key (upstream's `serviceaccount` package).

The kubelet projects them into pods, the token subresource hands them out, a controller puts those without an end into
secrets, the HTTP edge verifies them and publishes the key (OpenID Connect discovery).
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kubelite.objects import meta
from kubelite.objects.meta import Obj

SigningKey = EllipticCurvePrivateKey | RSAPrivateKey
ISSUER = "https://kubernetes.default.svc.cluster.local"
LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY_PREFIX = "kubernetes.io/serviceaccount"
# Pods' own tokens say so many seconds, but are good for a year, for clients that never read them again.
WARN_ONLY_SECONDS = 3607
_EXTENDED_SECONDS = 365 * 24 * 3600
_EXTRA = "authentication.kubernetes.io"


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose token it is, and which objects it is bound to: kind in lower case -> (name, uid)."""

    namespace: str
    service_account: str
    uid: str
    id: str = ""
    bound: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    audiences: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"

    @property
    def extra(self) -> dict[str, list[str]]:
        """What reviews tell of the token beside its user."""
        told = {f"{_EXTRA}/credential-id": [f"JTI={self.id}"]} if self.id else {}
        for kind in ("node", "pod"):
            if kind in self.bound:
                name, uid = self.bound[kind]
                told |= {f"{_EXTRA}/{kind}-name": [name], f"{_EXTRA}/{kind}-uid": [uid]}
        return told


class TokenAuthority:
    """Issues and verifies; `audience` is the API server's own."""

    def __init__(
        self,
        key: SigningKey,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        audience: str = ISSUER,
    ) -> None:
        self._key = key
        self._key_id = _key_id(key)
        self._algorithm = "RS256" if isinstance(key, RSAPrivateKey) else "ES256"
        self._now = now
        self.audience = audience

    def issue(
        self,
        account: Obj,
        *,
        seconds: int = WARN_ONLY_SECONDS,
        audiences: Sequence[str] = (),
        bound_to: Obj | None = None,
        node: Obj | None = None,
    ) -> Token:
        """A token for the ServiceAccount object `account`, bound to an object when one is given.

        `node` is where a pod that it is bound to runs.
        """
        now = self._now()
        private: dict[str, Any] = {"namespace": meta.namespace(account), "serviceaccount": _named(account)}
        if bound_to is not None:
            private[bound_to["kind"].lower()] = _named(bound_to)
        if node is not None:
            private["node"] = _named(node)
        lasting = seconds
        if "pod" in private and seconds == WARN_ONLY_SECONDS and set(audiences) <= {self.audience}:
            private["warnafter"] = int((now + timedelta(seconds=seconds)).timestamp())
            lasting = _EXTENDED_SECONDS
        claims = {
            "aud": list(audiences) or [self.audience],
            "exp": now + timedelta(seconds=lasting),
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "sub": _subject(account),
            "kubernetes.io": private,
        }
        return Token(self._signed(claims), now + timedelta(seconds=seconds))

    def issue_for_secret(self, account: Obj, secret: Obj) -> str:
        """A token without an end, which lives as long as the secret that holds it."""
        names = {
            "namespace": meta.namespace(account),
            "secret.name": meta.name(secret),
            "service-account.name": meta.name(account),
            "service-account.uid": meta.uid(account),
        }
        private = {f"{_LEGACY_PREFIX}/{key}": value for key, value in names.items()}
        return self._signed({"iss": LEGACY_ISSUER, "sub": _subject(account), **private})

    def _signed(self, claims: Mapping[str, Any]) -> str:
        return jwt.encode(dict(claims), self._key, algorithm=self._algorithm, headers={"kid": self._key_id})

    def verify(self, text: str, audiences: Sequence[str] = ()) -> Claims | None:
        """The token's claims, None when it isn't ours, isn't for any of `audiences` (or us), or has run out."""
        wanted = list(audiences) or [self.audience]
        try:
            if _issuer(text) == LEGACY_ISSUER:
                return _legacy(self._decoded(text, None), wanted) if self.audience in wanted else None
            claims = self._decoded(text, wanted)
        except jwt.InvalidTokenError:
            return None
        private = claims["kubernetes.io"]
        account = private["serviceaccount"]
        bound = {
            kind: (private[kind]["name"], private[kind]["uid"]) for kind in ("pod", "secret", "node") if kind in private
        }
        met = tuple(audience for audience in wanted if audience in claims["aud"])
        return Claims(private["namespace"], account["name"], account["uid"], claims.get("jti", ""), bound, met)

    def _decoded(self, text: str, audiences: list[str] | None) -> dict[str, Any]:
        options: jwt.types.Options = {"verify_aud": audiences is not None}
        issuer = ISSUER if audiences is not None else LEGACY_ISSUER
        public = self._key.public_key()
        claims: dict[str, Any] = jwt.decode(
            text, public, algorithms=[self._algorithm], audience=audiences, issuer=issuer, options=options
        )
        return claims

    # discovery

    def configuration(self, keys_url: str) -> dict[str, Any]:
        """OpenID Connect's document about the issuer."""
        return {
            "issuer": ISSUER,
            "jwks_uri": keys_url,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._algorithm],
        }

    def keys(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        public = {"use": "sig", "kid": self._key_id, "alg": self._algorithm}
        return {"keys": [public | _public_numbers(self._key)]}


def _issuer(text: str) -> str:
    return str(jwt.decode(text, options={"verify_signature": False}).get("iss", ""))


def _public_numbers(key: SigningKey) -> dict[str, Any]:
    if isinstance(key, RSAPrivateKey):
        found = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        found = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in found.items() if name != "key_ops"}


def _key_id(key: SigningKey) -> str:
    """As upstream names keys: the hash of the public one."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.urlsafe_b64encode(hashlib.sha256(public).digest()).rstrip(b"=").decode()


def _named(obj: Obj) -> dict[str, str]:
    return {"name": meta.name(obj), "uid": meta.uid(obj)}


def _subject(account: Obj) -> str:
    return f"system:serviceaccount:{meta.namespace(account)}:{meta.name(account)}"


def _legacy(claims: Mapping[str, Any], audiences: list[str]) -> Claims:
    def told(name: str) -> str:
        return str(claims.get(f"{_LEGACY_PREFIX}/{name}", ""))

    secret = {"secret": (told("secret.name"), "")}
    account = told("service-account.name"), told("service-account.uid")
    return Claims(told("namespace"), *account, bound=secret, audiences=tuple(audiences))
