"""Reviews: questions POSTed and answered at once. Whoever is authenticated may do everything."""

from __future__ import annotations

from aiohttp import web

from kubelite import errors
from kubelite.api import body
from kubelite.api.answer import Answer, send
from kubelite.api.authn import Authenticator, User
from kubelite.api.negotiation import ACCEPTED, answer_form
from kubelite.objects.meta import Obj

_ALLOWED = {"allowed": True, "reason": "kubelite authorizes every authenticated user"}
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


class Reviews:
    """`answer` handles every kind of review."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def answer(self, request: web.Request, group: str, kind: str, user: User) -> web.StreamResponse:
        if answer_form(request.headers.get("Accept", "")).type != "object":
            raise errors.not_acceptable(ACCEPTED)
        decoded = await body.read_typed(request, group, "v1", kind)
        _check(kind, decoded.object, group)
        review = {**decoded.object, "status": self._status(kind, decoded.object.get("spec") or {}, user)}
        review.setdefault("metadata", {"creationTimestamp": None})
        return send(request, Answer(review, 201))

    def _status(self, kind: str, spec: Obj, user: User) -> Obj:
        if kind == "SelfSubjectRulesReview":
            return _EVERYTHING
        if kind == "SelfSubjectReview":
            return {"userInfo": user.info}
        if kind == "TokenReview":
            return self._of_token(spec)
        return _ALLOWED

    def _of_token(self, spec: Obj) -> Obj:
        try:
            user, audiences = self._authenticator.reviewed(spec.get("token", ""), spec.get("audiences") or ())
        except errors.StatusError:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": user.info, "audiences": list(audiences)}


def _check(kind: str, review: Obj, group: str) -> None:
    """What upstream's validation refuses."""
    spec = review.get("spec") or {}
    if kind == "TokenReview" and not spec.get("token"):
        raise errors.bad_request("token is required for TokenReview in authentication")
    if not kind.endswith("AccessReview"):
        return
    found = []
    asked = [name for name in ("resourceAttributes", "nonResourceAttributes") if spec.get(name) is not None]
    if len(asked) != 1:
        text = (
            "cannot be specified in combination with resourceAttributes"
            if asked
            else "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        )
        path = "spec.nonResourceAttributes" if asked else "spec.resourceAttributes"
        found.append(errors.invalid_value(path, spec.get("nonResourceAttributes"), text))
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        found.append(errors.invalid_value("spec.user", "", "at least one of user or group must be specified"))
    if found:
        raise errors.invalid(kind, "", found, group)
