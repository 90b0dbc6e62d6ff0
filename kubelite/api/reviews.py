"""Reviews: questions POSTed and answered at once. Whoever is authenticated may do everything."""

from __future__ import annotations

from aiohttp import web

from kubelite.api import body
from kubelite.api.answer import Answer, send
from kubelite.api.authn import User
from kubelite.objects.meta import Obj
from kubelite.tokens import TokenAuthority

_ALLOWED = {"allowed": True, "reason": "kubelite authorizes every authenticated user"}
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


class Reviews:
    """`answer` handles every kind of review."""

    def __init__(self, tokens: TokenAuthority) -> None:
        self._tokens = tokens

    async def answer(self, request: web.Request, group: str, kind: str, user: User) -> web.StreamResponse:
        decoded = await body.read_typed(request, group, "v1", kind)
        review = {**decoded.object, "status": self._status(kind, decoded.object.get("spec") or {}, user)}
        review.setdefault("metadata", {"creationTimestamp": None})
        return send(request, Answer(review, 201))

    def _status(self, kind: str, spec: Obj, user: User) -> Obj:
        if kind == "SelfSubjectRulesReview":
            return _EVERYTHING
        if kind == "SelfSubjectReview":
            return {"userInfo": user.info}
        if kind == "TokenReview":
            claims = self._tokens.verify(spec.get("token", ""))
            if claims is None:
                return {"authenticated": False, "error": "the token is not valid"}
            return {
                "authenticated": True,
                "user": User.of_claims(claims).info,
                "audiences": spec.get("audiences") or [self._tokens.audience],
            }
        return _ALLOWED
