"""Errors that are answers: each StatusError is one `metav1.Status` of the Kubernetes API.

Raised by the registry and everything below it, caught by the HTTP edge (which sends `to_status()`) and by
controllers (which look at `reason`). Reasons, codes and wording follow apimachinery's `api/errors` and
`util/validation/field` packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of an object: `path` as users write it (`spec.containers[0].name`)."""

    type: str
    path: str
    detail: str = ""
    value: Any = None

    def __str__(self) -> str:
        return f"{self.path}: {self.body}" if self.path else self.body

    @property
    def body(self) -> str:
        """The message without the path, as it stands in a Status cause."""
        label = _FIELD_LABELS[self.type]
        if self.type in _WITH_VALUE and self.value is not OMITTED:
            label = f"{label}: {_show(self.value)}"
        return f"{label}: {self.detail}" if self.detail else label

    def to_cause(self) -> dict[str, str]:
        return {"reason": self.type, "message": self.body, "field": self.path}


_FIELD_LABELS = {
    "FieldValueRequired": "Required value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueNotFound": "Not found",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueTypeInvalid": "Invalid value",
    "InternalError": "Internal error",
}
_WITH_VALUE = {
    "FieldValueInvalid",
    "FieldValueNotSupported",
    "FieldValueDuplicate",
    "FieldValueNotFound",
    "FieldValueTypeInvalid",
    "FieldValueTooMany",
}


# The value of an error that is about several fields.
OMITTED: Any = object()


def _show(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def required(path: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", path, detail)


def invalid_value(path: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", path, detail, value)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    listed = ", ".join(f'"{choice}"' for choice in supported)
    return FieldError("FieldValueNotSupported", path, f"supported values: {listed}", value)


def forbidden_field(path: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", path, detail)


def duplicate(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", path, "", value)


def not_found_field(path: str, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", path, "", value)


def too_long(path: str, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", path, f"may not be more than {limit} bytes")


def too_many(path: str, count: int, limit: int) -> FieldError:
    return FieldError("FieldValueTooMany", path, f"must have at most {limit} items", count)


@dataclass(slots=True)
class StatusError(Exception):
    """A failed request: HTTP `code`, machine-readable `reason`, `message` for people, `details` as in metav1."""

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)  # ListMeta: a token to continue with

    def __str__(self) -> str:
        return self.message

    def to_status(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            status["details"] = self.details
        return status | {"code": self.code}


def qualified(plural: str, group: str) -> str:
    """The resource as messages name it: `statefulsets.apps`, `pods`."""
    return f"{plural}.{group}" if group else plural


def _details(name: str, group: str, kind: str, **more: Any) -> dict[str, Any]:
    fields = {"name": name, "group": group, "kind": kind, **more}
    return {key: value for key, value in fields.items() if value}


def not_found(plural: str, name: str, group: str = "") -> StatusError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, _details(name, group, plural))


def already_exists(plural: str, name: str, group: str = "") -> StatusError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(name, group, plural))


def conflict(plural: str, name: str, why: str, group: str = "") -> StatusError:
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(name, group, plural))


def forbidden(plural: str, name: str, why: str, group: str = "") -> StatusError:
    subject = (
        f'{qualified(plural, group)} "{name}" is forbidden' if name else f"{qualified(plural, group)} is forbidden"
    )
    return StatusError(403, "Forbidden", f"{subject}: {why}", _details(name, group, plural))


def invalid(kind: str, name: str, errors: Sequence[FieldError], group: str = "") -> StatusError:
    texts = list(dict.fromkeys(str(error) for error in errors))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    subject = f"{kind}.{group}" if group else kind
    causes = [error.to_cause() for error in errors]
    message = f'{subject} "{name}" is invalid: {listed}'
    return StatusError(422, "Invalid", message, _details(name, group, kind, causes=causes))


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    return StatusError(401, "Unauthorized", message)


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def page_not_found() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def not_acceptable(message: str) -> StatusError:
    return StatusError(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Iterable[str]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return StatusError(415, "UnsupportedMediaType", message)


def expired(message: str) -> StatusError:
    """410: the asked-for resourceVersion or continue token is no longer in the history; list again."""
    return StatusError(410, "Expired", message)


def too_many_requests(message: str, retry_after: int = 10) -> StatusError:
    return StatusError(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})


def internal_error(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}")


def service_unavailable(message: str) -> StatusError:
    return StatusError(503, "ServiceUnavailable", message)
